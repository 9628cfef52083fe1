package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * Makes random expressions and inputs for property tests. Names and shapes are always valid; types
 * may be refused, by {@link ExpressionPlan#of}, and such an expression is to be skipped.
 */
public final class ExprGenerator {

  private final RandomGenerator random;
  private final SequencedMap<String, OracleTensor> inputs = new LinkedHashMap<>();
  private final List<Function> functions;
  private final List<Expr> made = new ArrayList<>();
  private final int[] fullShape;

  /** With all functions. */
  public ExprGenerator(RandomGenerator random, int maxInputs) {
    this(random, maxInputs, _ -> true);
  }

  /**
   * @param maxInputs how many tensors the expression may name
   * @param functions which functions to use: a device that rounds a little differently needs steps
   *     such as floor and comparisons left out
   */
  public ExprGenerator(RandomGenerator random, int maxInputs, Predicate<Function> functions) {
    this.random = random;
    this.functions = Stream.of(Function.values()).filter(functions).toList();
    this.fullShape = new int[random.nextInt(0, 4)];
    for (int d = 0; d < fullShape.length; d++) {
      fullShape[d] = random.nextInt(1, 5);
    }
    int count = random.nextInt(1, maxInputs + 1);
    for (int i = 0; i < count; i++) {
      inputs.put("x" + i, tensor(DType.values()[random.nextInt(DType.values().length)]));
    }
  }

  /** The tensors that expressions of this generator name. */
  public SequencedMap<String, OracleTensor> inputs() {
    return inputs;
  }

  /** Their types, as {@link ExpressionPlan#of} wants them. */
  public SequencedMap<String, TensorType> inputTypes() {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    inputs.forEach(
        (name, tensor) -> {
          long[] shape = Arrays.stream(tensor.shape()).asLongStream().toArray();
          types.put(name, TensorType.of(tensor.dtype(), shape));
        });
    return types;
  }

  /** A tensor whose shape broadcasts to the full one: fewer dimensions, some of size 1. */
  private OracleTensor tensor(DType type) {
    int rank = random.nextInt(0, fullShape.length + 1);
    int[] shape = new int[rank];
    for (int d = 0; d < rank; d++) {
      int size = fullShape[fullShape.length - rank + d];
      shape[d] = random.nextInt(3) == 0 ? 1 : size;
    }
    int count = OracleTensor.count(shape);
    return type.isFloating()
        ? OracleTensor.floating(type, shape, random.doubles(count, -3, 3).toArray())
        : OracleTensor.integral(type, shape, random.longs(count, -3, 20).toArray());
  }

  /**
   * An expression of at most that depth, or one it has made before. Reductions keep their axes, so
   * that shapes broadcast.
   */
  public Expr expression(int depth) {
    if (depth == 0 || random.nextInt(8) == 0) {
      return leaf();
    }
    if (!made.isEmpty() && random.nextInt(12) == 0) {
      return made.get(random.nextInt(made.size()));
    }
    Expr expr =
        switch (random.nextInt(10)) {
          case 0 -> reduction(depth);
          case 1 -> new Expr.Cast(castType(), expression(depth - 1));
          default -> call(depth);
        };
    made.add(expr);
    return expr;
  }

  private Expr leaf() {
    return switch (random.nextInt(8)) {
      case 0 -> Expr.of(random.nextInt(0, 4));
      case 1 -> Expr.of(random.nextInt(1, 8) / 4.0);
      default -> Expr.input("x" + random.nextInt(inputs.size()));
    };
  }

  /** To floating types: a conversion to integers makes small errors large. */
  private DType castType() {
    return List.of(DType.F64, DType.F32, DType.F16, DType.BF16).get(random.nextInt(4));
  }

  private Expr reduction(int depth) {
    Reducer reducer = Reducer.values()[random.nextInt(Reducer.values().length)];
    double parameter = reducer == Reducer.VAR || reducer == Reducer.STD ? random.nextInt(2) : 0;
    return new Expr.Reduce(
        reducer,
        expression(depth - 1),
        List.of(),
        true,
        reducer == Reducer.NORM ? random.nextInt(1, 4) : parameter);
  }

  /** A function of at least one tensor. */
  private Expr call(int depth) {
    Function function = functions.get(random.nextInt(functions.size()));
    List<Expr> arguments = new ArrayList<>();
    for (int i = 0; i < function.arity(); i++) {
      arguments.add(expression(depth - 1));
    }
    if (Expr.inputNames(arguments).isEmpty()) {
      arguments.set(0, Expr.input("x" + random.nextInt(inputs.size())));
    }
    if (function == Function.WHERE) {
      arguments.set(0, new Expr.Call(Function.LT, List.of(arguments.get(1), arguments.get(2))));
    }
    return new Expr.Call(function, arguments);
  }
}

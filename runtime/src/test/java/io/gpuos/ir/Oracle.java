package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Evaluates an expression straight from what the user wrote, element by element, with PyTorch's
 * semantics: the reference for property tests. It shares no code with typing, planning and the
 * generators.
 *
 * <p>Every function is computed in double and rounded to its compute type (float for F32, F16 and
 * BF16), so that cancellation and comparisons come out as in a correct implementation; sums are
 * kept in double. Half types are rounded at conversions, at results of reductions and at outputs.
 * Differences of a few units in the last place of the compute type are to be expected of the
 * device, and more where a temporary of a half type or the accumulation of a long sum rounds.
 *
 * <p>The expression must be valid: what the library refuses gives an unspecified exception here.
 * Recursive, for expressions of moderate depth.
 */
public final class Oracle {

  /**
   * A value under way.
   *
   * @param tensor in its compute type: half types need not be rounded
   * @param errors of its elements, as {@link OracleErrors} defines them
   * @param number whether it is a Python number: F64, I64 or BOOL, and weak in promotion
   */
  private record Value(OracleTensor tensor, double[] errors, boolean number) {
    static Value exact(OracleTensor tensor, boolean number) {
      return new Value(tensor, OracleErrors.exact(tensor.count()), number);
    }

    Value as(boolean isNumber) {
      return new Value(tensor, errors, isNumber);
    }

    DType type() {
      return tensor.dtype();
    }

    OracleTypes.Operand operand() {
      return new OracleTypes.Operand(type(), tensor.shape().length, number);
    }
  }

  /**
   * What to expect of a device.
   *
   * @param value the oracle's result
   * @param errors how far each element of a correct result may be from it; infinite where any value
   *     is correct. Integers and BOOL have 0 or infinity.
   */
  public record Bounded(OracleTensor value, double[] errors) {}

  /** Expressions with more nodes than this may be cut, and halves rounded where they are. */
  private static final int NEVER_CUT = 100;

  private final Map<String, OracleTensor> inputs;
  private final List<Expr> outputs;
  private final boolean mayBeCut;
  private final Map<Expr, Value> values = new IdentityHashMap<>();

  private Oracle(List<Expr> outputs, Map<String, OracleTensor> inputs) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.mayBeCut =
        Expr.inputNames(outputs).size() > Kernel.MAX_INPUTS
            || ExprGraph.postOrder(outputs).size() > NEVER_CUT;
  }

  /** The value of {@code expr} where each input is the tensor of its name. */
  public static OracleTensor evaluate(Expr expr, Map<String, OracleTensor> inputs) {
    return evaluate(List.of(expr), inputs).getFirst();
  }

  /** The values of several outputs. */
  public static List<OracleTensor> evaluate(List<Expr> outputs, Map<String, OracleTensor> inputs) {
    return bounded(outputs, inputs).stream().map(Bounded::value).toList();
  }

  /** The values of several outputs, and how far a correct device may be from them. */
  public static List<Bounded> bounded(List<Expr> outputs, Map<String, OracleTensor> inputs) {
    Oracle oracle = new Oracle(outputs, inputs);
    return outputs.stream().map(output -> rounded(asTensor(oracle.value(output)))).toList();
  }

  private static Bounded rounded(Value value) {
    OracleTensor tensor = value.tensor();
    if (!tensor.dtype().isFloating()) {
      return new Bounded(tensor, value.errors());
    }
    return new Bounded(
        OracleTensor.floating(tensor.dtype(), tensor.shape(), tensor.doubles()),
        roundedErrors(tensor.dtype(), tensor.doubles(), value.errors()));
  }

  private static double[] roundedErrors(DType type, double[] values, double[] errors) {
    return IntStream.range(0, errors.length)
        .mapToDouble(i -> OracleErrors.rounded(type, values[i], errors[i]))
        .toArray();
  }

  private Value value(Expr expr) {
    Value known = values.get(expr);
    if (known == null) {
      known = compute(expr);
      values.put(expr, known);
    }
    return known;
  }

  private Value compute(Expr expr) {
    return switch (expr) {
      case Expr.Input(String name) -> Value.exact(inputs.get(name), false);
      case Expr.Literal(DType type, long bits) -> Value.exact(number(type, bits), true);
      case Expr.Cast(DType type, Expr argument) -> cast(value(argument), type).as(false);
      case Expr.Reduce reduce -> reduce(reduce);
      case Expr.MatMul _, Expr.Attention _, Expr.Pick _, Expr.ArrayCall _ ->
          throw new IllegalArgumentException("no oracle: " + expr);
      case Expr.Foreign foreign -> throw new IllegalArgumentException(foreign.toString());
      case Expr.Call(Function function, List<Expr> arguments) -> {
        Value result = call(function, arguments.stream().map(this::value).toList());
        yield !result.number() && mayBeRead(expr) ? maybeRounded(result) : result;
      }
    };
  }

  /** Whether another kernel may read the value from memory, where halves are rounded. */
  private boolean mayBeRead(Expr expr) {
    return mayBeCut || outputs.size() > 1 && outputs.contains(expr);
  }

  private static Value maybeRounded(Value value) {
    DType type = value.type();
    if (type != DType.F16 && type != DType.BF16) {
      return value;
    }
    double[] errors = new double[value.errors().length];
    for (int i = 0; i < errors.length; i++) {
      double x = value.tensor().doubles()[i];
      errors[i] = OracleErrors.maybeRounded(type, x, value.errors()[i]);
    }
    return new Value(value.tensor(), errors, false);
  }

  private static OracleTensor number(DType type, long bits) {
    return type == DType.F64
        ? new OracleTensor(type, new int[0], new double[] {Double.longBitsToDouble(bits)}, null)
        : new OracleTensor(type, new int[0], null, new long[] {bits});
  }

  private static Value asTensor(Value value) {
    return value.number() && value.type() == DType.F64 ? convert(value, DType.F32) : value;
  }

  /** An explicit conversion. */
  private static Value cast(Value value, DType type) {
    OracleTensor tensor = value.tensor();
    if (tensor.dtype() == type) {
      return value;
    }
    int[] shape = tensor.shape();
    if (type.isFloating()) {
      double[] doubles = doubles(tensor, type);
      OracleTensor rounded = OracleTensor.floating(type, shape, doubles);
      // Between floating types, from the values as they were; integers are exact or unknown.
      double[] from = tensor.dtype().isFloating() ? tensor.doubles() : doubles;
      return new Value(rounded, roundedErrors(type, from, value.errors()), value.number());
    }
    return tensor.dtype().isFloating() ? truncated(value, type) : wrapped(value, type);
  }

  private static Value truncated(Value value, DType type) {
    OracleTensor tensor = value.tensor();
    long[] longs = new long[tensor.count()];
    double[] errors = new double[longs.length];
    for (int i = 0; i < longs.length; i++) {
      double x = tensor.doubles()[i];
      // Beyond the range C leaves open: to the end of a 64-bit or 32-bit integer, as in Java.
      long whole = type == DType.I64 ? (long) x : (int) x;
      longs[i] = type == DType.BOOL ? (x != 0 ? 1 : 0) : whole;
      errors[i] = OracleErrors.truncated(type, x, value.errors()[i]);
    }
    return new Value(OracleTensor.integral(type, tensor.shape(), longs), errors, value.number());
  }

  private static Value wrapped(Value value, DType type) {
    OracleTensor tensor = value.tensor();
    return new Value(
        OracleTensor.integral(type, tensor.shape(), tensor.longs()),
        value.errors(),
        value.number());
  }

  /**
   * The conversion that promotion asks for; the value of a Python number is not rounded to half.
   */
  private static Value convert(Value value, DType type) {
    if (value.number() && type.isFloating()) {
      double[] doubles = doubles(value.tensor(), type);
      DType computed = type == DType.F64 ? type : DType.F32;
      double[] from = value.type().isFloating() ? value.tensor().doubles() : doubles;
      return new Value(
          new OracleTensor(type, value.tensor().shape(), doubles, null),
          roundedErrors(computed, from, value.errors()),
          true);
    }
    return cast(value, type);
  }

  /** Elements in the compute type of {@code type}; an I64 goes to float in one rounding. */
  private static double[] doubles(OracleTensor tensor, DType type) {
    if (tensor.dtype().isFloating()) {
      return Arrays.stream(tensor.doubles()).map(v -> OracleTypes.computed(type, v)).toArray();
    }
    return Arrays.stream(tensor.longs())
        .mapToDouble(v -> type == DType.F64 ? (double) v : (float) v)
        .toArray();
  }

  private static Value call(Function function, List<Value> arguments) {
    boolean number = arguments.stream().allMatch(Value::number);
    if (function == Function.WHERE) {
      return where(arguments, number);
    }
    if (function == Function.SIGN && arguments.getFirst().type() == DType.BOOL) {
      return arguments.getFirst();
    }
    DType common = commonType(function, arguments, number);
    List<Value> converted =
        arguments.stream()
            .map(
                argument ->
                    function.typeRule() == TypeRule.LOGICAL
                        ? cast(argument, common)
                        : convert(argument, common))
            .toList();
    return elementwise(function, common, converted).as(number);
  }

  private static DType commonType(Function function, List<Value> arguments, boolean number) {
    if (function.typeRule() == TypeRule.LOGICAL) {
      return DType.BOOL;
    }
    DType common = OracleTypes.resultType(arguments.stream().map(Value::operand).toList());
    if (common.isFloating()) {
      return common;
    }
    DType floating = number ? DType.F64 : DType.F32;
    return switch (function.typeRule()) {
      case FLOATING, PREDICATE -> floating;
      case FLOATING_ONLY ->
          number && !(hasIntegerForm(function) && common != DType.BOOL) ? floating : common;
      case NUMERIC -> number && isNegativePower(function, arguments) ? floating : common;
      default -> common;
    };
  }

  private static boolean hasIntegerForm(Function function) {
    return function == Function.RELU6 || function == Function.HARDTANH;
  }

  /** Python gives a floating result for a negative power of an integer. */
  private static boolean isNegativePower(Function function, List<Value> arguments) {
    return function == Function.POW && arguments.getLast().tensor().longs()[0] < 0;
  }

  private static Value elementwise(Function function, DType common, List<Value> arguments) {
    int[] shape = broadcast(arguments);
    int count = OracleTensor.count(shape);
    boolean test =
        function.typeRule() == TypeRule.COMPARISON || function.typeRule() == TypeRule.PREDICATE;
    DType result = test ? DType.BOOL : common;
    double[] doubles = new double[result.isFloating() ? count : 0];
    long[] longs = new long[result.isFloating() ? 0 : count];
    double[] errors = new double[count];
    for (int i = 0; i < count; i++) {
      int[] at = positions(arguments, shape, i);
      double[] own =
          IntStream.range(0, at.length)
              .mapToDouble(k -> arguments.get(k).errors()[at[k]])
              .toArray();
      if (!common.isFloating()) {
        long[] x =
            IntStream.range(0, at.length)
                .mapToLong(k -> arguments.get(k).tensor().longs()[at[k]])
                .toArray();
        longs[i] = OracleTypes.wrap(result, OracleFunctions.integral(function, common, x));
        errors[i] = OracleErrors.integral(own);
      } else {
        double[] x =
            IntStream.range(0, at.length)
                .mapToDouble(k -> arguments.get(k).tensor().doubles()[at[k]])
                .toArray();
        if (test) {
          longs[i] = OracleFunctions.test(function, x) ? 1 : 0;
          errors[i] = OracleErrors.test(function, x, own);
        } else {
          doubles[i] = OracleTypes.computed(common, OracleFunctions.floating(function, x));
          errors[i] = OracleErrors.floating(function, common, x, own, doubles[i]);
        }
      }
    }
    return value(result, shape, doubles, longs, errors);
  }

  private static Value value(
      DType type, int[] shape, double[] doubles, long[] longs, double[] errors) {
    OracleTensor tensor =
        type.isFloating()
            ? new OracleTensor(type, shape, doubles, null)
            : new OracleTensor(type, shape, null, longs);
    return new Value(tensor, errors, false);
  }

  private static Value where(List<Value> arguments, boolean number) {
    List<Value> branches = arguments.subList(1, 3);
    DType type = OracleTypes.resultType(branches.stream().map(Value::operand).toList());
    DType common =
        !number && branches.stream().allMatch(Value::number) && type == DType.F64
            ? DType.F32
            : type;
    Value condition = arguments.getFirst();
    List<Value> all =
        List.of(condition, convert(branches.get(0), common), convert(branches.get(1), common));
    int[] shape = broadcast(all);
    int count = OracleTensor.count(shape);
    double[] doubles = new double[common.isFloating() ? count : 0];
    long[] longs = new long[common.isFloating() ? 0 : count];
    double[] errors = new double[count];
    for (int i = 0; i < count; i++) {
      int[] at = positions(all, shape, i);
      int chosen = condition.tensor().longs()[at[0]] != 0 ? 1 : 2;
      Value branch = all.get(chosen);
      errors[i] = condition.errors()[at[0]] + branch.errors()[at[chosen]];
      if (common.isFloating()) {
        doubles[i] = branch.tensor().doubles()[at[chosen]];
      } else {
        longs[i] = branch.tensor().longs()[at[chosen]];
      }
    }
    return value(common, shape, doubles, longs, errors).as(number);
  }

  private static int[] broadcast(List<Value> values) {
    List<OracleTensor> tensors = values.stream().map(Value::tensor).toList();
    int rank = tensors.stream().mapToInt(t -> t.shape().length).max().orElse(0);
    int[] shape = new int[rank];
    Arrays.fill(shape, 1);
    for (OracleTensor tensor : tensors) {
      int offset = rank - tensor.shape().length;
      for (int d = 0; d < tensor.shape().length; d++) {
        int size = tensor.shape()[d];
        if (size != 1 && shape[offset + d] != 1 && shape[offset + d] != size) {
          throw new IllegalArgumentException("shapes do not broadcast");
        }
        shape[offset + d] = size == 1 ? shape[offset + d] : size;
      }
    }
    return shape;
  }

  /** Where the element at a position of {@code shape} lies in each tensor. */
  private static int[] positions(List<Value> values, int[] shape, int position) {
    int[] coordinates = coordinates(shape, position);
    int[] positions = new int[values.size()];
    for (int k = 0; k < positions.length; k++) {
      int[] own = values.get(k).tensor().shape();
      for (int d = 0; d < own.length; d++) {
        int coordinate = coordinates[shape.length - own.length + d];
        positions[k] = positions[k] * own[d] + (own[d] == 1 ? 0 : coordinate);
      }
    }
    return positions;
  }

  private static int[] coordinates(int[] shape, int position) {
    int[] coordinates = new int[shape.length];
    int left = position;
    for (int d = shape.length - 1; d >= 0; d--) {
      coordinates[d] = left % shape[d];
      left /= shape[d];
    }
    return coordinates;
  }

  private Value reduce(Expr.Reduce reduce) {
    Reducer reducer = reduce.reducer();
    Value argument = asTensor(value(reduce.argument()));
    Value folding =
        switch (reducer) {
          case SUM, PROD -> argument.type().isFloating() ? argument : cast(argument, DType.I64);
          case ANY, ALL -> cast(argument, DType.BOOL);
          default -> argument;
        };
    OracleTensor x = folding.tensor();
    boolean[] folded = folded(reduce.axes(), x.shape().length);
    int[] kept = IntStream.range(0, folded.length).map(d -> folded[d] ? 1 : x.shape()[d]).toArray();
    List<List<Integer>> groups = new ArrayList<>();
    for (int i = 0; i < OracleTensor.count(kept); i++) {
      groups.add(new ArrayList<>());
    }
    for (int i = 0; i < x.count(); i++) {
      int[] coordinates = coordinates(x.shape(), i);
      int group = 0;
      for (int d = 0; d < folded.length; d++) {
        group = group * kept[d] + (folded[d] ? 0 : coordinates[d]);
      }
      groups.get(group).add(i);
    }
    int[] shape =
        IntStream.range(0, folded.length)
            .filter(d -> reduce.keepdim() || !folded[d])
            .map(d -> kept[d])
            .toArray();
    return fold(reducer, reduce.parameter(), folding, groups, shape);
  }

  private static boolean[] folded(List<Integer> axes, int rank) {
    boolean[] folded = new boolean[rank];
    Arrays.fill(folded, axes.isEmpty());
    for (int axis : rank == 0 ? List.<Integer>of() : axes) {
      folded[axis < 0 ? axis + rank : axis] = true;
    }
    return folded;
  }

  private static Value fold(
      Reducer reducer, double parameter, Value x, List<List<Integer>> groups, int[] shape) {
    return x.type().isFloating()
        ? foldFloating(reducer, parameter, x, groups, shape)
        : foldIntegral(reducer, x, groups, shape);
  }

  private static Value foldFloating(
      Reducer reducer, double parameter, Value x, List<List<Integer>> groups, int[] shape) {
    boolean index = isIndex(reducer);
    int count = groups.size();
    double[] doubles = new double[count];
    long[] longs = new long[count];
    double[] errors = new double[count];
    for (int i = 0; i < count; i++) {
      double[] elements =
          groups.get(i).stream().mapToDouble(k -> x.tensor().doubles()[k]).toArray();
      double[] own = groups.get(i).stream().mapToDouble(k -> x.errors()[k]).toArray();
      if (index) {
        int best = OracleReductions.argument(reducer, elements);
        longs[i] = best;
        errors[i] = OracleFoldErrors.index(reducer, elements, own, best);
      } else {
        double result = OracleReductions.floating(reducer, parameter, elements);
        double radius =
            OracleFoldErrors.floating(reducer, parameter, x.type(), elements, own, result);
        doubles[i] = OracleTypes.round(x.type(), result);
        errors[i] = OracleErrors.rounded(x.type(), result, radius);
      }
    }
    return value(index ? DType.I64 : x.type(), shape, doubles, longs, errors);
  }

  private static Value foldIntegral(
      Reducer reducer, Value x, List<List<Integer>> groups, int[] shape) {
    boolean index = isIndex(reducer);
    DType type = index ? DType.I64 : x.type();
    long[] longs = new long[groups.size()];
    double[] errors = new double[longs.length];
    for (int i = 0; i < longs.length; i++) {
      long[] elements = groups.get(i).stream().mapToLong(k -> x.tensor().longs()[k]).toArray();
      double[] own = groups.get(i).stream().mapToDouble(k -> x.errors()[k]).toArray();
      long result =
          index
              ? OracleReductions.argument(reducer, elements)
              : OracleReductions.integral(reducer, elements);
      longs[i] = OracleTypes.wrap(type, result);
      errors[i] = OracleFoldErrors.integral(reducer, elements, own);
    }
    return value(type, shape, null, longs, errors);
  }

  private static boolean isIndex(Reducer reducer) {
    return reducer == Reducer.ARGMAX || reducer == Reducer.ARGMIN;
  }
}

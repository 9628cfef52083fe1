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
   * @param number whether it is a Python number: F64, I64 or BOOL, and weak in promotion
   */
  private record Value(OracleTensor tensor, boolean number) {
    DType type() {
      return tensor.dtype();
    }

    OracleTypes.Operand operand() {
      return new OracleTypes.Operand(type(), tensor.shape().length, number);
    }
  }

  private final Map<String, OracleTensor> inputs;
  private final Map<Expr, Value> values = new IdentityHashMap<>();

  private Oracle(Map<String, OracleTensor> inputs) {
    this.inputs = inputs;
  }

  /** The value of {@code expr} where each input is the tensor of its name. */
  public static OracleTensor evaluate(Expr expr, Map<String, OracleTensor> inputs) {
    return evaluate(List.of(expr), inputs).getFirst();
  }

  /** The values of several outputs. */
  public static List<OracleTensor> evaluate(List<Expr> outputs, Map<String, OracleTensor> inputs) {
    Oracle oracle = new Oracle(inputs);
    return outputs.stream().map(output -> rounded(asTensor(oracle.value(output)))).toList();
  }

  private static OracleTensor rounded(OracleTensor tensor) {
    return tensor.dtype().isFloating()
        ? OracleTensor.floating(tensor.dtype(), tensor.shape(), tensor.doubles())
        : tensor;
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
      case Expr.Input(String name) -> new Value(inputs.get(name), false);
      case Expr.Literal(DType type, long bits) -> new Value(number(type, bits), true);
      case Expr.Cast(DType type, Expr argument) ->
          new Value(cast(value(argument).tensor(), type), false);
      case Expr.Reduce reduce -> new Value(reduce(reduce), false);
      case Expr.Call(Function function, List<Expr> arguments) ->
          call(function, arguments.stream().map(this::value).toList());
    };
  }

  private static OracleTensor number(DType type, long bits) {
    return type == DType.F64
        ? new OracleTensor(type, new int[0], new double[] {Double.longBitsToDouble(bits)}, null)
        : new OracleTensor(type, new int[0], null, new long[] {bits});
  }

  private static OracleTensor asTensor(Value value) {
    return value.number() && value.type() == DType.F64 ? convert(value, DType.F32) : value.tensor();
  }

  /** An explicit conversion. */
  private static OracleTensor cast(OracleTensor tensor, DType type) {
    if (tensor.dtype() == type) {
      return tensor;
    }
    if (type.isFloating()) {
      return OracleTensor.floating(type, tensor.shape(), doubles(tensor, type));
    }
    long[] longs =
        tensor.dtype().isFloating()
            ? Arrays.stream(tensor.doubles())
                .mapToLong(v -> type == DType.BOOL ? (v != 0 ? 1 : 0) : (long) v)
                .toArray()
            : tensor.longs();
    return OracleTensor.integral(type, tensor.shape(), longs);
  }

  /**
   * The conversion that promotion asks for; the value of a Python number is not rounded to half.
   */
  private static OracleTensor convert(Value value, DType type) {
    if (value.number() && type.isFloating()) {
      return new OracleTensor(type, value.tensor().shape(), doubles(value.tensor(), type), null);
    }
    return cast(value.tensor(), type);
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
      return new Value(where(arguments, number), number);
    }
    if (function == Function.SIGN && arguments.getFirst().type() == DType.BOOL) {
      return arguments.getFirst();
    }
    DType common = commonType(function, arguments, number);
    List<OracleTensor> converted =
        arguments.stream()
            .map(
                argument ->
                    function.typeRule() == TypeRule.LOGICAL
                        ? cast(argument.tensor(), common)
                        : convert(argument, common))
            .toList();
    return new Value(elementwise(function, common, converted), number);
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

  private static OracleTensor elementwise(
      Function function, DType common, List<OracleTensor> arguments) {
    int[] shape = broadcast(arguments);
    int count = OracleTensor.count(shape);
    boolean test =
        function.typeRule() == TypeRule.COMPARISON || function.typeRule() == TypeRule.PREDICATE;
    DType result = test ? DType.BOOL : common;
    double[] doubles = new double[result.isFloating() ? count : 0];
    long[] longs = new long[result.isFloating() ? 0 : count];
    for (int i = 0; i < count; i++) {
      int[] at = positions(arguments, shape, i);
      if (!common.isFloating()) {
        long[] x =
            IntStream.range(0, at.length).mapToLong(k -> arguments.get(k).longs()[at[k]]).toArray();
        longs[i] = OracleTypes.wrap(result, OracleFunctions.integral(function, common, x));
      } else {
        double[] x =
            IntStream.range(0, at.length)
                .mapToDouble(k -> arguments.get(k).doubles()[at[k]])
                .toArray();
        if (test) {
          longs[i] = OracleFunctions.test(function, x) ? 1 : 0;
        } else {
          doubles[i] = OracleTypes.computed(common, OracleFunctions.floating(function, x));
        }
      }
    }
    return result.isFloating()
        ? new OracleTensor(result, shape, doubles, null)
        : new OracleTensor(result, shape, null, longs);
  }

  private static OracleTensor where(List<Value> arguments, boolean number) {
    List<Value> branches = arguments.subList(1, 3);
    DType type = OracleTypes.resultType(branches.stream().map(Value::operand).toList());
    DType common =
        !number && branches.stream().allMatch(Value::number) && type == DType.F64
            ? DType.F32
            : type;
    OracleTensor condition = arguments.getFirst().tensor();
    List<OracleTensor> all =
        List.of(condition, convert(branches.get(0), common), convert(branches.get(1), common));
    int[] shape = broadcast(all);
    int count = OracleTensor.count(shape);
    double[] doubles = new double[common.isFloating() ? count : 0];
    long[] longs = new long[common.isFloating() ? 0 : count];
    for (int i = 0; i < count; i++) {
      int[] at = positions(all, shape, i);
      int chosen = condition.longs()[at[0]] != 0 ? 1 : 2;
      if (common.isFloating()) {
        doubles[i] = all.get(chosen).doubles()[at[chosen]];
      } else {
        longs[i] = all.get(chosen).longs()[at[chosen]];
      }
    }
    return common.isFloating()
        ? new OracleTensor(common, shape, doubles, null)
        : new OracleTensor(common, shape, null, longs);
  }

  private static int[] broadcast(List<OracleTensor> tensors) {
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
  private static int[] positions(List<OracleTensor> tensors, int[] shape, int position) {
    int[] coordinates = coordinates(shape, position);
    int[] positions = new int[tensors.size()];
    for (int k = 0; k < positions.length; k++) {
      int[] own = tensors.get(k).shape();
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

  private OracleTensor reduce(Expr.Reduce reduce) {
    Reducer reducer = reduce.reducer();
    OracleTensor argument = asTensor(value(reduce.argument()));
    OracleTensor x =
        switch (reducer) {
          case SUM, PROD -> argument.dtype().isFloating() ? argument : cast(argument, DType.I64);
          case ANY, ALL -> cast(argument, DType.BOOL);
          default -> argument;
        };
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
    return fold(reducer, reduce.parameter(), x, groups, shape);
  }

  private static boolean[] folded(List<Integer> axes, int rank) {
    boolean[] folded = new boolean[rank];
    Arrays.fill(folded, axes.isEmpty());
    for (int axis : rank == 0 ? List.<Integer>of() : axes) {
      folded[axis < 0 ? axis + rank : axis] = true;
    }
    return folded;
  }

  private static OracleTensor fold(
      Reducer reducer, double parameter, OracleTensor x, List<List<Integer>> groups, int[] shape) {
    boolean index = reducer == Reducer.ARGMAX || reducer == Reducer.ARGMIN;
    if (x.dtype().isFloating()) {
      double[][] elements =
          groups.stream()
              .map(group -> group.stream().mapToDouble(i -> x.doubles()[i]).toArray())
              .toArray(double[][]::new);
      if (!index) {
        return OracleTensor.floating(
            x.dtype(),
            shape,
            Arrays.stream(elements)
                .mapToDouble(e -> OracleReductions.floating(reducer, parameter, e))
                .toArray());
      }
      return OracleTensor.integral(
          DType.I64,
          shape,
          Arrays.stream(elements).mapToLong(e -> OracleReductions.argument(reducer, e)).toArray());
    }
    return OracleTensor.integral(
        index ? DType.I64 : x.dtype(),
        shape,
        groups.stream()
            .map(group -> group.stream().mapToLong(i -> x.longs()[i]).toArray())
            .mapToLong(
                e ->
                    index
                        ? OracleReductions.argument(reducer, e)
                        : OracleReductions.integral(reducer, e))
            .toArray());
  }
}

package io.gpuos.ir;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs kernels and plans node by node over small dense tensors, with the scalar functions of the
 * {@link Oracle}: shows that typing and planning keep the meaning of an expression.
 */
final class KernelInterpreter {

  /** A scalar: {@code floating} for floating types, else {@code integer}. */
  private record Scalar(double floating, long integer) {}

  private final Kernel kernel;
  private final List<OracleTensor> inputs;
  private final int[] shape;

  /** Results of the folds of a rows kernel, by node. */
  private final Map<Integer, OracleTensor> folded = new HashMap<>();

  private KernelInterpreter(Kernel kernel, List<OracleTensor> inputs, int[] shape) {
    this.kernel = kernel;
    this.inputs = inputs;
    this.shape = shape;
  }

  /** Runs the steps of a plan and returns its outputs. */
  static List<OracleTensor> run(ExpressionPlan plan, List<OracleTensor> inputs) {
    Map<ExpressionPlan.Source, OracleTensor> memory = new HashMap<>();
    for (int i = 0; i < inputs.size(); i++) {
      memory.put(new ExpressionPlan.Source.Input(i), inputs.get(i));
    }
    for (ExpressionPlan.Step step : plan.steps()) {
      run(plan, step, memory);
    }
    List<OracleTensor> outputs = new ArrayList<>();
    for (int i = 0; i < plan.outputs().size(); i++) {
      outputs.add(memory.get(new ExpressionPlan.Source.Output(i)));
    }
    return outputs;
  }

  private static void run(
      ExpressionPlan plan,
      ExpressionPlan.Step step,
      Map<ExpressionPlan.Source, OracleTensor> memory) {
    List<OracleTensor> inputs = new ArrayList<>();
    List<ExpressionPlan.Source> targets = new ArrayList<>();
    for (int k = 0; k < step.operands().size(); k++) {
      ExpressionPlan.Source source = step.operands().get(k);
      if (step.kernel().operands().get(k).role() == Kernel.Role.OUTPUT) {
        targets.add(source);
      } else {
        OracleTensor tensor = memory.get(source);
        if (tensor == null) {
          throw new AssertionError("read before written: " + source);
        }
        inputs.add(step.squeezed().contains(k) ? unsqueezed(tensor, step) : tensor);
      }
    }
    KernelInterpreter interpreter =
        new KernelInterpreter(step.kernel(), inputs, ints(step.shape()));
    interpreter.foldAll(step.axes());
    for (int i = 0; i < targets.size(); i++) {
      int[] target = ints(plan.type(targets.get(i)).shape());
      OracleTensor result =
          switch (step.kernel()) {
            case Kernel.Elementwise elementwise ->
                interpreter.values(elementwise.stores().get(i).node(), target, true);
            case Kernel.Reduction reduction -> interpreter.fold(reduction, step.axes(), target);
            case Kernel.Rows rows -> {
              Kernel.Store store = rows.stores().get(i);
              OracleTensor all = interpreter.values(store.node(), ints(step.shape()), true);
              yield rows.isPerRow(store)
                  ? interpreter.firstOfRows(all, step.axes(), target)
                  : new OracleTensor(all.dtype(), target, all.doubles(), all.longs());
            }
            case Kernel.Contraction _,
                Kernel.Attention _,
                Kernel.Gather _,
                Kernel.Scan _,
                Kernel.Scatter _ ->
                throw new IllegalArgumentException("not interpreted: " + step.kernel());
          };
      if (memory.put(targets.get(i), result) != null) {
        throw new AssertionError("written twice: " + targets.get(i));
      }
    }
  }

  /** The tensor with a dimension of size 1 in the place of each folded axis. */
  private static OracleTensor unsqueezed(OracleTensor tensor, ExpressionPlan.Step step) {
    List<Integer> shape = new ArrayList<>();
    int rank = step.shape().size() - step.axes().size();
    for (int d = 0; d < rank - tensor.shape().length; d++) {
      shape.add(1);
    }
    Arrays.stream(tensor.shape()).forEach(shape::add);
    step.axes().forEach(axis -> shape.add(axis, 1));
    return new OracleTensor(
        tensor.dtype(),
        shape.stream().mapToInt(Integer::intValue).toArray(),
        tensor.doubles(),
        tensor.longs());
  }

  /** The elements at index 0 of every folded axis; rows without elements have none. */
  private OracleTensor firstOfRows(OracleTensor all, List<Integer> axes, int[] resultShape) {
    List<Integer> positions = new ArrayList<>();
    for (int position = 0; position < OracleTensor.count(shape); position++) {
      int left = position;
      boolean first = true;
      for (int d = shape.length - 1; d >= 0; d--) {
        first &= !axes.contains(d) || left % shape[d] == 0;
        left /= shape[d];
      }
      if (first) {
        positions.add(position);
      }
    }
    return all.dtype().isFloating()
        ? new OracleTensor(
            all.dtype(),
            resultShape,
            positions.stream().mapToDouble(p -> all.doubles()[p]).toArray(),
            null)
        : new OracleTensor(
            all.dtype(),
            resultShape,
            null,
            positions.stream().mapToLong(p -> all.longs()[p]).toArray());
  }

  private static int[] ints(List<Long> shape) {
    return shape.stream().mapToInt(Long::intValue).toArray();
  }

  /** The value of a node at every position; rounded to its type if it is stored. */
  private OracleTensor values(int node, int[] resultShape, boolean stored) {
    DType type = kernel.nodes().get(node).type();
    int count = OracleTensor.count(shape);
    double[] floating = new double[type.isFloating() ? count : 0];
    long[] integers = new long[type.isFloating() ? 0 : count];
    for (int position = 0; position < count; position++) {
      Scalar value = evaluate(position).get(node);
      if (type.isFloating()) {
        floating[position] = stored ? OracleTypes.round(type, value.floating()) : value.floating();
      } else {
        integers[position] = value.integer();
      }
    }
    return type.isFloating()
        ? new OracleTensor(type, resultShape, floating, null)
        : new OracleTensor(type, resultShape, null, integers);
  }

  private OracleTensor fold(Kernel.Reduction reduction, List<Integer> axes, int[] resultShape) {
    OracleTensor values = values(reduction.value(), shape, false);
    Expr reduce =
        new Expr.Reduce(reduction.reducer(), Expr.input("x"), axes, false, reduction.parameter());
    OracleTensor folded =
        axes.isEmpty() && shape.length > 0
            ? new OracleTensor(values.dtype(), resultShape, values.doubles(), values.longs())
            : Oracle.evaluate(reduce, Map.of("x", values));
    return new OracleTensor(folded.dtype(), resultShape, folded.doubles(), folded.longs());
  }

  /** Folds for all rows, in order, each rounded to its type. */
  private void foldAll(List<Integer> axes) {
    for (int node = 0; node < kernel.nodes().size(); node++) {
      if (kernel.nodes().get(node) instanceof Node.Fold fold) {
        OracleTensor values = values(fold.argument(), shape, false);
        Expr reduce =
            new Expr.Reduce(fold.reducer(), Expr.input("x"), axes, true, fold.parameter());
        folded.put(node, Oracle.evaluate(reduce, Map.of("x", values)));
      }
    }
  }

  private List<Scalar> evaluate(int position) {
    List<Scalar> values = new ArrayList<>();
    for (Node node : kernel.nodes()) {
      if (node instanceof Node.Fold fold) {
        OracleTensor results = folded.get(values.size());
        // One that is not done yet is not asked for.
        Scalar result = results == null ? new Scalar(0, 0) : load(results, position);
        values.add(
            fold.type().isFloating()
                ? new Scalar(OracleTypes.round(fold.type(), result.floating()), 0)
                : result);
        continue;
      }
      values.add(
          switch (node) {
            case Node.Load(int operand, _) -> load(inputs.get(operand), position);
            case Node.Constant(DType type, long bits) ->
                type.isFloating()
                    ? new Scalar(Double.longBitsToDouble(bits), 0)
                    : new Scalar(0, bits);
            case Node.Convert(DType type, int argument) ->
                convert(kernel.nodes().get(argument).type(), values.get(argument), type);
            case Node.Foreign foreign -> throw new IllegalArgumentException(foreign.toString());
            case Node.Fold fold -> throw new IllegalArgumentException(fold.toString());
            case Node.Apply(Function function, DType type, List<Integer> arguments) ->
                apply(function, type, arguments, values);
          });
    }
    return values;
  }

  private Scalar load(OracleTensor tensor, int position) {
    int left = position;
    int index = 0;
    int stride = 1;
    for (int d = 1; d <= shape.length; d++) {
      int coordinate = left % shape[shape.length - d];
      left /= shape[shape.length - d];
      int size = d <= tensor.shape().length ? tensor.shape()[tensor.shape().length - d] : 1;
      index += size == 1 ? 0 : coordinate * stride;
      stride *= size;
    }
    return tensor.dtype().isFloating()
        ? new Scalar(tensor.doubles()[index], 0)
        : new Scalar(0, tensor.longs()[index]);
  }

  private static Scalar convert(DType from, Scalar value, DType to) {
    OracleTensor tensor =
        from.isFloating()
            ? new OracleTensor(from, new int[0], new double[] {value.floating()}, null)
            : new OracleTensor(from, new int[0], null, new long[] {value.integer()});
    OracleTensor converted =
        Oracle.evaluate(new Expr.Cast(to, Expr.input("x")), Map.of("x", tensor));
    return to.isFloating()
        ? new Scalar(converted.doubles()[0], 0)
        : new Scalar(0, converted.longs()[0]);
  }

  private Scalar apply(
      Function function, DType type, List<Integer> arguments, List<Scalar> values) {
    List<Scalar> x = arguments.stream().map(values::get).toList();
    if (function == Function.WHERE) {
      return x.getFirst().integer() != 0 ? x.get(1) : x.get(2);
    }
    DType common = kernel.nodes().get(arguments.getFirst()).type();
    if (!common.isFloating()) {
      long[] integers = x.stream().mapToLong(Scalar::integer).toArray();
      return new Scalar(
          0, OracleTypes.wrap(type, OracleFunctions.integral(function, common, integers)));
    }
    double[] doubles = x.stream().mapToDouble(Scalar::floating).toArray();
    return type == DType.BOOL
        ? new Scalar(0, OracleFunctions.test(function, doubles) ? 1 : 0)
        : new Scalar(OracleTypes.computed(type, OracleFunctions.floating(function, doubles)), 0);
  }

  /** Whether two tensors agree, up to a relative error, NaN with NaN. */
  static boolean close(OracleTensor a, OracleTensor b, double tolerance) {
    if (a.dtype() != b.dtype() || !Arrays.equals(a.shape(), b.shape())) {
      return false;
    }
    for (int i = 0; i < a.count(); i++) {
      double x = a.doubleAt(i);
      double y = b.doubleAt(i);
      boolean same = Double.compare(x, y) == 0 || x == y;
      if (!same && !(Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y)))) {
        return false;
      }
    }
    return true;
  }
}

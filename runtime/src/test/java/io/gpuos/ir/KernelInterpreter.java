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
        inputs.add(tensor);
      }
    }
    KernelInterpreter interpreter =
        new KernelInterpreter(step.kernel(), inputs, ints(step.shape()));
    for (int i = 0; i < targets.size(); i++) {
      int[] target = ints(plan.type(targets.get(i)).shape());
      OracleTensor result =
          switch (step.kernel()) {
            case Kernel.Elementwise elementwise ->
                interpreter.values(elementwise.stores().get(i).node(), target, true);
            case Kernel.Reduction reduction -> interpreter.fold(reduction, step.axes(), target);
            case Kernel.Contraction _ ->
                throw new IllegalArgumentException("not interpreted: " + step.kernel());
          };
      if (memory.put(targets.get(i), result) != null) {
        throw new AssertionError("written twice: " + targets.get(i));
      }
    }
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

  private List<Scalar> evaluate(int position) {
    List<Scalar> values = new ArrayList<>();
    for (Node node : kernel.nodes()) {
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

package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * A reduction split into an elementwise expression and a fold of its values. What the reducer does
 * to each single value (the powers of a norm, the truth values of any and all) becomes part of the
 * expression, where it is vectorised and few folds are left.
 *
 * @param values stores the values to fold to the output's slot, as F64 or I64
 * @param fold folds them
 */
record ReductionPlan(Kernel.Elementwise values, Fold fold) {

  static ReductionPlan of(Kernel.Reduction kernel) {
    return new Lowering(kernel).plan();
  }

  /** Appends nodes to a kernel's; the last one appended is the value to fold. */
  private static final class Lowering {

    private final Kernel.Reduction kernel;
    private final List<Node> nodes;
    private final boolean floating;
    private int value;

    Lowering(Kernel.Reduction kernel) {
      this.kernel = kernel;
      this.nodes = new ArrayList<>(kernel.nodes());
      this.value = kernel.value();
      this.floating = nodes.get(value).type().isFloating();
    }

    ReductionPlan plan() {
      Fold fold = fold();
      convert(fold.valueType() == ComputeType.DOUBLE ? DType.F64 : DType.I64);
      int output = kernel.operands().size() - 1;
      List<Kernel.Operand> operands = new ArrayList<>(kernel.operands());
      operands.set(output, new Kernel.Operand(Kernel.Role.OUTPUT, nodes.get(value).type()));
      List<Kernel.Store> stores = List.of(new Kernel.Store(output, value));
      return new ReductionPlan(new Kernel.Elementwise(operands, nodes, stores), fold);
    }

    private Fold fold() {
      return switch (kernel.reducer()) {
        case SUM -> floating ? new DoubleFolds.Sum((sum, _) -> sum) : new LongFolds.Sum();
        case MEAN -> new DoubleFolds.Sum((sum, count) -> sum / count);
        case PROD -> floating ? new DoubleFolds.Product() : new LongFolds.Product();
        case MAX ->
            floating
                ? new DoubleFolds.Extremum(1, Double.NEGATIVE_INFINITY)
                : new LongFolds.Maximum(Long.MIN_VALUE);
        case MIN ->
            floating
                ? new DoubleFolds.Extremum(-1, Double.POSITIVE_INFINITY)
                : new LongFolds.Minimum(Long.MAX_VALUE);
        case ARGMAX -> floating ? new DoubleFolds.ArgExtremum(1) : new LongFolds.ArgExtremum(true);
        case ARGMIN ->
            floating ? new DoubleFolds.ArgExtremum(-1) : new LongFolds.ArgExtremum(false);
        case ANY -> {
          convert(DType.BOOL);
          yield new LongFolds.Maximum(0);
        }
        case ALL -> {
          convert(DType.BOOL);
          yield new LongFolds.Minimum(1);
        }
        case NORM -> norm(kernel.parameter());
        case VAR, STD ->
            new DoubleFolds.Variance(kernel.parameter(), kernel.reducer() == Reducer.STD);
      };
    }

    /** The vector norm of an order: (sum of |x|^order)^(1/order), and its limits. */
    private Fold norm(double order) {
      convert(DType.F64);
      if (order == 0) {
        int element = value;
        append(new Node.Constant(DType.F64, Double.doubleToRawLongBits(0)));
        append(new Node.Apply(Function.NE, DType.BOOL, List.of(element, value)));
        return new DoubleFolds.Sum((sum, _) -> sum);
      }
      if (order == 2) {
        append(new Node.Apply(Function.MUL, DType.F64, List.of(value, value)));
        return new DoubleFolds.Sum((sum, _) -> Math.sqrt(sum));
      }
      append(new Node.Apply(Function.ABS, DType.F64, List.of(value)));
      if (Double.isInfinite(order)) {
        return order > 0
            ? new DoubleFolds.Extremum(1, 0)
            : new DoubleFolds.Extremum(-1, Double.POSITIVE_INFINITY);
      }
      if (order == 1) {
        return new DoubleFolds.Sum((sum, _) -> sum);
      }
      int size = value;
      append(new Node.Constant(DType.F64, Double.doubleToRawLongBits(order)));
      append(new Node.Apply(Function.POW, DType.F64, List.of(size, value)));
      return new DoubleFolds.Sum((sum, _) -> Math.pow(sum, 1 / order));
    }

    private void convert(DType type) {
      if (nodes.get(value).type() != type) {
        append(new Node.Convert(type, value));
      }
    }

    private void append(Node node) {
      nodes.add(node);
      value = nodes.size() - 1;
    }
  }
}

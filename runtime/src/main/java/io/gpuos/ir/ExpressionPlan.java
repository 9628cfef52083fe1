package io.gpuos.ir;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What to run for an expression over inputs of given types and shapes: steps in order, each of them
 * one kernel over one iteration space. Immutable; depends on types and shapes only, so one plan
 * serves every call with the same ones.
 *
 * <p>Elementwise work on a matrix product is part of its kernel, where nothing else needs the
 * product itself; factors lie in memory.
 *
 * <p>So it is with attention, and with elements that an index picks: factors and masks, source and
 * index lie in memory.
 *
 * <p>What writes by an index has two steps: one computes what it writes to, the other writes.
 *
 * <p>Elementwise work before a reduction is part of the reduction's kernel. So is work after it,
 * and further reductions, as long as everything goes over the same rows: see {@link Kernel.Rows}.
 * Other work after a reduction is a later step that reads the result by broadcasting. Equal
 * subexpressions are computed once. An expression that is too large for one kernel is split through
 * temporaries. A temporary holds its own type, so it rounds like a PyTorch tensor between two
 * operators; and so does the result of a reduction, whether it is stored or not.
 *
 * @param inputs types of the inputs, in the caller's order, also of those that no step reads
 * @param temporaries types of the tensors to provide while the steps run; each is written as a
 *     whole before it is read
 * @param outputs types of the results
 * @param steps to be run as if one after the other
 */
public record ExpressionPlan(
    List<TensorType> inputs,
    List<TensorType> temporaries,
    List<TensorType> outputs,
    List<Step> steps) {

  /** Nodes of a kernel at most; larger expressions are split. */
  public static final int MAX_NODES = 256;

  /** The tensor behind an operand. */
  public sealed interface Source {
    /** Input of the expression. */
    record Input(int index) implements Source {}

    /** Tensor that an earlier step wrote, or this one writes, for later ones. */
    record Temporary(int index) implements Source {}

    /** Result of the expression; a later step may read it. */
    record Output(int index) implements Source {}
  }

  /**
   * One kernel and what it runs on. Every operand that is read broadcasts to {@code shape}, but for
   * the {@link Kernel#factors} of products, attention and picked elements, which are as they were
   * written: the others broadcast to the result. The operands of a {@link Kernel.Scatter} are as
   * they were written too; it leaves what its output holds where the index names nothing.
   *
   * @param operands the tensor of each of the kernel's operands, in the kernel's order
   * @param shape of the iteration space: that of the result for elementwise kernels, that of the
   *     folded value for reductions; for a matrix product that of the result, then the size that is
   *     summed over; for picked elements that of the result, then the size of the source's axis;
   *     for attention that of the result, then the number of keys
   * @param axes for picked elements the axis of the source, and for written ones that of the
   *     output, whose shape is {@code shape}; for a matrix product the axis of the second factor
   *     that is summed over, one of its last two; otherwise the reduced axes of {@code shape},
   *     ascending; empty for elementwise kernels and for the reduction of a tensor without
   *     dimensions. The result of a reduction has these axes left out or of size 1.
   * @param squeezed operands of a rows kernel whose tensors have the reduced axes left out; they
   *     broadcast to {@code shape} without these
   */
  public record Step(
      Kernel kernel,
      List<Source> operands,
      List<Long> shape,
      List<Integer> axes,
      Set<Integer> squeezed) {
    public Step {
      operands = List.copyOf(operands);
      shape = List.copyOf(shape);
      axes = List.copyOf(axes);
      squeezed = Set.copyOf(squeezed);
      Verifier.verify(kernel);
    }

    /** A step without squeezed operands. */
    public Step(Kernel kernel, List<Source> operands, List<Long> shape, List<Integer> axes) {
      this(kernel, operands, shape, axes, Set.of());
    }

    /**
     * Whether an output may not be the very same tensor as an input of this step: an element may be
     * written before one that lies at another position is read.
     */
    private boolean readsBesideWrites(Source input, Source output) {
      return switch (kernel) {
        case Kernel.Elementwise _ -> false;
        case Kernel.Reduction _, Kernel.Scan _, Kernel.Scatter _ -> true;
        // What is computed of a product reads the elements at the position it then writes.
        case Kernel.Contraction _, Kernel.Attention _, Kernel.Gather _ ->
            operands.subList(0, kernel.factors()).contains(input);
        case Kernel.Rows rows -> {
          int written = operands.indexOf(output);
          yield IntStream.range(0, operands.size())
              .filter(k -> operands.get(k).equals(input))
              .anyMatch(
                  k ->
                      rows.perRow().contains(k) != rows.perRow().contains(written)
                          || squeezed.contains(k) != squeezed.contains(written));
        }
      };
    }
  }

  public ExpressionPlan {
    inputs = List.copyOf(inputs);
    temporaries = List.copyOf(temporaries);
    outputs = List.copyOf(outputs);
    steps = List.copyOf(steps);
  }

  /**
   * Types, shapes and steps of an expression.
   *
   * @param outputs at least one
   * @param inputs type of each named tensor; {@link Source.Input#index} counts in this order
   * @throws ExpressionException if a name is not among the inputs, or a function is misused
   * @throws DTypeException if a function has no meaning for its types
   * @throws ShapeException if shapes do not broadcast, an axis does not exist or a size overflows
   */
  public static ExpressionPlan of(List<Expr> outputs, SequencedMap<String, TensorType> inputs) {
    if (outputs.isEmpty()) {
      throw new ExpressionException("no output: count=0, expected=at least one expression");
    }
    Typer.Typed typed = Typer.type(outputs, inputs);
    return new Planner(typed.graph(), typed.outputs()).plan(new ArrayList<>(inputs.values()));
  }

  /**
   * Whether an output may not be the very same tensor, of the same layout, as an input: the input
   * is read after the output is written, or beside that in a kernel that does not read each element
   * before it writes the one at its position.
   *
   * @param steps in order, those of a plan
   */
  public static boolean readsAfterWrite(List<Step> steps, int output, int input) {
    Source read = new Source.Input(input);
    Source write = new Source.Output(output);
    boolean written = false;
    for (Step step : steps) {
      boolean writes = step.operands().contains(write);
      if (step.operands().contains(read)
          && (written || writes && step.readsBesideWrites(read, write))) {
        return true;
      }
      written |= writes;
    }
    return false;
  }

  /** Type and shape of the tensor behind an operand. */
  public TensorType type(Source source) {
    return switch (source) {
      case Source.Input(int index) -> inputs.get(index);
      case Source.Temporary(int index) -> temporaries.get(index);
      case Source.Output(int index) -> outputs.get(index);
    };
  }
}

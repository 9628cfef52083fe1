package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.Set;

/**
 * What an operator computes that can be replaced while it is used: one expression that is one
 * kernel, elementwise work or a single reduction of it, whatever its types. Its kernels list every
 * input once, in the order of the operator's inputs, and then the result; so a task written for one
 * definition is a task for any other of the same {@link #requireSameForm form}.
 */
public final class Definition {

  private final Expr expression;
  private final List<String> inputs;

  private Definition(Expr expression, List<String> inputs) {
    this.expression = expression;
    this.inputs = inputs;
  }

  /**
   * A definition whose inputs are numbered in order of first appearance.
   *
   * @param name of the operator, for messages
   * @throws ExpressionException if the expression is not one kernel
   */
  public static Definition of(String name, Expr expression) {
    List<Expr> nodes = ExprGraph.postOrder(List.of(expression));
    for (Expr node : nodes) {
      if (node instanceof Expr.Reduce && node != expression) {
        throw notOneKernel(
            name, "expression=" + expression, "no reduction, or one as the last operation");
      }
    }
    if (nodes.stream().anyMatch(Expr.MatMul.class::isInstance)) {
      throw notOneKernel(name, "expression=" + expression, "no matrix product");
    }
    if (nodes.stream().anyMatch(Expr.Attention.class::isInstance)) {
      throw notOneKernel(name, "expression=" + expression, "no attention");
    }
    if (nodes.stream().anyMatch(Expr.Pick.class::isInstance)) {
      throw notOneKernel(name, "expression=" + expression, "no indexed read");
    }
    if (nodes.stream().anyMatch(Expr.ArrayCall.class::isInstance)) {
      throw notOneKernel(name, "expression=" + expression, "no function of whole tensors");
    }
    List<String> inputs = List.copyOf(Expr.inputNames(List.of(expression)));
    if (inputs.size() > Kernel.MAX_INPUTS) {
      throw notOneKernel(
          name,
          "inputs=" + inputs.size(),
          String.format(Locale.ROOT, "at most %d inputs", Kernel.MAX_INPUTS));
    }
    if (nodes.size() > ExpressionPlan.MAX_NODES) {
      throw notOneKernel(
          name,
          "parts=" + nodes.size(),
          String.format(Locale.ROOT, "at most %d parts", ExpressionPlan.MAX_NODES));
    }
    return new Definition(expression, inputs);
  }

  private static ExpressionException notOneKernel(String name, String fault, String expected) {
    return new ExpressionException(
        "not one kernel: operator=%s, %s, expected=%s; inject its parts, or use Operator.of"
            .formatted(name, fault, expected));
  }

  /** What is computed. */
  public Expr expression() {
    return expression;
  }

  /** Names of the inputs, in the order tensors are passed. */
  public List<String> inputs() {
    return inputs;
  }

  /**
   * The same definition with the inputs in the order of another, which it may replace.
   *
   * @param name of the operator, for messages
   * @throws ExpressionException if other inputs are named, or one is a reduction and the other is
   *     not, or reduces other axes
   */
  public Definition requireSameForm(String name, Definition other) {
    if (!Set.copyOf(inputs).equals(Set.copyOf(other.inputs))) {
      throw new ExpressionException(
          "inputs of a replacement: operator=%s, inputs=%s, expected=%s"
              .formatted(name, inputs, other.inputs));
    }
    if (!form().equals(other.form())) {
      throw new ExpressionException(
          "form of a replacement: operator=%s, form=%s, expected=%s"
              .formatted(name, form(), other.form()));
    }
    return new Definition(expression, other.inputs);
  }

  /** What a task depends on besides its operands. */
  private String form() {
    if (!(expression instanceof Expr.Reduce reduce)) {
      return "elementwise";
    }
    Set<Integer> axes = new HashSet<>(reduce.axes());
    return "reduction over %s, keepdim=%s"
        .formatted(
            axes.isEmpty() ? "all axes" : "axes " + axes.stream().sorted().toList(),
            reduce.keepdim());
  }

  /**
   * The one step that computes this.
   *
   * @param types of the inputs, in their order
   * @param stored type of the result as it is stored, a conversion of the expression's
   * @throws ExpressionException if these types take more than one kernel
   * @throws io.gpuos.error.DTypeException if the expression has no meaning for the types
   * @throws ShapeException if the shapes do not fit
   */
  public ExpressionPlan.Step step(
      String name, SequencedMap<String, TensorType> types, DType stored) {
    ExpressionPlan plan = ExpressionPlan.of(List.of(expression), types);
    if (plan.outputs().getFirst().dtype() != stored) {
      plan = ExpressionPlan.of(List.of(new Expr.Cast(stored, expression)), types);
    }
    if (plan.steps().size() != 1 || plan.steps().getFirst().kernel() instanceof Kernel.Rows) {
      throw notOneKernel(
          name,
          "types=%s, result=%s".formatted(List.copyOf(types.values()), TypeNames.shortName(stored)),
          "fewer parts, and for a reduction its own type of result");
    }
    return inOrder(plan.steps().getFirst(), List.copyOf(types.values()));
  }

  /** Type and shape of the result for inputs of these types. */
  public TensorType result(SequencedMap<String, TensorType> types) {
    return ExpressionPlan.of(List.of(expression), types).outputs().getFirst();
  }

  /** The step with every input as an operand, in order. */
  private static ExpressionPlan.Step inOrder(ExpressionPlan.Step step, List<TensorType> inputs) {
    List<Kernel.Operand> operands = new ArrayList<>();
    List<Source> sources = new ArrayList<>();
    for (int k = 0; k < inputs.size(); k++) {
      operands.add(new Kernel.Operand(Kernel.Role.INPUT, inputs.get(k).dtype()));
      sources.add(new Source.Input(k));
    }
    operands.add(step.kernel().operands().getLast());
    sources.add(step.operands().getLast());
    List<Kernel.Node> nodes = new ArrayList<>();
    for (Kernel.Node node : step.kernel().nodes()) {
      nodes.add(
          node instanceof Kernel.Node.Load(int operand, DType type)
              ? new Kernel.Node.Load(sources.indexOf(step.operands().get(operand)), type)
              : node);
    }
    Kernel kernel =
        switch (step.kernel()) {
          case Kernel.Elementwise elementwise ->
              new Kernel.Elementwise(
                  operands,
                  nodes,
                  List.of(
                      new Kernel.Store(
                          operands.size() - 1, elementwise.stores().getFirst().node())));
          case Kernel.Reduction(_, _, var reducer, int value, double parameter) ->
              new Kernel.Reduction(operands, nodes, reducer, value, parameter);
          case Kernel.Rows _ -> throw new IllegalArgumentException("step=" + step);
          case Kernel.Contraction _,
              Kernel.Attention _,
              Kernel.Gather _,
              Kernel.Scan _,
              Kernel.Scatter _ ->
              throw new IllegalStateException("not refused: kernel=" + step.kernel());
        };
    return new ExpressionPlan.Step(kernel, sources, step.shape(), step.axes());
  }

  @Override
  public String toString() {
    return expression.toString();
  }
}

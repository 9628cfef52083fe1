package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.schedule.Node;
import io.gpuos.schedule.Place;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Compares what a step computes with the tensors that PyTorch had for it. */
final class StepCheck {

  private StepCheck() {}

  /**
   * @param exact whether types have to be equal; else a type of the same kind or a higher one is
   *     converted to
   * @return the step as a node of a program
   * @throws Refused if shapes or types differ
   * @throws io.gpuos.error.GpuosException if the expressions have no meaning
   */
  static Node check(Step step, boolean exact) {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    Map<String, Place> places = new LinkedHashMap<>();
    for (String name : Expr.inputNames(step.values())) {
      AtenTensor input = step.inputs().get(name);
      types.put(name, TensorType.of(input.dtype(), input.shape()));
      places.put(name, place(input));
    }
    List<TensorType> computed = ExpressionPlan.of(step.values(), types).outputs();
    for (int k = 0; k < computed.size(); k++) {
      check(computed.get(k), step.targets().get(k), exact);
    }
    List<Place> targets = step.targets().stream().map(StepCheck::place).toList();
    return Node.of(step.values(), places, targets, 1, Node.FREE);
  }

  private static Place place(AtenTensor tensor) {
    return new Place(tensor.storage(), tensor.offset(), tensor.layout());
  }

  private static void check(TensorType computed, AtenTensor target, boolean exact) {
    if (!target.hasShape(computed.shape())) {
      throw new Refused(
          "PyTorch's result has another shape: computed=%s, result=%s"
              .formatted(computed.shape(), target));
    }
    DType dtype = target.dtype();
    boolean fits =
        exact
            ? dtype == computed.dtype()
            : dtype.category().compareTo(computed.dtype().category()) >= 0;
    if (!fits) {
      throw new Refused(
          "PyTorch's result has another type: computed=%s, result=%s"
              .formatted(computed.dtype(), dtype));
    }
    if (target.layout().hasInternalOverlap()) {
      throw new Refused("result overlaps itself: " + target);
    }
  }
}

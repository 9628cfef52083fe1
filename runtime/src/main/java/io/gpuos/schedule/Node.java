package io.gpuos.schedule;

import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.layout.Overlap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * One operation of a program.
 *
 * @param expressions what is stored to each output, in the output's own type
 * @param inputs the place of each named input, in the order of their first appearance; of an
 *     operator that runs as it is, in that operator's order, which a replacement keeps
 * @param outputs one place for each expression
 * @param operations how many recorded operations it computes
 * @param fixed number of the recorded operator it has to run as it is, or {@link #FREE}
 * @param plan of the expressions; its inputs are in the order of {@code inputs}
 */
public record Node(
    List<Expr> expressions,
    SequencedMap<String, Place> inputs,
    List<Place> outputs,
    int operations,
    int fixed,
    ExpressionPlan plan) {

  /** The node may run any operator that computes its expressions. */
  public static final int FREE = -1;

  public Node {
    expressions = List.copyOf(expressions);
    inputs = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(inputs));
    outputs = List.copyOf(outputs);
  }

  /**
   * A node that stores each expression, converted to the output's type if need be.
   *
   * @param places of the inputs; others are ignored. For an operator that runs as it is, those of
   *     its inputs in its order.
   * @throws io.gpuos.error.GpuosException if the expressions have no meaning for the inputs
   */
  public static Node of(
      List<Expr> expressions,
      Map<String, Place> places,
      List<Place> outputs,
      int operations,
      int fixed) {
    SequencedMap<String, Place> inputs = new LinkedHashMap<>();
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    Collection<String> names = fixed == FREE ? Expr.inputNames(expressions) : places.keySet();
    for (String name : names) {
      Place place = places.get(name);
      inputs.put(name, place);
      types.put(name, TensorType.of(place.layout().dtype(), place.layout().shape()));
    }
    ExpressionPlan plan = ExpressionPlan.of(expressions, types);
    List<Expr> stored = new ArrayList<>();
    for (int k = 0; k < outputs.size(); k++) {
      DType wanted = outputs.get(k).layout().dtype();
      boolean same = plan.outputs().get(k).dtype() == wanted;
      stored.add(same ? expressions.get(k) : new Expr.Cast(wanted, expressions.get(k)));
    }
    if (!stored.equals(expressions)) {
      plan = ExpressionPlan.of(stored, types);
    }
    return new Node(stored, inputs, outputs, operations, fixed, plan);
  }

  boolean free() {
    return fixed == FREE;
  }

  /** Places read. */
  public Collection<Place> reads() {
    return inputs.values();
  }

  boolean readsAny(Place place) {
    return reads().stream().anyMatch(place::meets);
  }

  boolean writesAny(Place place) {
    return outputs.stream().anyMatch(place::meets);
  }

  /** Whether it is one elementwise kernel. */
  boolean elementwise() {
    return plan.steps().size() == 1
        && plan.steps().getFirst().kernel() instanceof Kernel.Elementwise;
  }

  /** Whether it is one kernel of a product, attention or picked elements, with what follows. */
  boolean product() {
    return plan.steps().size() == 1 && plan.steps().getFirst().kernel().factors() > 0;
  }

  /** The same node without the outputs that are not in {@code kept}. */
  Node only(List<Integer> kept) {
    if (kept.size() == outputs.size()) {
      return this;
    }
    List<Expr> exprs = kept.stream().map(expressions::get).toList();
    return of(exprs, inputs, kept.stream().map(outputs::get).toList(), operations, fixed);
  }

  /**
   * Which operands share memory in a way that would change the result, in words: outputs that
   * overlap, or an output whose memory is read after, or at another index than, it is written.
   */
  public Optional<String> conflict() {
    for (int o = 0; o < outputs.size(); o++) {
      for (int other = 0; other < o; other++) {
        if (outputs.get(o).meets(outputs.get(other))) {
          return Optional.of(String.format(Locale.ROOT, "outputs=%d and %d", other, o));
        }
      }
      int i = 0;
      for (String name : inputs.sequencedKeySet()) {
        Overlap overlap = outputs.get(o).overlap(inputs.get(name));
        if (overlap == Overlap.PARTIAL
            || overlap == Overlap.IDENTICAL && ExpressionPlan.readsAfterWrite(plan.steps(), o, i)) {
          return Optional.of(String.format(Locale.ROOT, "output=%d, input=%s", o, name));
        }
        i++;
      }
    }
    return Optional.empty();
  }
}

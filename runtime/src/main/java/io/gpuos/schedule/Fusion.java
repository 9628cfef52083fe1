package io.gpuos.schedule;

import io.gpuos.error.GpuosException;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.ExpressionPlan.Step;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Substitution;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Puts producers into their consumers: elementwise ones into any, matrix products, attention and
 * indexed reads into elementwise ones, which their kernels then compute of each result. A pair
 * becomes one node, in the consumer's place, if
 *
 * <ul>
 *   <li>the consumer reads exactly what the producer wrote, and nothing else of it;
 *   <li>no node between the two touches what the producer writes, or writes what it reads;
 *   <li>the consumer takes no more steps than before, and computes no value twice: one of its steps
 *       reads the result, over as many positions as it has;
 *   <li>if somebody else needs the result, both are one elementwise kernel, which stores it too.
 * </ul>
 *
 * <p>The numbers stay the same. Where a half type was rounded by being stored, the fused expression
 * converts to it; other types hold in a kernel exactly what they hold in memory. Only the order in
 * which a reduction adds may change, with the layouts of what it reads.
 */
final class Fusion {

  /** How many nodes back a producer is looked for. */
  private static final int WINDOW = 64;

  private final List<Buffer> buffers;
  private final List<Node> nodes;

  private Fusion(List<Buffer> buffers, List<Node> nodes) {
    this.buffers = buffers;
    this.nodes = new ArrayList<>(nodes);
  }

  static List<Node> fuse(List<Buffer> buffers, List<Node> nodes) {
    Fusion fusion = new Fusion(buffers, nodes);
    for (int consumer = 1; consumer < fusion.nodes.size(); consumer++) {
      consumer = fusion.fuseInto(consumer);
    }
    return fusion.nodes;
  }

  /** Fuses all producers that can be into a node; returns its index afterwards. */
  private int fuseInto(int index) {
    int consumer = index;
    for (int producer = consumer - 1; producer >= Math.max(0, consumer - WINDOW); producer--) {
      Optional<Node> fused = fused(producer, consumer);
      if (fused.isPresent()) {
        nodes.set(consumer, fused.get());
        nodes.remove(producer);
        consumer--;
        producer = consumer;
      }
    }
    return consumer;
  }

  private Optional<Node> fused(int producer, int consumer) {
    Node from = nodes.get(producer);
    Node to = nodes.get(consumer);
    if (!from.free() || !to.free() || !readsExactly(to, from)) {
      return Optional.empty();
    }
    if (!from.elementwise() && !(from.product() && to.elementwise())) {
      return Optional.empty();
    }
    if (!canMove(producer, consumer) || !everyOutputDependsOnInputs(from)) {
      return Optional.empty();
    }
    List<Integer> kept = kept(producer, consumer);
    Node merged;
    try {
      merged = merge(from, to, kept);
    } catch (GpuosException _) {
      return Optional.empty(); // exceeds a limit of the IR that the parts keep
    }
    return saves(from, to, merged, kept) && merged.conflict().isEmpty()
        ? Optional.of(merged)
        : Optional.empty();
  }

  /** Whether the consumer reads outputs of the producer, each as it was written. */
  private static boolean readsExactly(Node to, Node from) {
    boolean any = false;
    for (Place read : to.reads()) {
      if (from.outputs().contains(read)) {
        any = true;
      } else if (from.writesAny(read)) {
        return false;
      }
    }
    return any;
  }

  /** Whether the producer would see and do the same right before the consumer. */
  private boolean canMove(int producer, int consumer) {
    Node from = nodes.get(producer);
    for (Node between : nodes.subList(producer + 1, consumer)) {
      for (Place read : from.reads()) {
        if (between.writesAny(read)) {
          return false;
        }
      }
      for (Place written : from.outputs()) {
        if (between.writesAny(written) || between.readsAny(written)) {
          return false;
        }
      }
    }
    return true;
  }

  /** An expression of literals alone would have a weaker type inside of another. */
  private static boolean everyOutputDependsOnInputs(Node from) {
    return from.expressions().stream()
        .noneMatch(expression -> Expr.inputNames(List.of(expression)).isEmpty());
  }

  /** The producer's outputs that somebody else needs. */
  private List<Integer> kept(int producer, int consumer) {
    List<Integer> kept = new ArrayList<>();
    List<Place> outputs = nodes.get(producer).outputs();
    for (int k = 0; k < outputs.size(); k++) {
      Place output = outputs.get(k);
      boolean overwritten = nodes.get(consumer).outputs().contains(output);
      boolean readLater =
          nodes.subList(consumer + 1, nodes.size()).stream()
              .anyMatch(node -> node.readsAny(output));
      if (!overwritten && (readLater || !buffers.get(output.buffer()).temporary())) {
        kept.add(k);
      }
    }
    return kept;
  }

  private static Node merge(Node from, Node to, List<Integer> kept) {
    SequencedMap<String, Place> inputs = new LinkedHashMap<>();
    Map<Place, Expr> names = new HashMap<>();
    List<Expr> produced =
        Substitution.apply(from.expressions(), named(from.inputs(), names, inputs));
    Map<Place, Expr> results = new HashMap<>(names);
    for (int k = 0; k < produced.size(); k++) {
      results.put(from.outputs().get(k), rounded(produced.get(k), from.outputs().get(k)));
    }
    List<Expr> expressions = new ArrayList<>();
    List<Place> outputs = new ArrayList<>();
    for (int k : kept) {
      expressions.add(produced.get(k));
      outputs.add(from.outputs().get(k));
    }
    expressions.addAll(Substitution.apply(to.expressions(), named(to.inputs(), results, inputs)));
    outputs.addAll(to.outputs());
    return Node.of(expressions, inputs, outputs, from.operations() + to.operations(), Node.FREE);
  }

  /**
   * What stands for each input: what {@code known} says of its place, or an input of that place.
   */
  private static Map<String, Expr> named(
      Map<String, Place> places, Map<Place, Expr> known, SequencedMap<String, Place> inputs) {
    Map<String, Expr> by = new HashMap<>();
    places.forEach(
        (name, place) ->
            by.put(
                name,
                known.computeIfAbsent(
                    place,
                    _ -> {
                      String fresh = "v" + inputs.size();
                      inputs.put(fresh, place);
                      return Expr.input(fresh);
                    })));
    return by;
  }

  /** The value as it is after a store and a load; a cast to its own type alone would do nothing. */
  private static Expr rounded(Expr value, Place stored) {
    DType type = stored.layout().dtype();
    return type == DType.F16 || type == DType.BF16
        ? new Expr.Cast(type, new Expr.Cast(DType.F32, value))
        : value;
  }

  private static boolean saves(Node from, Node to, Node merged, List<Integer> kept) {
    int inputs = merged.inputs().size();
    if (inputs > Kernel.MAX_INPUTS || inputs + merged.outputs().size() > Kernel.MAX_OPERANDS) {
      return false;
    }
    if (!kept.isEmpty()) {
      return to.elementwise() && merged.elementwise();
    }
    return merged.plan().steps().size() <= to.plan().steps().size()
        && merged.plan().temporaries().size() <= to.plan().temporaries().size()
        && readsOnce(to, from);
  }

  /** Whether one step reads the producer's results, once for each position they have. */
  private static boolean readsOnce(Node to, Node from) {
    ExpressionPlan plan = to.plan();
    long positions = results(from.plan().steps().getFirst());
    List<Place> places = List.copyOf(to.reads());
    int readers = 0;
    for (Step step : plan.steps()) {
      boolean reads =
          step.operands().stream()
              .anyMatch(
                  source ->
                      source instanceof Source.Input(int index)
                          && from.outputs().contains(places.get(index)));
      if (reads && results(step) != positions) {
        return false;
      }
      readers += reads ? 1 : 0;
    }
    return readers == 1;
  }

  /**
   * How often a step computes with what it reads. The shape of a product's step ends with what is
   * summed over, that of picked elements with the axis, that of attention with the keys, over which
   * nothing else is computed. A factor that is computed would be a step more, which is refused
   * before.
   */
  private static long results(Step step) {
    List<Long> shape = step.shape();
    int kept = shape.size() - (step.kernel().factors() > 0 ? 1 : 0);
    return shape.subList(0, kept).stream().reduce(1L, (a, b) -> a * b);
  }
}

package io.gpuos.schedule;

import io.gpuos.layout.Layout;
import io.gpuos.layout.Overlap;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * Proves a plan before it may run: edges have no cycle and run with the order of the nodes, every
 * two conflicting uses of memory are ordered by them, every operand lies inside of its memory, and
 * no temporary is written to by another while it is alive. Shares no code with what made the plan;
 * compares every pair of nodes. A failure is an error of this library, not of its user.
 */
public final class PlanValidator {

  /** Bytes that a node uses. {@code buffer} is -1 for memory inside of a node. */
  private record Use(int space, int buffer, long address, Layout layout, boolean write) {
    boolean meets(Use other) {
      return space == other.space
          && Overlap.between(address, layout, other.address, other.layout) != Overlap.DISJOINT;
    }
  }

  private final Plan plan;
  private final List<List<Use>> uses = new ArrayList<>();

  private PlanValidator(Plan plan) {
    this.plan = plan;
  }

  /**
   * @throws IllegalStateException naming the nodes and the rule that is broken
   */
  public static void validate(Plan plan) {
    PlanValidator validator = new PlanValidator(plan);
    validator.verifyBounds();
    BitSet[] before = validator.verifyAcyclic();
    validator.verifyHazards(before);
    validator.verifyLives();
  }

  // ---- memory
  // --------------------------------------------------------------------------------------

  private void verifyBounds() {
    for (int n = 0; n < plan.nodes().size(); n++) {
      List<Use> own = new ArrayList<>();
      for (Place place : plan.nodes().get(n).reads()) {
        own.add(use(n, place, false));
      }
      for (Place place : plan.nodes().get(n).outputs()) {
        own.add(use(n, place, true));
      }
      for (int t = 0; t < plan.scratch().get(n).size(); t++) {
        Slot slot = plan.scratch().get(n).get(t);
        long bytes = plan.nodes().get(n).plan().temporaries().get(t).count();
        bytes *= plan.nodes().get(n).plan().temporaries().get(t).dtype().bytes();
        check(bytes <= slot.bytes(), "temporary larger than its slot", n, n);
        check(inSlab(slot), "slot outside of the slab", n, n);
        own.add(new Use(Plan.SLAB, -1, slot.offset(), Plan.bytes(slot), true));
      }
      check(
          plan.scratch().get(n).size() == plan.nodes().get(n).plan().temporaries().size(),
          "temporary without a slot",
          n,
          n);
      uses.add(own);
    }
  }

  private Use use(int node, Place place, boolean write) {
    Buffer buffer = plan.buffers().get(place.buffer());
    check(
        place.layout().isZeroSize() || place.begin() >= 0 && place.end() <= buffer.bytes(),
        "operand outside of its buffer",
        node,
        node);
    if (buffer.kind() != Buffer.Kind.TEMPORARY) {
      return new Use(place.buffer(), place.buffer(), place.offset(), place.layout(), write);
    }
    Slot slot = plan.slots().get(place.buffer());
    check(buffer.bytes() <= slot.bytes(), "buffer larger than its slot", node, node);
    check(inSlab(slot), "slot outside of the slab", node, node);
    long address = slot.offset() + place.offset();
    return new Use(Plan.SLAB, place.buffer(), address, place.layout(), write);
  }

  private boolean inSlab(Slot slot) {
    return slot.offset() >= 0 && slot.offset() + slot.bytes() <= plan.slabBytes();
  }

  // ---- order
  // ---------------------------------------------------------------------------------------

  /** Removes nodes that wait for none, as long as there are some; the nodes before each node. */
  private BitSet[] verifyAcyclic() {
    int count = plan.nodes().size();
    int[] waiting = new int[count];
    BitSet[] before = new BitSet[count];
    for (int n = 0; n < count; n++) {
      before[n] = new BitSet(count);
    }
    List<List<Integer>> after = new ArrayList<>();
    plan.nodes().forEach(_ -> after.add(new ArrayList<>()));
    for (Edge edge : plan.edges()) {
      waiting[edge.to()]++;
      after.get(edge.from()).add(edge.to());
    }
    List<Integer> ready = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      if (waiting[n] == 0) {
        ready.add(n);
      }
    }
    for (int k = 0; k < ready.size(); k++) {
      int node = ready.get(k);
      for (int next : after.get(node)) {
        before[next].or(before[node]);
        before[next].set(node);
        if (--waiting[next] == 0) {
          ready.add(next);
        }
      }
    }
    for (int n = 0; n < count; n++) {
      check(waiting[n] == 0, "cycle of dependencies", n, n);
    }
    for (Edge edge : plan.edges()) {
      check(edge.from() < edge.to(), "dependency against the order", edge.from(), edge.to());
    }
    return before;
  }

  private void verifyHazards(BitSet[] before) {
    for (int later = 0; later < uses.size(); later++) {
      for (int earlier = 0; earlier < later; earlier++) {
        if (!before[later].get(earlier)) {
          check(!conflict(uses.get(earlier), uses.get(later)), "open hazard", earlier, later);
        }
      }
    }
  }

  private static boolean conflict(List<Use> earlier, List<Use> later) {
    for (Use a : earlier) {
      for (Use b : later) {
        if ((a.write() || b.write()) && a.meets(b)) {
          return true;
        }
      }
    }
    return false;
  }

  /** From the first write of a temporary to its last read, nobody else may write to its bytes. */
  private void verifyLives() {
    for (int first = 0; first < uses.size(); first++) {
      for (Use write : uses.get(first)) {
        if (write.space() == Plan.SLAB && write.write()) {
          verifyLife(first, write);
        }
      }
    }
  }

  private void verifyLife(int first, Use write) {
    int last = first;
    for (int n = first; write.buffer() >= 0 && n < uses.size(); n++) {
      for (Use use : uses.get(n)) {
        last = use.buffer() == write.buffer() && !use.write() ? n : last;
      }
    }
    for (int n = first; n <= last; n++) {
      for (Use other : uses.get(n)) {
        boolean stranger = write.buffer() < 0 ? other != write : other.buffer() != write.buffer();
        check(
            !(stranger && (other.write() || n == first) && other.meets(write)),
            "temporary overwritten while alive",
            first,
            n);
      }
    }
  }

  private static void check(boolean holds, String rule, int earlier, int later) {
    if (!holds) {
      throw new IllegalStateException(
          String.format(
              Locale.ROOT,
              "%s: nodes=%d and %d, expected=a plan that keeps the rules of PlanValidator",
              rule,
              earlier,
              later));
    }
  }
}

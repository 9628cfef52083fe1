package io.gpuos.schedule;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.util.List;

/**
 * What a program runs: nodes in order, memory for their temporaries, and which must wait for which.
 *
 * @param buffers as recorded; {@link Place#buffer} counts among them
 * @param nodes to be run as if one after the other
 * @param slots share of the slab of each buffer; {@link Slot#NONE} where it has none
 * @param scratch share of the slab of each temporary inside of each node
 * @param slabBytes size of the slab
 * @param edges sorted by the later node
 * @param recorded operations that were recorded
 */
public record Plan(
    List<Buffer> buffers,
    List<Node> nodes,
    List<Slot> slots,
    List<List<Slot>> scratch,
    long slabBytes,
    List<Edge> edges,
    int recorded) {

  /** Number of the slab where spaces of memory are counted. */
  static final int SLAB = -1;

  public Plan {
    buffers = List.copyOf(buffers);
    nodes = List.copyOf(nodes);
    slots = List.copyOf(slots);
    scratch = scratch.stream().map(List::copyOf).toList();
    edges = List.copyOf(edges);
  }

  /**
   * The validated plan of recorded nodes.
   *
   * @param fuse whether nodes may be joined
   */
  public static Plan of(List<Buffer> buffers, List<Node> recorded, boolean fuse) {
    List<Node> nodes = DeadCode.remove(buffers, recorded);
    if (fuse) {
      nodes = Fusion.fuse(buffers, nodes);
    }
    MemoryPlan memory = MemoryPlan.of(buffers, nodes);
    List<Slot> slots = memory.temporaries();
    List<Edge> edges = Hazards.edges(nodes, slots, memory.scratch());
    Plan plan =
        new Plan(
            buffers, nodes, slots, memory.scratch(), memory.slabBytes(), edges, recorded.size());
    PlanValidator.validate(plan);
    return plan;
  }

  /** A slot as a tensor of bytes. */
  static Layout bytes(Slot slot) {
    return Layout.contiguous(DType.U8, slot.bytes());
  }
}

package io.gpuos.schedule;

import io.gpuos.layout.Layout;
import io.gpuos.layout.Overlap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds which nodes must come one after the other: goes through them in order and compares each
 * with what was last written, and read since, in the same memory.
 */
final class Hazards {

  /** Bytes of a space that a node uses; spaces are buffers, and the slab. */
  record Use(int node, long address, Layout layout, boolean write) {
    boolean meets(Use other) {
      return Overlap.between(address, layout, other.address, other.layout) != Overlap.DISJOINT;
    }

    boolean covers(Use other) {
      return Overlap.between(address, layout, other.address, other.layout) == Overlap.IDENTICAL;
    }
  }

  private final Map<Integer, List<Use>> spaces = new HashMap<>();
  private final Map<Long, Edge> edges = new LinkedHashMap<>();

  private Hazards() {}

  static List<Edge> edges(List<Node> nodes, List<Slot> slots, List<List<Slot>> scratch) {
    Hazards hazards = new Hazards();
    for (int n = 0; n < nodes.size(); n++) {
      Node node = nodes.get(n);
      for (Place place : node.reads()) {
        hazards.add(n, place, slots.get(place.buffer()), false);
      }
      for (Place place : node.outputs()) {
        hazards.add(n, place, slots.get(place.buffer()), true);
      }
      for (Slot slot : scratch.get(n)) {
        hazards.add(Plan.SLAB, new Use(n, slot.offset(), Plan.bytes(slot), true));
      }
    }
    return List.copyOf(hazards.edges.values());
  }

  private void add(int node, Place place, Slot slot, boolean write) {
    boolean inSlab = slot != Slot.NONE;
    long address = inSlab ? slot.offset() + place.offset() : place.offset();
    add(inSlab ? Plan.SLAB : place.buffer(), new Use(node, address, place.layout(), write));
  }

  private void add(int space, Use use) {
    List<Use> uses = spaces.computeIfAbsent(space, _ -> new ArrayList<>());
    for (Use earlier : uses) {
      if (earlier.node() != use.node() && (earlier.write() || use.write()) && use.meets(earlier)) {
        add(earlier, use);
      }
    }
    if (use.write()) {
      // Whoever conflicts with these conflicts with the write as well, which comes after them.
      uses.removeIf(earlier -> earlier.node() != use.node() && use.covers(earlier));
    }
    uses.add(use);
  }

  private void add(Use earlier, Use use) {
    Edge.Kind kind =
        !use.write()
            ? Edge.Kind.READ_AFTER_WRITE
            : earlier.write() ? Edge.Kind.WRITE_AFTER_WRITE : Edge.Kind.WRITE_AFTER_READ;
    edges.putIfAbsent(
        (long) earlier.node() << 32 | use.node(), new Edge(earlier.node(), use.node(), kind));
  }
}

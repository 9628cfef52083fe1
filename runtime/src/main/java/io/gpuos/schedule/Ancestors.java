package io.gpuos.schedule;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;

/** Which nodes come before which whatever memory temporaries get: by the buffers they share. */
final class Ancestors {

  private final List<BitSet> before = new ArrayList<>();

  Ancestors(List<Node> nodes, int buffers) {
    List<Edge> edges =
        Hazards.edges(nodes, Collections.nCopies(buffers, Slot.NONE), noScratch(nodes));
    nodes.forEach(_ -> before.add(new BitSet()));
    // Sorted by the later node, so all that come before the earlier one are known by then.
    for (Edge edge : edges) {
      before.get(edge.to()).or(before.get(edge.from()));
      before.get(edge.to()).set(edge.from());
    }
  }

  private static List<List<Slot>> noScratch(List<Node> nodes) {
    return Collections.nCopies(nodes.size(), List.of());
  }

  /** Whether {@code earlier} is complete before {@code later} starts. */
  boolean precedes(int earlier, int later) {
    return before.get(later).get(earlier);
  }
}

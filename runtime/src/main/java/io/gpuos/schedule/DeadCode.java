package io.gpuos.schedule;

import io.gpuos.layout.Overlap;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** Drops results that nobody reads, and nodes that have no others. */
final class DeadCode {

  private DeadCode() {}

  /** The nodes whose results are read by later ones, or by the caller. */
  static List<Node> remove(List<Buffer> buffers, List<Node> nodes) {
    List<Place> wanted = new ArrayList<>();
    List<Node> kept = new ArrayList<>();
    for (Node node : nodes.reversed()) {
      List<Integer> needed =
          IntStream.range(0, node.outputs().size())
              .filter(k -> isNeeded(buffers, wanted, node.outputs().get(k)))
              .boxed()
              .toList();
      if (needed.isEmpty()) {
        continue;
      }
      Node live = node.free() ? node.only(needed) : node;
      // What is overwritten as a whole need not be written before.
      wanted.removeIf(
          place -> live.outputs().stream().anyMatch(o -> o.overlap(place) == Overlap.IDENTICAL));
      wanted.addAll(live.reads());
      kept.add(live);
    }
    return kept.reversed();
  }

  private static boolean isNeeded(List<Buffer> buffers, List<Place> wanted, Place output) {
    return !buffers.get(output.buffer()).temporary() || wanted.stream().anyMatch(output::meets);
  }
}

package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import java.util.List;

/**
 * The segments of a program as the ring takes them: a record for each, less what differs from one
 * replay to the next. A segment that waits for none of the others waits for what the whole program
 * waits for. Immutable.
 */
public final class Segments {

  /** Longs of a record: two sectors, or three where there are two ranges to wait for. */
  private static final int STRIDE = 3 * TaskRecord.SECTOR_BYTES / Long.BYTES;

  /**
   * One segment.
   *
   * @param nodes device address of its nodes
   * @param operators of the nodes, in order
   * @param after earlier segments it waits for, ascending
   */
  public record Part(long nodes, int[] operators, List<Integer> after) {}

  final int count;
  final int stride = STRIDE;

  /** As in the ring, without sequence, stamps, bindings, and what entries wait for. */
  final long[] images;

  /** Whether the segment waits for none of the others. */
  final boolean[] entry;

  private final List<Part> parts;

  public Segments(List<Part> parts) {
    this.parts = List.copyOf(parts);
    this.count = parts.size();
    this.images = new long[count * STRIDE];
    this.entry = new boolean[count];
    Dependencies dependencies = new Dependencies();
    for (int s = 0; s < count; s++) {
      Part part = parts.get(s);
      dependencies.reset(-1);
      part.after().forEach(before -> dependencies.add(before, before));
      entry[s] = part.after().isEmpty();
      describe(part, s * STRIDE, dependencies.after0(s), dependencies.after1(s));
    }
  }

  private void describe(Part part, int at, int after0, int after1) {
    int sectors = after1 != 0 ? 2 : 1;
    long flags = (long) sectors << TaskRecord.SECTORS_SHIFT | TaskRecord.FLAG_SEGMENT;
    images[at + TaskRecord.LOGICAL_OPERATOR / Long.BYTES] = part.operators()[0];
    images[at + TaskRecord.COUNT / Long.BYTES] = flags << 32 | part.operators().length;
    images[at + TaskRecord.operand(0) / Long.BYTES] = part.nodes();
    images[at + TaskRecord.STAMP_1 / Long.BYTES] = (long) after0 << 32;
    images[at + TaskRecord.STAMP_2 / Long.BYTES] = (long) after1 << 32;
  }

  /** The segments, in order. */
  public List<Part> parts() {
    return parts;
  }

  /** Records that one replay takes. */
  public int count() {
    return count;
  }

  /** Logical operators of the segment whose nodes begin at {@code address}; null if none does. */
  int[] operatorsAt(long address) {
    for (Part part : parts) {
      if (part.nodes() == address) {
        return part.operators();
      }
    }
    return null;
  }
}

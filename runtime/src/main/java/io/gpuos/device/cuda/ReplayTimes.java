package io.gpuos.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.abi.NodeRecord;
import io.gpuos.abi.ReplayRecord;
import io.gpuos.device.NodeTime;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What a traced replay wrote: cycles of each multiprocessor, tied to the GPU's clock at the ends of
 * segments. That clock moves in steps of up to a microsecond, so it says where a segment lies, and
 * the cycles say how its nodes follow each other; a cycle's length is taken from the segment that
 * the clock measures best.
 */
final class ReplayTimes {

  private static final int BEGIN_NANOS = 0;
  private static final int BEGIN_CYCLE = 1;
  private static final int END_CYCLE = 2;
  private static final int END_NANOS = 3;
  private static final int WHO = 4;

  private final MemorySegment words;
  private final int segments;
  private final double nanosPerCycle;

  /**
   * @param words of all segments, then of all nodes
   */
  ReplayTimes(MemorySegment words, int segments) {
    this.words = words;
    this.segments = segments;
    this.nanosPerCycle = nanosPerCycle();
  }

  private long segment(int number, int word) {
    return words.getAtIndex(JAVA_LONG, (long) number * ReplayRecord.SEGMENT_TIMES + word);
  }

  private double nanosPerCycle() {
    int longest = 0;
    for (int s = 1; s < segments; s++) {
      if (nanos(s) > nanos(longest)) {
        longest = s;
      }
    }
    long cycles = segment(longest, END_CYCLE) - segment(longest, BEGIN_CYCLE);
    return cycles <= 0 ? 0 : (double) nanos(longest) / cycles;
  }

  private long nanos(int number) {
    return segment(number, END_NANOS) - segment(number, BEGIN_NANOS);
  }

  /**
   * The times, in the order of the nodes; the first segment begins at 0.
   *
   * @param nodes address of the first node
   * @param segmentOf the segment of each node
   */
  List<NodeTime> of(long nodes, int count, int[] segmentOf) {
    long start = Long.MAX_VALUE;
    for (int s = 0; s < segments; s++) {
      start = Math.min(start, segment(s, BEGIN_NANOS));
    }
    List<NodeTime> times = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      int s = segmentOf[n];
      long at = (long) segments * ReplayRecord.SEGMENT_TIMES + (long) n * ReplayRecord.NODE_TIMES;
      double origin = segment(s, BEGIN_NANOS) - start;
      long cycle = segment(s, BEGIN_CYCLE);
      times.add(
          new NodeTime(
              nodes + (long) n * NodeRecord.BYTES,
              (int) segment(s, WHO),
              origin + (words.getAtIndex(JAVA_LONG, at) - cycle) * nanosPerCycle,
              origin + (words.getAtIndex(JAVA_LONG, at + 1) - cycle) * nanosPerCycle));
    }
    return times;
  }
}

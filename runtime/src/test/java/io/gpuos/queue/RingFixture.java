package io.gpuos.queue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A ring whose workers are played by the test: it reads the records as a worker would and says when
 * they are complete. Launches are counted and change nothing else.
 */
final class RingFixture implements AutoCloseable {

  final MemorySegment bytes;
  final RingMemory memory;
  final Lease lease;
  final Completions completions;
  final SubmissionRing ring;

  RingFixture(int capacity, long firstSequence, Duration fullWait) {
    bytes = Arena.ofAuto().allocate(RingMemory.bytes(capacity), 256);
    memory = new RingMemory(bytes, capacity, firstSequence);
    lease = new Lease(memory.control(), _ -> {}, () -> false, "test-keeper");
    completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, fullWait);
  }

  RingFixture(int capacity, long firstSequence) {
    this(capacity, firstSequence, Duration.ofMillis(50));
  }

  /** A record as a worker reads it, with the tasks it waits for as absolute sequences. */
  record Task(
      long sequence,
      int operator,
      int space,
      int count,
      boolean linear,
      int sectors,
      long first,
      List<Long> operands,
      List<Range> after) {

    /** Whether this task waits for {@code earlier} itself. */
    boolean waitsFor(long earlier) {
      return after.stream().anyMatch(range -> range.holds(earlier));
    }
  }

  /** A closed range of sequences. */
  record Range(long first, long last) {
    boolean holds(long sequence) {
      return sequence - first >= 0 && last - sequence >= 0;
    }
  }

  /** Whether the record of {@code sequence} has been published. */
  boolean isPublished(long sequence) {
    return memory.records().longAcquire(memory.slot(sequence) + TaskRecord.SEQUENCE) == sequence;
  }

  /** The published record of {@code sequence}, with all its operands; checks every stamp. */
  Task task(long sequence) {
    SharedWords words = memory.records();
    long slot = memory.slot(sequence);
    check(isPublished(sequence), "not published: " + sequence);
    int flags = words.intPlain(slot + TaskRecord.FLAGS);
    int sectors = flags >>> TaskRecord.SECTORS_SHIFT;
    int[] stamps = {0, TaskRecord.STAMP_1, TaskRecord.STAMP_2, TaskRecord.STAMP_3};
    for (int k = 1; k <= sectors; k++) {
      check(words.intPlain(slot + stamps[k]) == (int) sequence, "stamp " + k + " of " + sequence);
    }
    List<Long> operands = new ArrayList<>();
    for (int k = 0; k < TaskRecord.MAX_OPERANDS; k++) {
      if (TaskRecord.sectors(k + 1) <= sectors) {
        operands.add(words.longPlain(slot + TaskRecord.operand(k)));
      }
    }
    List<Range> after = new ArrayList<>();
    if (sectors >= 1) {
      decode(sequence, words.intPlain(slot + TaskRecord.AFTER_0), after);
    }
    if (sectors >= 2) {
      decode(sequence, words.intPlain(slot + TaskRecord.AFTER_1), after);
    }
    return new Task(
        sequence,
        words.intPlain(slot + TaskRecord.LOGICAL_OPERATOR),
        words.intPlain(slot + TaskRecord.SPACE),
        words.intPlain(slot + TaskRecord.COUNT),
        (flags & TaskRecord.FLAG_LINEAR) != 0,
        sectors,
        sectors == 3 ? words.intPlain(slot + TaskRecord.FIRST) * 256L : 0,
        operands,
        after);
  }

  private static void decode(long sequence, int after, List<Range> ranges) {
    if (after != 0) {
      ranges.add(new Range(sequence - (after >>> 16), sequence - (after & 0xffff)));
    }
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  /** The worker reports {@code sequence} by itself: complete, though earlier ones may not be. */
  void completeLate(long sequence) {
    memory.late().putLongRelease(memory.lateOffset(sequence), sequence);
  }

  /** The workers report every task up to and including {@code sequence}. */
  void completeThrough(long sequence) {
    memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, sequence);
  }

  void park(long epoch) {
    memory.control().putLongFenced(ControlRecord.PARKED_EPOCH, epoch);
  }

  @Override
  public void close() {
    lease.close();
    completions.close();
  }
}

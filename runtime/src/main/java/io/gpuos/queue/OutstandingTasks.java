package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/**
 * The tasks that are submitted and not complete, as the records in host memory tell: what is left
 * to look at when the device cannot be read any more. For messages; nothing here is on the way of a
 * task. Thread-safe.
 */
public final class OutstandingTasks {

  /** Operators that a message lists. */
  private static final int MOST_NAMED = 16;

  private final RingMemory memory;
  private final SubmissionRing ring;
  private final Completions completions;
  private final IntFunction<String> names;

  /**
   * @param names of logical operators, by number; for any number
   */
  public OutstandingTasks(
      RingMemory memory, SubmissionRing ring, Completions completions, IntFunction<String> names) {
    this.memory = memory;
    this.ring = ring;
    this.completions = completions;
    this.names = names;
  }

  /** Whether there are any. */
  boolean any() {
    return ring.outstanding();
  }

  /** Name of the operator of a task of the last lap; of a segment of a program, all its names. */
  public String operator(long sequence) {
    if (!isPublished(sequence)) {
      return "unknown";
    }
    long slot = memory.slot(sequence);
    int number = memory.records().intPlain(slot + TaskRecord.LOGICAL_OPERATOR);
    int flags = memory.records().intPlain(slot + TaskRecord.FLAGS);
    if ((flags & TaskRecord.FLAG_SEGMENT) == 0 || number == TaskRecord.OPERATOR_NOTHING) {
      return names.apply(number);
    }
    int[] operators = ring.operatorsAt(memory.records().longPlain(slot + TaskRecord.operand(0)));
    Set<String> known = new LinkedHashSet<>();
    known.add(names.apply(number));
    for (int operator : operators) {
      known.add(names.apply(operator));
    }
    return known.size() == 1 ? known.iterator().next() : "one of a program's " + listed(known);
  }

  /**
   * What may have been running when the device failed, as a part of a message: {@code
   * operator=NAME} if only that operator can have been, else {@code operator=one of [NAME; NAME]}.
   * Tasks that seem to wait for others come last; they may have begun all the same, since the
   * device dies before it has told the host of the last completions.
   */
  public String suspects() {
    Set<String> operators = new LinkedHashSet<>();
    List<Long> waiting = new ArrayList<>();
    long tail = ring.tail();
    for (long task = completions.through() + 1; tail - task > 0; task++) {
      if (!isPublished(task) || completions.isComplete(task)) {
        continue;
      }
      if (waits(task)) {
        waiting.add(task);
      } else {
        operators.add(operator(task));
      }
    }
    waiting.forEach(task -> operators.add(operator(task)));
    return switch (operators.size()) {
      case 0 -> "operator=unknown, last_complete=" + operator(completions.through());
      case 1 -> "operator=" + operators.iterator().next();
      default -> "operator=one of " + listed(operators);
    };
  }

  private static String listed(Set<String> operators) {
    String more = operators.size() > MOST_NAMED ? "; ..." : "";
    return operators.stream().limit(MOST_NAMED).collect(Collectors.joining("; ", "[", more + "]"));
  }

  private boolean isPublished(long sequence) {
    long slot = memory.slot(sequence);
    return memory.records().longAcquire(slot + TaskRecord.SEQUENCE) == sequence
        // As the memory was filled: no task was ever here.
        && sequence - memory.firstSequence() >= 0;
  }

  /** Whether the task waits for one that is not complete, by what the host knows. */
  private boolean waits(long sequence) {
    long slot = memory.slot(sequence);
    int sectors = memory.records().intPlain(slot + TaskRecord.FLAGS) >>> TaskRecord.SECTORS_SHIFT;
    return sectors >= 1 && waits(sequence, memory.records().intPlain(slot + TaskRecord.AFTER_0))
        || sectors >= 2 && waits(sequence, memory.records().intPlain(slot + TaskRecord.AFTER_1));
  }

  private boolean waits(long sequence, int after) {
    int far = after >>> 16;
    for (int distance = after & 0xffff; after != 0 && distance <= far; distance++) {
      if (!completions.isComplete(sequence - distance)) {
        return true;
      }
    }
    return false;
  }
}

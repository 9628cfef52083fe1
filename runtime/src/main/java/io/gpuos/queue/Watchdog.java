package io.gpuos.queue;

import io.gpuos.error.DeviceFaultException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Ends the device when a task does not come back: every wait fails, with operator, worker and time.
 *
 * <p>Workers note the sequence of each task they begin. While tasks are outstanding and the oldest
 * of them does not change, the watchdog looks at these notes ten times a second; a worker that is
 * seen at the same task, which is still not complete, for the whole deadline has lost it. So a task
 * is never blamed for time it spent waiting: in the ring, for another task, or for workers that
 * have parked or are not launched. Some task stays the oldest while another hangs, since
 * completions are counted without gaps.
 *
 * <p>Time is counted from look to look, and a pause between two looks counts for little: when the
 * process was stopped, or had no processor, its workers had none either.
 *
 * <p>{@link #look} is called by one thread at a time, the keeper's.
 */
public final class Watchdog {

  /** What the workers are at. */
  public interface Workers {

    /** How many there are. */
    int count();

    /**
     * Sets {@code sequences[w]} to the task that worker {@code w} began last, which may be
     * complete; one before the first task if it has begun none. Does not wait.
     *
     * @return false if that is not known yet, and the array is unchanged; ask again
     */
    boolean begun(long[] sequences);

    /** What messages call worker {@code w}. */
    String name(int worker);

    /** Where worker {@code w} is now, to be the failure's cause; null if that cannot be seen. */
    default Throwable position(int worker) {
      return null;
    }

    /** What the user can do when a task does not come back. */
    String remedy();
  }

  /**
   * A task in the hands of a worker.
   *
   * @param nanos for how long it has been seen there
   */
  private record Held(int worker, long sequence, long nanos) {}

  private static final long PERIOD_NANOS = 100_000_000;

  /** Most that counts of the time between two looks. */
  private static final long LONGEST_STEP_NANOS = 2 * PERIOD_NANOS;

  private final String device;
  private final long deadlineNanos;
  private final Workers workers;
  private final OutstandingTasks tasks;
  private final Completions completions;

  private final long[] begun;
  private final long[] held;
  private final long[] heldSince;

  /** Nanoseconds of this watchdog's own time. */
  private long clock;

  private boolean started;
  private long lastLook;
  private long through;
  private long quietSince;
  private long nextSample;

  /** When the question was put that has not been answered yet. */
  private long asked;

  /**
   * @param device its name
   * @param deadline how long a task may run; longer than a year is forever
   */
  public Watchdog(
      String device,
      Duration deadline,
      Workers workers,
      OutstandingTasks tasks,
      Completions completions) {
    this.device = device;
    this.deadlineNanos =
        deadline.compareTo(Duration.ofDays(365)) > 0 ? Long.MAX_VALUE : deadline.toNanos();
    this.workers = workers;
    this.tasks = tasks;
    this.completions = completions;
    this.begun = new long[workers.count()];
    this.held = new long[workers.count()];
    this.heldSince = new long[workers.count()];
  }

  /** Looks whether a task is overdue, and if so ends the device. A few loads when all is well. */
  public void look() {
    look(System.nanoTime());
  }

  /**
   * @param now as {@link System#nanoTime}
   */
  void look(long now) {
    if (deadlineNanos == Long.MAX_VALUE || completions.fault() != null) {
      return;
    }
    clock += started ? Math.clamp(now - lastLook, 0, LONGEST_STEP_NANOS) : 0;
    started = true;
    lastLook = now;
    long complete = completions.through();
    if (complete != through || !tasks.any()) {
      through = complete;
      quietSince = clock;
    } else if (clock - quietSince >= period() && clock - nextSample >= 0) {
      sample();
      return;
    }
    asked = clock;
  }

  /** Shorter than usual if the deadline is. */
  private long period() {
    return Math.min(PERIOD_NANOS, deadlineNanos / 4);
  }

  private void sample() {
    if (!workers.begun(begun)) {
      if (clock - asked >= deadlineNanos) {
        failUnseen();
      }
      return;
    }
    nextSample = clock + period();
    List<Held> unfinished = new ArrayList<>();
    for (int w = 0; w < begun.length; w++) {
      if (completions.isComplete(begun[w])) {
        continue;
      }
      if (begun[w] != held[w] || heldSince[w] == 0) {
        held[w] = begun[w];
        heldSince[w] = clock;
      }
      unfinished.add(new Held(w, held[w], clock - heldSince[w]));
    }
    unfinished.sort(Comparator.comparingLong(Held::nanos).reversed());
    if (!unfinished.isEmpty() && unfinished.getFirst().nanos >= deadlineNanos) {
      fail(unfinished.getFirst(), unfinished.subList(1, unfinished.size()));
    }
  }

  private void failUnseen() {
    completions.fail(
        new DeviceFaultException(
            "workers not seen: device=%s, %s, waited_ms=%s, expected=an answer within %s ms; %s"
                .formatted(
                    device,
                    tasks.suspects(),
                    Long.toString((clock - asked) / 1_000_000),
                    Long.toString(deadlineNanos / 1_000_000),
                    workers.remedy())));
  }

  private void fail(Held overdue, List<Held> others) {
    String also =
        others.stream()
            .filter(other -> other.nanos >= deadlineNanos / 2)
            .map(other -> "%s on %s".formatted(operator(other), workers.name(other.worker)))
            .collect(Collectors.joining("; "));
    completions.fail(
        new DeviceFaultException(
            "task overdue: device=%s, operator=%s, worker=%s, task=%s, ran_ms=%s, expected=an end within %s ms; %s, or raise the setting taskDeadline if it is only slow%s"
                .formatted(
                    device,
                    operator(overdue),
                    workers.name(overdue.worker),
                    Long.toUnsignedString(overdue.sequence),
                    Long.toString(overdue.nanos / 1_000_000),
                    Long.toString(deadlineNanos / 1_000_000),
                    workers.remedy(),
                    also.isEmpty() ? "" : " (also running: " + also + ")"),
            workers.position(overdue.worker)));
  }

  private String operator(Held task) {
    return tasks.operator(task.sequence);
  }
}

package io.gpuos.queue;

/**
 * Tasks that use some memory and may not be complete, as one closed range of sequences that holds
 * all of them. The range, not its end alone: tasks complete out of order, so that the last user of
 * some memory may be done while an earlier one still runs.
 *
 * @param any whether there is such a task; if not, the range means nothing
 * @param first sequence
 * @param last sequence
 */
public record Uses(boolean any, long first, long last) {

  /** No task uses the memory. */
  public static final Uses NONE = new Uses(false, 0, 0);

  /** The tasks of both. */
  public Uses and(Uses other) {
    if (!any || !other.any) {
      return any ? this : other;
    }
    return and(other.first, other.last);
  }

  /** These tasks and {@code otherFirst..otherLast}. */
  Uses and(long otherFirst, long otherLast) {
    if (!any) {
      return new Uses(true, otherFirst, otherLast);
    }
    return new Uses(
        true, otherFirst - first < 0 ? otherFirst : first, otherLast - last > 0 ? otherLast : last);
  }

  /** Less the tasks up to {@code completedThrough}, which are complete. */
  Uses after(long completedThrough) {
    if (!any || last - completedThrough <= 0) {
      return NONE;
    }
    return first - completedThrough > 0 ? this : new Uses(true, completedThrough + 1, last);
  }
}

package io.gpuos.queue;

import io.gpuos.abi.ControlRecord;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How workers that share memory with the host say that a task is complete: each stamps its task's
 * word, and whoever finds nobody at it moves {@code completed_through} over all stamps without a
 * gap. Lock-free; called by any number of workers at once.
 */
public final class WorkerStamps {

  private final RingMemory memory;
  private final SharedWords stamps;
  private final SharedWords control;
  private final AtomicBoolean advancing = new AtomicBoolean();

  public WorkerStamps(RingMemory memory) {
    this.memory = memory;
    this.stamps = memory.late();
    this.control = memory.control();
  }

  /** The task {@code sequence} is complete, and so is everything it has written. Once a task. */
  public void complete(long sequence) {
    stamps.putLongFenced(memory.lateOffset(sequence), sequence);
    while (advancing.compareAndSet(false, true)) {
      long next = control.longPlain(ControlRecord.COMPLETED_THROUGH);
      long before = next;
      while (isStamped(next + 1)) {
        next++;
      }
      if (next != before) {
        control.putLongRelease(ControlRecord.COMPLETED_THROUGH, next);
      }
      advancing.set(false);
      // A stamp set after the look above but before the flag was free has nobody else to report it.
      if (!isStamped(next + 1)) {
        return;
      }
    }
  }

  private boolean isStamped(long sequence) {
    return stamps.longVolatile(memory.lateOffset(sequence)) == sequence;
  }

  /**
   * Whether the task {@code earlier} is complete; what it has written is visible then. Right for
   * every task of the last lap and this one.
   */
  public boolean isPast(long earlier) {
    return stamps.longAcquire(memory.lateOffset(earlier)) - earlier >= 0;
  }
}

package io.gpuos.queue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import java.util.concurrent.locks.LockSupport;

/**
 * Which tasks are complete, and waiting for them. Waiting spins first, because a task takes
 * microseconds, then sleeps ever longer; it returns as soon as the device has failed. Thread-safe.
 * Whoever still holds a finished task may ask about it at any time, also after {@link #close}.
 *
 * <p>{@link #await} goes on waiting when its thread is interrupted, asleep all the same, and leaves
 * the interrupt pending; {@link #awaitInterruptibly} ends.
 */
public final class Completions {

  private static final int SPINS = 4_000;

  /** Spins between two looks at the deadline and at the lease. */
  private static final int SPINS_PER_LOOK = 64;

  private static final int YIELDS = 64;
  private static final long SHORTEST_SLEEP_NANOS = 20_000;
  private static final long LONGEST_SLEEP_NANOS = 1_000_000;

  /**
   * A sleep may last this part of the wait so far, so that no wait ends much later than its task.
   */
  private static final int WAITED_PER_SLEEP = 32;

  private final RingMemory memory;
  private final Lease lease;
  private volatile DeviceFaultException fault;
  private volatile boolean closed;
  private volatile Runnable whenFailed = () -> {};

  public Completions(RingMemory memory, Lease lease) {
    this.memory = memory;
    this.lease = lease;
  }

  /** Every task up to and including this sequence is complete. */
  public long through() {
    return memory.control().longAcquire(ControlRecord.COMPLETED_THROUGH);
  }

  /** Whether the task {@code sequence}, which must have been submitted, is complete. */
  public boolean isComplete(long sequence) {
    return through() - sequence >= 0
        || memory.late().longAcquire(memory.lateOffset(sequence)) == sequence
        // Its word may have become that of a later lap between the two looks.
        || through() - sequence >= 0;
  }

  /**
   * Waits until every task in {@code first..last} is complete.
   *
   * @param deadlineNanos as {@link System#nanoTime}
   * @return false if the deadline passed first
   * @throws DeviceFaultException if the device has failed
   * @throws ClosedException if the device was closed before they were complete
   */
  public boolean await(long first, long last, long deadlineNanos) {
    try (Naps naps = new Naps()) {
      return await(first, last, deadlineNanos, naps::nap);
    } catch (InterruptedException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /**
   * As {@link #await}, but an interrupt ends the wait.
   *
   * @throws InterruptedException if the thread is interrupted before or while it waits
   */
  public boolean awaitInterruptibly(long first, long last, long deadlineNanos)
      throws InterruptedException {
    return await(
        first,
        last,
        deadlineNanos,
        (blocker, nanos) -> {
          LockSupport.parkNanos(blocker, nanos);
          if (Thread.interrupted()) {
            throw new InterruptedException();
          }
        });
  }

  /** How a wait sleeps. */
  private interface Sleep {
    void nap(Object blocker, long nanos) throws InterruptedException;
  }

  private boolean await(long first, long last, long deadlineNanos, Sleep sleep)
      throws InterruptedException {
    for (long sequence = last; sequence - first >= 0; sequence--) {
      if (through() - last >= 0) {
        return true;
      }
      if (!awaitOne(sequence, deadlineNanos, sleep)) {
        return false;
      }
    }
    return true;
  }

  private boolean awaitOne(long sequence, long deadlineNanos, Sleep sleep)
      throws InterruptedException {
    for (int spins = 0; spins < SPINS; spins++) {
      if (isComplete(sequence)) {
        return true;
      }
      if (spins % SPINS_PER_LOOK == 0) {
        if (System.nanoTime() - deadlineNanos > 0) {
          break;
        }
        // Workers whose time is up leave with work outstanding.
        lease.wake();
      }
      Thread.onSpinWait();
    }
    return awaitPatiently(sequence, deadlineNanos, sleep);
  }

  private boolean awaitPatiently(long sequence, long deadlineNanos, Sleep sleep)
      throws InterruptedException {
    long start = System.nanoTime();
    for (int rounds = 0; !isComplete(sequence); rounds++) {
      throwIfFailed();
      if (closed) {
        throw new ClosedException(
            "runtime closed: task=%s, expected=an open runtime until the task is complete"
                .formatted(Long.toUnsignedString(sequence)));
      }
      lease.wake();
      long now = System.nanoTime();
      if (now - deadlineNanos > 0) {
        return isComplete(sequence);
      }
      if (rounds < YIELDS) {
        Thread.yield();
      } else {
        long waited = now - start;
        sleep.nap(
            this, Math.clamp(waited / WAITED_PER_SLEEP, SHORTEST_SLEEP_NANOS, LONGEST_SLEEP_NANOS));
      }
    }
    return true;
  }

  /** The workers are gone for good: what is not complete now will never be, so no wait is left. */
  public void close() {
    closed = true;
  }

  /** Ends every wait, now and later, with {@code failure}. The first failure stays. */
  public synchronized void fail(DeviceFaultException failure) {
    if (fault == null) {
      fault = failure;
      whenFailed.run();
    }
  }

  /**
   * Has {@code action} run when the device fails, by the thread that says so; it waits for nothing.
   * At most one action, set before there is a task.
   */
  void whenFailed(Runnable action) {
    whenFailed = action;
  }

  /** The failure that ended the device, or null. */
  public DeviceFaultException fault() {
    return fault;
  }

  /** Throws a new exception that names the device's failure, if it has failed. */
  public void throwIfFailed() {
    DeviceFaultException failure = fault;
    if (failure != null) {
      throw new DeviceFaultException(failure.getMessage(), failure);
    }
  }
}

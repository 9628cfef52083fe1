package io.gpuos.queue;

import io.gpuos.abi.ControlRecord;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Host side of the lease: launches the workers when there is work and they have parked.
 *
 * <p>Handshake with the workers (see {@link ControlRecord}): a submitter publishes its record with
 * a full fence and then reads {@code parked_epoch}; the workers write {@code parked_epoch}, fence,
 * and look at the ring once more. One of the two sees the other. Workers that leave with work
 * outstanding (their time is up, or a yield was asked) are launched again by whoever waits, or by
 * the keeper, a thread that starts with the first launch and looks every quarter of a millisecond
 * while workers are resident or tasks are outstanding.
 *
 * <p>Thread-safe. {@link #wake} is on the per-task path: one volatile read when nothing is to do.
 */
public final class Lease implements AutoCloseable {

  /** Starts the workers; the only slow thing a lease does. */
  @FunctionalInterface
  public interface Launcher {
    /** Launches epoch {@code epoch}, behind workers of the epoch before that are still leaving. */
    void launch(long epoch);

    /**
     * Looks whether the workers are still alive; called by the keeper every quarter of a
     * millisecond while they are resident or tasks are outstanding, never during a launch. Does not
     * wait. Reports a failure to the completions itself.
     */
    default void check() {}
  }

  private static final long KEEPER_PERIOD_NANOS = 250_000;

  private final SharedWords control;
  private final Launcher launcher;
  private final BooleanSupplier outstanding;
  private final Thread keeper;

  // Written under the monitor; a stale read on the fast path only leads to the slow path.
  private volatile long epoch;
  private volatile int holds;
  private volatile boolean keeping;
  private volatile boolean closed;
  private volatile long launches;

  /**
   * @param control words of the ring this lease is for
   * @param launcher starts the workers
   * @param outstanding whether published tasks are not complete yet
   * @param name of the keeper thread
   */
  public Lease(SharedWords control, Launcher launcher, BooleanSupplier outstanding, String name) {
    this.control = control;
    this.launcher = launcher;
    this.outstanding = outstanding;
    this.keeper = Thread.ofPlatform().daemon().name(name).unstarted(this::keep);
  }

  /** Call after a fenced publish: launches the workers if they have parked. */
  public void wake() {
    if (parkedEpoch() - epoch >= 0) {
      launchIfParked();
    }
  }

  /** Read before {@link #epoch}, which only grows. */
  private long parkedEpoch() {
    return control.longVolatile(ControlRecord.PARKED_EPOCH);
  }

  /** Number of launches so far. */
  public long launches() {
    return launches;
  }

  /** Number of the last launch; 0 before the first. */
  public long epoch() {
    return epoch;
  }

  /** Whether the workers of the last launch mean to leave or have left; true once closed. */
  public boolean parked() {
    return closed || parkedEpoch() == epoch;
  }

  private void launchIfParked() {
    if (Thread.currentThread().isVirtual()) {
      // A launch is a driver call, and those belong on platform threads.
      rouseKeeper();
      return;
    }
    synchronized (this) {
      if (closed || holds > 0 || !parked()) {
        return;
      }
      long next = epoch + 1;
      epoch = next;
      launches = launches + 1;
      launcher.launch(next);
    }
    rouseKeeper();
  }

  private void rouseKeeper() {
    if (!keeping) {
      startKeeper();
    }
    LockSupport.unpark(keeper);
  }

  private synchronized void startKeeper() {
    if (!keeping && !closed) {
      keeper.start();
      keeping = true;
    }
  }

  /**
   * Asks the workers to leave at the next task boundary and keeps them from being launched until
   * {@link #release}. Does not wait for them. Holds nest.
   */
  public synchronized void hold() {
    holds = holds + 1;
    askToLeave();
  }

  /** Ends one {@link #hold}; launches the workers if work is outstanding. */
  public void release() {
    synchronized (this) {
      holds = holds - 1;
    }
    if (outstanding.getAsBoolean()) {
      wake();
    }
  }

  /** Asks the workers to leave at the next task boundary; they come back when there is work. */
  public synchronized void yieldWorkers() {
    askToLeave();
  }

  /** Under the monitor, so that an older epoch never replaces a newer one. */
  private void askToLeave() {
    if (!closed) {
      control.putLongFenced(ControlRecord.YIELD_EPOCH, epoch);
    }
  }

  /** Waits until the workers of the last launch have written that they park; false at the limit. */
  public boolean awaitParked(Duration limit) {
    long deadline = System.nanoTime() + limit.toNanos();
    try (Naps naps = new Naps()) {
      while (!parked()) {
        if (System.nanoTime() - deadline > 0) {
          return false;
        }
        naps.nap(this, 10_000);
      }
    }
    return true;
  }

  private void keep() {
    while (!closed) {
      boolean parked = parked();
      if (parked && !outstanding.getAsBoolean()) {
        // A launch unparks; so does close. Work submitted from here on wakes the workers itself.
        LockSupport.park(this);
      } else {
        if (parked && holds == 0) {
          wake();
        }
        // Workers that are said to have parked, and one of which has not come back, are watched
        // too.
        check();
        LockSupport.parkNanos(this, KEEPER_PERIOD_NANOS);
      }
    }
  }

  /** Never between the moment an epoch is counted and the moment it is launched. */
  private synchronized void check() {
    if (!closed) {
      launcher.check();
    }
  }

  /**
   * Asks the workers to leave for good; no launch follows and the keeper has ended. Does not wait
   * for the workers. Idempotent.
   */
  @Override
  public void close() {
    synchronized (this) {
      askToLeave();
      closed = true;
    }
    LockSupport.unpark(keeper);
    boolean interrupted = false;
    while (keeper.isAlive()) {
      try {
        keeper.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

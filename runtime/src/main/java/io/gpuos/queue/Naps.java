package io.gpuos.queue;

import java.util.concurrent.locks.LockSupport;

/**
 * Sleeps of one wait that an interrupt does not shorten: a thread whose interrupt is pending does
 * not park at all and would burn its processor. The interrupt is kept and handed back at the end.
 * Used by one thread.
 */
final class Naps implements AutoCloseable {

  private boolean interrupted;

  /** Sleeps for about {@code nanos}; an interrupt ends this nap, and none after it. */
  void nap(Object blocker, long nanos) {
    interrupted |= Thread.interrupted();
    LockSupport.parkNanos(blocker, nanos);
  }

  /** Makes the interrupt pending again, if there was one. */
  @Override
  public void close() {
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

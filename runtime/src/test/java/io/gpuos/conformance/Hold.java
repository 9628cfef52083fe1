package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.queue.Lease;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps the workers of a runtime away: what is submitted meanwhile waits until the hold is closed.
 */
record Hold(Lease lease) implements AutoCloseable {

  /** Returns when no worker takes a task any more. */
  static Hold of(Gpuos gpu) {
    Lease lease = gpu.device().lease();
    lease.hold();
    assertTrue(lease.awaitParked(Duration.ofSeconds(60)), "the workers do not park");
    // Workers that parked before they were asked to look at the ring once more.
    LockSupport.parkNanos(5_000_000);
    return new Hold(lease);
  }

  @Override
  public void close() {
    lease.release();
  }
}

package io.gpuos.device.cuda;

import io.gpuos.driver.CudaModule;
import io.gpuos.error.GpuosException;
import io.gpuos.queue.Lease;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;

/**
 * Images of which the workers run nothing any more. To unload one takes about as long as to load
 * it, and waits for the workers, so it is not done while they are away for a load, but by a thread
 * of its own, once they have left by themselves and stayed away for a while. Only what exceeds
 * {@link #KEPT_BYTES}, because workers never leave, is unloaded in a pause.
 *
 * <p>Everything happens under the loader's monitor, so that nothing is unloaded beside a load.
 */
final class OldImages {

  /** Images of so many bytes wait; the driver takes about as much device memory for them. */
  static final long KEPT_BYTES = 64L << 20;

  /** Between two looks whether the workers are away, and so the least of such an absence. */
  private static final long LOOK_NANOS = 20_000_000;

  private record Old(CudaModule module, long bytes) {}

  private final Object loader;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Deque<Old> kept = new ArrayDeque<>();
  private long keptBytes;
  private Thread thread;

  /** Launches at the last look at which no worker was resident; -1 if one was. */
  private long idleSince = -1;

  /**
   * @param loader whose monitor guards this
   */
  OldImages(Object loader, WorkerKernel workers, Lease lease) {
    this.loader = loader;
    this.workers = workers;
    this.lease = lease;
  }

  /** Takes an image over. Call under the loader's monitor. */
  void add(CudaModule module, long bytes) {
    kept.add(new Old(module, bytes));
    keptBytes += bytes;
    if (thread == null) {
      thread = Thread.ofPlatform().daemon().name("gpuos-cuda-images").start(this::run);
    }
  }

  /** Unloads what is too much. Under the loader's monitor, while no worker is resident. */
  void trim() {
    while (keptBytes > KEPT_BYTES) {
      unloadOldest();
    }
  }

  private void unloadOldest() {
    Old old = kept.remove();
    keptBytes -= old.bytes();
    old.module().close();
  }

  private void run() {
    do {
      LockSupport.parkNanos(this, LOOK_NANOS);
    } while (look());
  }

  /** Unloads one image if nobody waits for it; returns whether to look again. */
  private boolean look() {
    synchronized (loader) {
      try {
        if (!kept.isEmpty() && !workers.abandoned()) {
          unloadWhenIdle();
        }
      } catch (GpuosException _) {
        // The device has failed, which whoever waits for a task is told.
        kept.clear();
      }
      if (kept.isEmpty() || workers.abandoned()) {
        thread = null;
        return false;
      }
      return true;
    }
  }

  private void unloadWhenIdle() {
    boolean stayedAway = lease.launches() == idleSince;
    idleSince = idle() ? lease.launches() : -1;
    if (idleSince < 0 || !stayedAway) {
      return;
    }
    // Work that comes now waits for one image at most.
    lease.hold();
    try {
      if (idle()) {
        unloadOldest();
      }
    } finally {
      lease.release();
    }
  }

  private boolean idle() {
    return lease.parked() && workers.idle();
  }

  /** Unloads everything. Under the loader's monitor, while no worker is resident. */
  void close() {
    while (!kept.isEmpty()) {
      unloadOldest();
    }
  }
}

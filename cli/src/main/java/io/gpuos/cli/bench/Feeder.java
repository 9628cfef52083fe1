package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import java.util.ArrayList;
import java.util.List;

/**
 * Keeps the ring fed from a thread of its own: one batch behind the other, two under way. Counts
 * the tasks that complete in windows of 10 ms.
 */
final class Feeder implements AutoCloseable {

  private static final long WINDOW_NANOS = 10_000_000;

  private final Gpuos gpu;
  private final Adds adds;
  private final Thread thread = new Thread(this::feed, "feeder");
  private volatile boolean stopped;
  private volatile long batches;
  private volatile Throwable failure;

  // Guarded by this.
  private final List<Double> windows = new ArrayList<>();
  private long windowBegin;
  private long windowTasks;

  private Feeder(Gpuos gpu, Adds adds) {
    this.gpu = gpu;
    this.adds = adds;
  }

  static Feeder start(Gpuos gpu, Adds adds) {
    Feeder feeder = new Feeder(gpu, adds);
    feeder.thread.start();
    return feeder;
  }

  private void feed() {
    try {
      reset();
      int tasks = adds.calls().length;
      long before = adds.submitBatch();
      while (!stopped) {
        long next = adds.submitBatch();
        gpu.await(before);
        count(tasks);
        before = next;
        batches++;
      }
      gpu.await(before);
    } catch (Throwable e) {
      failure = e;
    }
  }

  private synchronized void count(int tasks) {
    long now = System.nanoTime();
    windowTasks += tasks;
    if (now - windowBegin >= WINDOW_NANOS) {
      windows.add(windowTasks * (double) WINDOW_NANOS / (now - windowBegin));
      windowBegin = now;
      windowTasks = 0;
    }
  }

  /** Begins to count anew. */
  synchronized void reset() {
    windows.clear();
    windowBegin = System.nanoTime();
    windowTasks = 0;
  }

  /** Tasks in each window since the last reset, scaled to 10 ms. */
  synchronized double[] windows() {
    return windows.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** Waits until so many more batches are complete. */
  void awaitBatches(int count) {
    long until = batches + count;
    while (batches < until) {
      if (failure != null) {
        throw new WrongResult("feeding failed: " + failure);
      }
      Thread.onSpinWait();
    }
  }

  @Override
  public void close() {
    stopped = true;
    join(thread);
  }

  /** Waits for the end of {@code thread}; an interrupt does not end the wait and is kept. */
  static void join(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

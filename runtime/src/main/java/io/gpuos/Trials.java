package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.error.DeviceFaultException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Watches and compares the samples of all candidates of a runtime, on one thread of its own that
 * starts with the first sample and sleeps while there is none. In turns: a look at the clock of
 * every sample under way, then a piece of one comparison, so that a long comparison does not hide a
 * long run. Thread-safe.
 */
final class Trials implements AutoCloseable {

  /** Between two looks at samples that are under way. */
  private static final long LOOK_NANOS = 100_000;

  /** How long {@link #close} waits for a piece of a comparison. */
  private static final long CLOSE_MILLIS = 2_000;

  private final ComputeDevice device;
  private final ConcurrentLinkedQueue<Sample> arrived = new ConcurrentLinkedQueue<>();
  private final Thread thread;
  private boolean started;
  private volatile boolean closed;

  Trials(ComputeDevice device) {
    this.device = device;
    this.thread = Thread.ofPlatform().daemon().name("gpuos-trials").unstarted(this::watch);
  }

  /** Takes over a sample that was submitted. */
  void add(Sample sample) {
    arrived.add(sample);
    start();
    LockSupport.unpark(thread);
  }

  private synchronized void start() {
    if (!started && !closed) {
      thread.start();
      started = true;
    }
  }

  private void watch() {
    List<Sample> samples = new ArrayList<>();
    while (!closed) {
      for (Sample next = arrived.poll(); next != null; next = arrived.poll()) {
        samples.add(next);
      }
      if (samples.isEmpty()) {
        // Whoever adds one unparks; so does close.
        LockSupport.park(this);
      } else if (!turn(samples)) {
        LockSupport.parkNanos(this, LOOK_NANOS);
      }
    }
    samples.forEach(Sample::close);
  }

  /** Whether something was compared. */
  private boolean turn(List<Sample> samples) {
    long now = System.nanoTime();
    boolean compared = false;
    for (Iterator<Sample> all = samples.iterator(); all.hasNext(); ) {
      Sample sample = all.next();
      boolean complete = look(sample, now);
      if (complete && !compared) {
        compared = true;
        compare(sample);
      }
      if (sample.over()) {
        sample.close();
        all.remove();
      }
    }
    return compared;
  }

  /** Whether the sample is complete, and its candidate still of interest. */
  private boolean look(Sample sample, long now) {
    DeviceFaultException fault = device.completions().fault();
    if (fault != null) {
      sample.candidate().end(Candidate.Verdict.FAILED, fault.getMessage());
    }
    return !sample.over() && sample.look(now);
  }

  private void compare(Sample sample) {
    try {
      sample.comparePiece();
    } catch (RuntimeException failure) {
      if (!closed) {
        sample.candidate().end(Candidate.Verdict.FAILED, failure.getMessage());
      }
      sample.giveUp();
    }
  }

  /** Compares nothing any more; the thread has ended, or ends after the piece it is at. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    LockSupport.unpark(thread);
    boolean interrupted = Thread.interrupted();
    try {
      thread.join(CLOSE_MILLIS);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

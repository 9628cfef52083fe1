package io.gpuos;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Operations that were submitted and may not be complete yet. A {@link Future} of the first result;
 * cannot be cancelled. Thread-safe.
 */
public final class Submission implements Future<Tensor> {

  private final Gpuos runtime;
  private final List<Tensor> results;
  private final long first;
  private final long last;

  Submission(Gpuos runtime, List<Tensor> results, long first, long last) {
    this.runtime = runtime;
    this.results = results;
    this.first = first;
    this.last = last;
  }

  /**
   * Waits until the operations are complete. An interrupt does not end the wait; it is pending when
   * this returns. {@link #get()} is the wait that an interrupt ends.
   *
   * @return the first result; null if there is none, as of a {@link Program} that only changes
   *     tensors in place
   * @throws io.gpuos.error.DeviceFaultException if the device failed
   */
  public Tensor await() {
    runtime.await(first, last, Duration.ofDays(3650));
    return firstResult();
  }

  private Tensor firstResult() {
    return results.isEmpty() ? null : results.getFirst();
  }

  /**
   * Waits at most {@code limit}; whether the operations are complete. Interrupts as {@link
   * #await()}.
   */
  public boolean await(Duration limit) {
    return runtime.await(first, last, limit);
  }

  /**
   * The results, which may still be being computed; tasks that use them are ordered behind. Not to
   * be changed.
   */
  public List<Tensor> results() {
    return results;
  }

  /**
   * Waits until the operations are complete.
   *
   * @throws InterruptedException if the thread is interrupted before they are; the operations go on
   */
  @Override
  public Tensor get() throws InterruptedException {
    runtime.awaitInterruptibly(first, last, Duration.ofDays(3650));
    return firstResult();
  }

  /**
   * Waits until the operations are complete, at most for the time given.
   *
   * @throws InterruptedException if the thread is interrupted before they are; the operations go on
   */
  @Override
  public Tensor get(long timeout, TimeUnit unit) throws InterruptedException, TimeoutException {
    if (!runtime.awaitInterruptibly(first, last, Duration.ofNanos(unit.toNanos(timeout)))) {
      throw new TimeoutException("not complete: waited=" + timeout + " " + unit);
    }
    return firstResult();
  }

  @Override
  public boolean isDone() {
    return await(Duration.ZERO);
  }

  /** Does nothing: a submitted task runs. */
  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    return false;
  }

  @Override
  public boolean isCancelled() {
    return false;
  }
}

package io.gpuos;

import io.gpuos.error.ClosedException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.queue.AnalysedBatch;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.SubmissionRing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Many prepared calls, submitted together: the cheapest way to submit, since neighbours share the
 * cost of ordering and publishing. Results equal submitting the calls one by one. Thread-safe;
 * {@link #submit} allocates nothing.
 *
 * <p>A batch holds the memory of its calls, which may be closed while it is in use. Close it to
 * give that memory up; submitted work is not disturbed.
 */
public final class Batch implements AutoCloseable {

  private final SubmissionRing ring;
  private final List<Call> calls;
  private final AnalysedBatch batch;
  private volatile boolean closed;

  private Batch(SubmissionRing ring, List<Call> calls, AnalysedBatch batch) {
    this.ring = ring;
    this.calls = calls;
    this.batch = batch;
  }

  static Batch of(Gpuos runtime, List<Call> calls) {
    List<Call> retained = new ArrayList<>();
    try {
      List<Invocation> all = new ArrayList<>();
      for (Call call : calls) {
        if (call.runtime() != runtime) {
          throw new InvalidInputException(
              "call of another runtime: runtime=" + runtime + ", expected=a call of this runtime");
        }
        all.addAll(Arrays.asList(call.retain()));
        retained.add(call);
      }
      return new Batch(runtime.device().ring(), retained, AnalysedBatch.of(all));
    } catch (Throwable failure) {
      retained.forEach(Call::release);
      throw failure;
    }
  }

  /**
   * Submits every call in order.
   *
   * @return sequence of the last task, for {@link Gpuos#await}
   * @throws io.gpuos.error.RingFullException if the ring stays full; what was submitted before
   *     stays submitted
   * @throws ClosedException if the batch or the runtime is closed; if that happens meanwhile, what
   *     was submitted before stays submitted
   */
  public long submit() {
    if (closed) {
      throw new ClosedException("batch closed: calls=" + calls.size() + ", expected=an open batch");
    }
    return ring.submit(batch);
  }

  /** Refuses later submissions and gives up the memory of the calls. Idempotent. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    ring.close(batch);
    calls.forEach(Call::release);
  }
}

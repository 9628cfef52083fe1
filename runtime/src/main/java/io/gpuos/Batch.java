package io.gpuos;

import io.gpuos.error.InvalidInputException;
import io.gpuos.queue.AnalysedBatch;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.SubmissionRing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Many prepared calls, submitted together: the cheapest way to submit, since neighbours share the
 * cost of ordering and publishing. Results equal submitting the calls one by one. The calls must
 * stay open. Thread-safe; {@link #submit} allocates nothing.
 */
public final class Batch {

  private final SubmissionRing ring;
  private final AnalysedBatch batch;

  private Batch(SubmissionRing ring, AnalysedBatch batch) {
    this.ring = ring;
    this.batch = batch;
  }

  static Batch of(Gpuos runtime, List<Call> calls) {
    List<Invocation> all = new ArrayList<>();
    for (Call call : calls) {
      if (call.runtime() != runtime) {
        throw new InvalidInputException(
            "call of another runtime: runtime=" + runtime + ", expected=a call of this runtime");
      }
      all.addAll(Arrays.asList(call.invocations()));
    }
    return new Batch(runtime.device().ring(), AnalysedBatch.of(all));
  }

  /**
   * Submits every call in order.
   *
   * @return sequence of the last task, for {@link Gpuos#await}
   * @throws io.gpuos.error.RingFullException if the ring stays full; what was submitted before
   *     stays submitted
   */
  public long submit() {
    return ring.submit(batch);
  }
}

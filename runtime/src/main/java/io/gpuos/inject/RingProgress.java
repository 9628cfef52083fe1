package io.gpuos.inject;

import io.gpuos.queue.Completions;
import io.gpuos.queue.SubmissionRing;

/** A ring's tasks, as the operator table asks about them. Thread-safe. */
public record RingProgress(SubmissionRing ring, Completions completions)
    implements OperatorTable.Progress {

  @Override
  public long submitted() {
    return ring.tail() - 1;
  }

  @Override
  public long completedThrough() {
    return completions.through();
  }

  @Override
  public boolean awaitThrough(long sequence, long deadlineNanos) {
    long from = completions.through() + 1;
    return from - sequence > 0 || completions.await(from, sequence, deadlineNanos);
  }
}

package io.gpuos.concurrency;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.inject.RingProgress;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;

/** A ring for tasks of one operator, whose workers are played by the tests: resident, and slow. */
public final class OperatorRing {

  private final RingMemory memory = Rings.memory(2);
  private final long slot = memory.slot(Rings.FIRST);
  private final SubmissionRing ring;
  private final RingProgress progress;

  /** Empty; the launch before this one has parked, this one has not. */
  public OperatorRing() {
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
    progress = new RingProgress(ring, completions);
  }

  /** The tasks as the operator's table asks about them. */
  public RingProgress progress() {
    return progress;
  }

  /** Submits a task of operator 1. */
  public void submit() {
    ring.submit(Rings.TASK);
  }

  /** Whether a worker finds the first task's record. */
  public boolean isPublished() {
    return memory.records().longVolatile(slot + TaskRecord.SEQUENCE) == Rings.FIRST;
  }

  /** The operator that the first task's record names, once it is published. */
  public int operator() {
    return memory.records().intPlain(slot + TaskRecord.LOGICAL_OPERATOR);
  }
}

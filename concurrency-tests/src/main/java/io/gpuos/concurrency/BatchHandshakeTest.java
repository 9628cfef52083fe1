package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.queue.AnalysedBatch;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import java.util.List;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * As {@link LeaseHandshakeTest}, for a task that is submitted as a batch. The ring and the lease
 * are the real ones; the worker is its part of the handshake. First result: launches by the
 * submitter; second: whether the worker's second look found the record.
 */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "The worker saw the record before it left.")
@Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "The submitter saw the worker leave: launched.")
@Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "Both: a launch too many, which finds no work.")
@Outcome(
    id = "0, 0",
    expect = FORBIDDEN,
    desc = "The record was neither seen by the second look nor woke anybody: lost.")
@State
public class BatchHandshakeTest {

  private static final AnalysedBatch BATCH = AnalysedBatch.of(List.of(Rings.TASK));

  private final RingMemory memory = Rings.memory(2);
  private final SubmissionRing ring;

  /** Resident: the launch before this one has parked, this one has not. */
  public BatchHandshakeTest() {
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
  }

  /** Submits a batch of one task. */
  @Actor
  public void submit(II_Result result) {
    try {
      ring.submit(BATCH);
    } catch (Rings.Launched _) {
      result.r1 = 1;
    }
  }

  /** Says that it parks, fences, and looks once more. */
  @Actor
  public void park(II_Result result) {
    memory.control().putLongFenced(ControlRecord.PARKED_EPOCH, 0);
    long slot = memory.slot(Rings.FIRST);
    boolean seen = memory.records().longVolatile(slot + TaskRecord.SEQUENCE) == Rings.FIRST;
    result.r2 = seen ? 1 : 0;
  }
}

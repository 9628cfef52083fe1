package io.gpuos.concurrency.without;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.concurrency.Rings;
import io.gpuos.queue.RingMemory;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** {@link io.gpuos.concurrency.LeaseHandshakeTest} with a plain release by the submitter. */
@JCStressTest
@Outcome(
    id = {"0, 1", "1, 0", "1, 1"},
    expect = ACCEPTABLE,
    desc = "Seen, launched, or both.")
@Outcome(
    id = "0, 0",
    expect = ACCEPTABLE_INTERESTING,
    desc = "Lost: the submitter read the lease before its record was visible.")
@State
public class HandshakeWithoutHostFence {

  private final RingMemory memory = Rings.memory(2);
  private final long slot = memory.slot(Rings.FIRST);

  /** Resident: not parked. */
  public HandshakeWithoutHostFence() {
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, -1);
  }

  /** Publishes without a fence, then looks whether the worker has parked. */
  @Actor
  public void submit(II_Result result) {
    memory.records().putLongRelease(slot + TaskRecord.SEQUENCE, Rings.FIRST);
    result.r1 = memory.control().longAcquire(ControlRecord.PARKED_EPOCH) >= 0 ? 1 : 0;
  }

  /** Parks, fences, looks once more. */
  @Actor
  public void park(II_Result result) {
    memory.control().putLongFenced(ControlRecord.PARKED_EPOCH, 0);
    boolean seen = memory.records().longVolatile(slot + TaskRecord.SEQUENCE) == Rings.FIRST;
    result.r2 = seen ? 1 : 0;
  }
}

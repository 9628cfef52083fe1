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

/** {@link io.gpuos.concurrency.LeaseHandshakeTest} with a plain release by the worker. */
@JCStressTest
@Outcome(
    id = {"0, 1", "1, 0", "1, 1"},
    expect = ACCEPTABLE,
    desc = "Seen, launched, or both.")
@Outcome(
    id = "0, 0",
    expect = ACCEPTABLE_INTERESTING,
    desc = "Lost: the worker took its second look before it was seen to park.")
@State
public class HandshakeWithoutWorkerFence {

  private final RingMemory memory = Rings.memory(2);
  private final long slot = memory.slot(Rings.FIRST);

  /** Resident: not parked. */
  public HandshakeWithoutWorkerFence() {
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, -1);
  }

  /** Publishes, fences, looks whether the worker has parked. */
  @Actor
  public void submit(II_Result result) {
    memory.records().putLongFenced(slot + TaskRecord.SEQUENCE, Rings.FIRST);
    result.r1 = memory.control().longVolatile(ControlRecord.PARKED_EPOCH) >= 0 ? 1 : 0;
  }

  /** Parks without a fence, then looks once more. */
  @Actor
  public void park(II_Result result) {
    memory.control().putLongRelease(ControlRecord.PARKED_EPOCH, 0);
    boolean seen = memory.records().longAcquire(slot + TaskRecord.SEQUENCE) == Rings.FIRST;
    result.r2 = seen ? 1 : 0;
  }
}

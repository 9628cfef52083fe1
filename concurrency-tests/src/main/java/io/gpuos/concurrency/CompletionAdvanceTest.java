package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.WorkerStamps;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.J_Result;

/** Two workers complete two tasks at once. Result: how far the host is told. */
@JCStressTest
@Outcome(id = "2", expect = ACCEPTABLE, desc = "Both are reported.")
@Outcome(expect = FORBIDDEN, desc = "A stamp was left behind that nobody reports.")
@State
public class CompletionAdvanceTest {

  private final RingMemory memory = Rings.memory(2);
  private final WorkerStamps stamps = new WorkerStamps(memory);

  /** Completes the first task. */
  @Actor
  public void first() {
    stamps.complete(Rings.FIRST);
  }

  /** Completes the second task. */
  @Actor
  public void second() {
    stamps.complete(Rings.FIRST + 1);
  }

  /** Reads what the host is told. */
  @Arbiter
  public void read(J_Result result) {
    result.r1 = memory.control().longAcquire(ControlRecord.COMPLETED_THROUGH);
  }
}

package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.ZZJ_Result;

/** Two threads try for the last free record. Results: who got it, and the next sequence. */
@JCStressTest
@Outcome(id = "true, false, 3", expect = ACCEPTABLE, desc = "The first thread got it.")
@Outcome(id = "false, true, 3", expect = ACCEPTABLE, desc = "The second thread got it.")
@Outcome(expect = FORBIDDEN, desc = "Both got it, overwriting a record, or neither did.")
@State
public class BackPressureTest {

  private final RingMemory memory = Rings.memory(2);
  private final SubmissionRing ring;

  /** A ring of two records, one of them taken. */
  public BackPressureTest() {
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
    ring.submit(Rings.TASK);
  }

  /** Tries. */
  @Actor
  public void first(ZZJ_Result result) {
    result.r1 = ring.trySubmit(Rings.TASK);
  }

  /** Tries too. */
  @Actor
  public void second(ZZJ_Result result) {
    result.r2 = ring.trySubmit(Rings.TASK);
  }

  /** Reads where the ring has got to. */
  @Arbiter
  public void read(ZZJ_Result result) {
    result.r3 = ring.tail();
  }
}

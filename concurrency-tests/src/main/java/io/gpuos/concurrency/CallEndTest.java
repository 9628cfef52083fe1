package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.error.ClosedException;
import io.gpuos.queue.Access;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RegionMap;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * One thread submits a task while another ends it and gives its memory on. Results: whether the
 * task was submitted, and whether the other thread knows that a task uses the memory.
 */
@JCStressTest
@Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "Submitted first: the memory's next user waits.")
@Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "Ended first: the submission is refused.")
@Outcome(expect = FORBIDDEN, desc = "A task writes memory that somebody else has by now.")
@State
public class CallEndTest {

  private final RegionMap map = new RegionMap(8, 0);
  private final Invocation[] call = {Invocation.of(1, 1).writes(new Access(map, 0, 8)).build()};
  private final SubmissionRing ring;

  /** A ring whose workers are resident, so that nothing is launched. */
  public CallEndTest() {
    RingMemory memory = Rings.memory(4);
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
  }

  /** Submits the task. */
  @Actor
  public void submit(II_Result result) {
    try {
      ring.submit(call[0]);
      result.r1 = 1;
    } catch (ClosedException refused) {
      result.r1 = 0;
    }
  }

  /** Ends the task and asks who uses its memory. */
  @Actor
  public void end(II_Result result) {
    ring.close(call);
    result.r2 = ring.uses(map).any() ? 1 : 0;
  }
}

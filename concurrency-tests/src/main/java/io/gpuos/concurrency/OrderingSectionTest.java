package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.queue.Access;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RegionMap;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SharedWords;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * Two threads submit a task that writes the same memory. Results: the operator of each of the two
 * records, and how far back each waits.
 */
@JCStressTest
@Outcome(
    id = {"1, 2, 0, 1", "2, 1, 0, 1"},
    expect = ACCEPTABLE,
    desc = "One came first, and the other waits for it.")
@Outcome(expect = FORBIDDEN, desc = "Both were in the section at once: a record or an order lost.")
@State
public class OrderingSectionTest {

  private final RingMemory memory = Rings.memory(4);
  private final Access access = new Access(new RegionMap(8, 0), 0, 8);
  private final Invocation one = Invocation.of(1, 1).writes(access).build();
  private final Invocation two = Invocation.of(2, 1).writes(access).build();
  private final SubmissionRing ring;

  /** A ring whose workers are resident, so that nothing is launched. */
  public OrderingSectionTest() {
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
  }

  /** Submits the first task. */
  @Actor
  public void first() {
    ring.submit(one);
  }

  /** Submits the second task. */
  @Actor
  public void second() {
    ring.submit(two);
  }

  /** Reads both records. */
  @Arbiter
  public void read(IIII_Result result) {
    result.r1 = word(Rings.FIRST, TaskRecord.LOGICAL_OPERATOR);
    result.r2 = word(Rings.FIRST + 1, TaskRecord.LOGICAL_OPERATOR);
    result.r3 = near(Rings.FIRST);
    result.r4 = near(Rings.FIRST + 1);
  }

  private int near(long sequence) {
    boolean waits = word(sequence, TaskRecord.FLAGS) >>> TaskRecord.SECTORS_SHIFT != 0;
    return waits ? word(sequence, TaskRecord.AFTER_0) & 0xffff : 0;
  }

  private int word(long sequence, int offset) {
    SharedWords records = memory.records();
    long slot = memory.slot(sequence);
    boolean published = records.longVolatile(slot + TaskRecord.SEQUENCE) == sequence;
    return published ? records.intPlain(slot + offset) : -1;
  }
}

package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SharedWords;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * A task of two tiles is submitted while a worker polls the slot of the second. Results: whether
 * the sequence was there, and the words a worker reads next: operator, an operand in the last
 * sector, and that sector's stamp. (The low half of the operand is enough.)
 */
@JCStressTest
@Outcome(id = "0, 0, 0, 0", expect = ACCEPTABLE, desc = "Not published yet.")
@Outcome(id = "1, 5, 77, 2", expect = ACCEPTABLE, desc = "Published, and all words came with it.")
@Outcome(expect = FORBIDDEN, desc = "The sequence was seen without words of its record.")
@State
public class RecordPublicationTest {

  private static final Invocation TWO_TILES = twoTiles();

  private final RingMemory memory = Rings.memory(4);
  private final SubmissionRing ring;

  /** A ring whose workers are resident, so that nothing is launched. */
  public RecordPublicationTest() {
    Lease lease = Rings.lease(memory);
    memory.control().putLongPlain(ControlRecord.PARKED_EPOCH, lease.epoch() - 1);
    Completions completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, Duration.ofMillis(1));
  }

  private static Invocation twoTiles() {
    Invocation.Builder builder = Invocation.of(5, 512).tile(256);
    for (int k = 0; k < 10; k++) {
      builder.scalar(k == 9 ? 77 : 0);
    }
    return builder.build();
  }

  /** Submits both tiles. */
  @Actor
  public void submit() {
    ring.submit(TWO_TILES);
  }

  /** Polls once, as a worker does. */
  @Actor
  public void poll(IIII_Result result) {
    SharedWords records = memory.records();
    long slot = memory.slot(Rings.FIRST + 1);
    if (records.longVolatile(slot + TaskRecord.SEQUENCE) == Rings.FIRST + 1) {
      result.r1 = 1;
      result.r2 = records.intPlain(slot + TaskRecord.LOGICAL_OPERATOR);
      result.r3 = (int) records.longPlain(slot + TaskRecord.operand(9));
      result.r4 = records.intPlain(slot + TaskRecord.STAMP_3);
    }
  }
}

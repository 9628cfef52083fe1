package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * The rule every record in shared memory rests on: what was written before a release store of the
 * stamp is seen by whoever has read that stamp with acquire.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "Not published yet.")
@Outcome(id = "0, 7", expect = ACCEPTABLE, desc = "The payload was seen early; the stamp was not.")
@Outcome(id = "1, 7", expect = ACCEPTABLE, desc = "Published, and the payload came with it.")
@Outcome(expect = FORBIDDEN, desc = "The stamp was seen without its payload.")
@State
public class PublicationTest {

  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();
  private static final long STAMP = 0;
  private static final long PAYLOAD = 64;

  private final MemorySegment record = Arena.ofAuto().allocate(128, 64);

  /** Writes the payload, then publishes it. */
  @Actor
  public void write() {
    WORD.set(record, PAYLOAD, 7);
    WORD.setRelease(record, STAMP, 1);
  }

  /** Reads the stamp, then what it stands for. */
  @Actor
  public void read(II_Result result) {
    result.r1 = (int) WORD.getAcquire(record, STAMP);
    result.r2 = (int) WORD.get(record, PAYLOAD);
  }
}

package io.gpuos.concurrency.without;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;

import io.gpuos.abi.ControlRecord;
import io.gpuos.concurrency.Rings;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SharedWords;
import java.util.concurrent.atomic.AtomicBoolean;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.J_Result;

/**
 * {@link io.gpuos.concurrency.CompletionAdvanceTest} where nobody looks again after the flag is
 * free.
 */
@JCStressTest
@Outcome(id = "2", expect = ACCEPTABLE, desc = "Both are reported.")
@Outcome(
    id = {"0", "1"},
    expect = ACCEPTABLE_INTERESTING,
    desc = "Left behind: stamped while the other worker, past it, still held the flag.")
@State
public class AdvanceWithoutRecheck {

  private final RingMemory memory = Rings.memory(2);
  private final SharedWords stamps = memory.late();
  private final SharedWords control = memory.control();
  private final AtomicBoolean advancing = new AtomicBoolean();

  private void complete(long sequence) {
    stamps.putLongFenced(memory.lateOffset(sequence), sequence);
    if (advancing.compareAndSet(false, true)) {
      long next = control.longPlain(ControlRecord.COMPLETED_THROUGH);
      while (stamps.longVolatile(memory.lateOffset(next + 1)) == next + 1) {
        next++;
      }
      control.putLongRelease(ControlRecord.COMPLETED_THROUGH, next);
      advancing.set(false);
    }
  }

  /** Completes the first task. */
  @Actor
  public void first() {
    complete(Rings.FIRST);
  }

  /** Completes the second task. */
  @Actor
  public void second() {
    complete(Rings.FIRST + 1);
  }

  /** Reads what the host is told. */
  @Arbiter
  public void read(J_Result result) {
    result.r1 = control.longAcquire(ControlRecord.COMPLETED_THROUGH);
  }
}

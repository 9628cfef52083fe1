package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.device.cpu.CpuGenerations;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * Generation 3 of an operator is published while it is rolled back, from generation 2. Results: the
 * generation it was rolled back to, the one that workers find afterwards, and the one that is
 * current to the table.
 */
@JCStressTest
@Outcome(id = "2, 2, 2", expect = ACCEPTABLE, desc = "Published, then rolled back.")
@Outcome(id = "1, 3, 3", expect = ACCEPTABLE, desc = "Rolled back, then published.")
@Outcome(expect = FORBIDDEN, desc = "One was lost, or workers run what the table does not know of.")
@State
public class RollbackTest {

  private final CpuGenerations generations = new CpuGenerations(new OperatorRing().progress());

  /** At generation 2, drained. */
  public RollbackTest() {
    generations.publish(2);
  }

  /** Publishes. */
  @Actor
  public void publish() {
    generations.publish(3);
  }

  /** Rolls back. */
  @Actor
  public void rollback(III_Result result) {
    result.r1 = generations.rollback();
  }

  /** Reads the alias and the table. */
  @Arbiter
  public void read(III_Result result) {
    result.r2 = generations.installed(1);
    result.r3 = generations.current();
  }
}

package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.device.cpu.CpuGenerations;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Generation 2 of an operator is published while a task of it is submitted and begun. Results:
 * whether the table says that generation 1 is drained, and the generation that the task runs; it
 * does not complete.
 */
@JCStressTest
@Outcome(id = "1, 2", expect = ACCEPTABLE, desc = "Submitted later: runs the new generation.")
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "Runs the old generation, which waits for it.")
@Outcome(id = "0, 2", expect = ACCEPTABLE, desc = "Might have run the old one: waited for.")
@Outcome(id = "1, 1", expect = FORBIDDEN, desc = "Drained, and a task runs it.")
@State
public class DrainedTest {

  private final OperatorRing ring = new OperatorRing();
  private final CpuGenerations generations = new CpuGenerations(ring.progress());

  /** Publishes and asks. */
  @Actor
  public void publish(II_Result result) {
    generations.publish(2);
    result.r1 = generations.isDrained() ? 1 : 0;
  }

  /** Submits, and does the worker's part. */
  @Actor
  public void submit(II_Result result) {
    ring.submit();
    result.r2 = generations.installed(ring.operator());
  }
}

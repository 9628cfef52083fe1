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
 * Generation 2 of an operator is published, then a task submitted; a worker looks for the task. The
 * table, the ring and the CPU device's operators are the real ones. Results: whether the worker
 * finds the record, and the generation it runs then.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "The task is not there yet.")
@Outcome(id = "1, 2", expect = ACCEPTABLE, desc = "The task runs the generation published before.")
@Outcome(expect = FORBIDDEN, desc = "The task runs a generation older than the one published.")
@State
public class PublishSubmitTest {

  private final OperatorRing ring = new OperatorRing();
  private final CpuGenerations generations = new CpuGenerations(ring.progress());

  /** Publishes, then submits. */
  @Actor
  public void publish() {
    generations.publish(2);
    ring.submit();
  }

  /** Looks for the record, then for the code. */
  @Actor
  public void run(II_Result result) {
    if (ring.isPublished()) {
      result.r1 = 1;
      result.r2 = generations.installed(ring.operator());
    }
  }
}

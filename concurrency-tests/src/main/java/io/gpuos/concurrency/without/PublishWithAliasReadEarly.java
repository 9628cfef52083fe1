package io.gpuos.concurrency.without;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;

import io.gpuos.concurrency.OperatorRing;
import io.gpuos.device.cpu.CpuGenerations;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * {@link io.gpuos.concurrency.PublishSubmitTest} with a worker that reads the alias before it has
 * found the record.
 */
@JCStressTest
@Outcome(
    id = {"0, 0", "1, 2"},
    expect = ACCEPTABLE,
    desc = "Not there yet, or runs the generation published before.")
@Outcome(id = "1, 1", expect = ACCEPTABLE_INTERESTING, desc = "The task runs the old generation.")
@State
public class PublishWithAliasReadEarly {

  private final OperatorRing ring = new OperatorRing();
  private final CpuGenerations generations = new CpuGenerations(ring.progress());

  /** Publishes, then submits. */
  @Actor
  public void publish() {
    generations.publish(2);
    ring.submit();
  }

  /** Looks for the code, then for the record. */
  @Actor
  public void run(II_Result result) {
    int early = generations.installed(1);
    if (ring.isPublished()) {
      result.r1 = 1;
      result.r2 = early;
    }
  }
}

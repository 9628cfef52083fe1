package io.gpuos.concurrency;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.gpuos.queue.Completions;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.WorkerStamps;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * A worker writes a result and completes its task; a worker whose task depends on it asks, then the
 * host. Results: complete, and the result read then, for the worker and for the host.
 */
@JCStressTest
@Outcome(
    id = {"0, 0, 0, 0", "0, 0, 1, 7", "1, 7, 1, 7"},
    expect = ACCEPTABLE,
    desc = "Whoever sees the task complete sees its result.")
@Outcome(expect = FORBIDDEN, desc = "The task is complete and its result is not there.")
@State
public class CompletionVisibilityTest {

  private final RingMemory memory = Rings.memory(2);
  private final WorkerStamps stamps = new WorkerStamps(memory);
  private final Completions completions = new Completions(memory, Rings.lease(memory));
  private int value;

  /** Runs the task. */
  @Actor
  public void run() {
    value = 7;
    stamps.complete(Rings.FIRST);
  }

  /** Asks as a worker with a dependent task, then as the host. */
  @Actor
  public void ask(IIII_Result result) {
    if (stamps.isPast(Rings.FIRST)) {
      result.r1 = 1;
      result.r2 = value;
    }
    if (completions.isComplete(Rings.FIRST)) {
      result.r3 = 1;
      result.r4 = value;
    }
  }
}

package io.gpuos.concurrency.without;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;

import io.gpuos.concurrency.Rings;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * {@link io.gpuos.concurrency.DrainedTest} with an alias turned by a plain release: who asks then
 * which task was submitted last may be told before workers find the new generation.
 */
@JCStressTest
@Outcome(
    id = {"1, 2", "0, 1", "0, 2"},
    expect = ACCEPTABLE,
    desc = "Runs the new generation, or is waited for.")
@Outcome(id = "1, 1", expect = ACCEPTABLE_INTERESTING, desc = "Drained, and a task runs it.")
@State
public class DrainedWithoutFence {

  private final AtomicLong tail = new AtomicLong(Rings.FIRST);
  private final AtomicInteger alias = new AtomicInteger(1);

  /** Turns the alias, and asks whether there is any task that may have found the old one. */
  @Actor
  public void publish(II_Result result) {
    alias.setRelease(2);
    result.r1 = tail.getAcquire() == Rings.FIRST ? 1 : 0;
  }

  /** Takes a sequence, publishes with a fence, and does the worker's part. */
  @Actor
  public void submit(II_Result result) {
    tail.setRelease(Rings.FIRST + 1);
    VarHandle.fullFence();
    result.r2 = alias.getAcquire();
  }
}

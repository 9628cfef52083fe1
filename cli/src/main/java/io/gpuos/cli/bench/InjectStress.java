package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Tasks of one operator, whose generations each add a number of their own, while it is published,
 * rolled back, replaced with something that is refused, and the workers are parked at random.
 *
 * <p>Every element of every task must be the result of a generation that was current at some moment
 * between its submission and its completion, and all elements of a task of the same one. {@link
 * StressTasks} submits and checks in a thread of its own, whoever calls {@link #run} makes the
 * events. An event that would do nothing, such as a rollback with no generation to go back to, is
 * drawn again: the number asked for is that of events that took effect.
 */
final class InjectStress {

  private static final int GENERATIONS = 64;

  /** One event in so many is a replacement that is refused: the compiler takes its time. */
  private static final int REFUSED_EVERY = 20;

  private static final String NAME = "stress";

  private final Gpuos gpu;
  private final SplittableRandom random;
  private final long seed;
  private final int events;
  private final long tasks;
  private final Map<BadOperator, Integer> refused = new EnumMap<>(BadOperator.class);
  private int publications;
  private int rollbacks;
  private int parks;

  /** Numbers the generations add: the current one's, and that of the one before or -1. */
  private int current;

  private int previous = -1;
  private final StressHistory history = new StressHistory(0);

  InjectStress(Gpuos gpu, long seed, int events, long tasks) {
    this.gpu = gpu;
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.events = events;
    this.tasks = tasks;
    for (BadOperator bad : BadOperator.values()) {
      refused.put(bad, 0);
    }
  }

  /**
   * Makes all events and at least as many tasks as asked for.
   *
   * @throws WrongResult if something was accepted that is to be refused, or a task was lost
   */
  InjectReport.Stress run() {
    long begin = System.nanoTime();
    LiveOperator live = gpu.inject(NAME, body(0));
    long rounds = Math.ceilDiv(tasks, StressTasks.BATCH);
    StressTasks submitting = StressTasks.start(gpu, live, history, rounds);
    try (submitting) {
      for (int k = 0; k < events; k++) {
        submitting.awaitRound(k * rounds / events);
        event(live);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new WrongResult("interrupted: operation=events, expected=no interrupt");
    }
    submitting.requireNoFailure();
    return report(submitting, (System.nanoTime() - begin) / 1e9).requireComplete();
  }

  private InjectReport.Stress report(StressTasks tasks, double seconds) {
    long failed = refused.values().stream().mapToInt(Integer::intValue).sum();
    return new InjectReport.Stress(
        seed,
        tasks.submitted(),
        tasks.submitted() + failed,
        tasks.verified(),
        failed,
        tasks.wrong(),
        events,
        publications,
        rollbacks,
        parks,
        refused.get(BadOperator.MISFIT),
        refused.get(BadOperator.NOT_COMPILING),
        refused.get(BadOperator.NOT_VERIFYING),
        gpu.device().lease().launches(),
        seconds);
  }

  private static String body(int number) {
    return "x + " + number;
  }

  /** Draws until an event takes effect. */
  private void event(LiveOperator live) {
    boolean happened;
    do {
      happened =
          random.nextInt(REFUSED_EVERY) == 0
              ? refuse()
              : switch (random.nextInt(3)) {
                case 0 -> publish();
                case 1 -> rollback(live);
                default -> park();
              };
    } while (!happened);
  }

  private boolean refuse() {
    BadOperator[] all = BadOperator.values();
    BadOperator bad = all[random.nextInt(all.length)];
    boolean counts = bad.isRefused(gpu, NAME);
    if (counts) {
      refused.merge(bad, 1, Integer::sum);
    }
    return counts;
  }

  private boolean publish() {
    int next = random.nextInt(GENERATIONS);
    history.begin(next);
    gpu.inject(NAME, body(next));
    history.settle();
    previous = current;
    current = next;
    publications++;
    return true;
  }

  private boolean rollback(LiveOperator live) {
    if (previous < 0) {
      return false;
    }
    history.begin(previous);
    live.rollback();
    history.settle();
    current = previous;
    previous = -1;
    rollbacks++;
    return true;
  }

  /** Workers that are parked already cannot be asked to. */
  private boolean park() {
    if (gpu.device().lease().parked()) {
      return false;
    }
    gpu.device().lease().yieldWorkers();
    parks++;
    return true;
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import java.util.SplittableRandom;

/**
 * Rounds of submissions, each timed twice.
 *
 * @param warmUpRounds not counted
 * @param hostNs for each round: from before the first submission to after the last
 * @param completeNs for each round: from before the first submission until the host knows that all
 *     are complete
 */
record Timing(int warmUpRounds, double[] hostNs, double[] completeNs) {

  /**
   * Times {@code submit}. Before each round, outside its time, the outputs are poisoned by
   * operators and nothing else is left in flight; the workers are awake. After the first round, the
   * last and one more at random every result is checked.
   *
   * @param submit submits every addition of {@code adds} at least once
   * @throws WrongResult if an operation computed something wrong
   */
  static Timing of(
      Gpuos gpu, Adds adds, Runnable submit, WarmUp warmUp, int rounds, SplittableRandom random) {
    double[] host = new double[rounds];
    double[] complete = new double[rounds];
    int warm = warmUp.run(() -> round(gpu, adds, submit, new double[1], new double[1], 0));
    int chosen = random.nextInt(rounds);
    for (int k = 0; k < rounds; k++) {
      round(gpu, adds, submit, host, complete, k);
      if (k == 0 || k == chosen || k == rounds - 1) {
        adds.check();
      }
    }
    return new Timing(warm, host, complete);
  }

  /** Returns the sum of both times: the warm-up ends when neither moves. */
  private static double round(
      Gpuos gpu, Adds adds, Runnable submit, double[] host, double[] complete, int k) {
    adds.poison();
    long begin = System.nanoTime();
    submit.run();
    long submitted = System.nanoTime();
    gpu.synchronize();
    long end = System.nanoTime();
    host[k] = submitted - begin;
    complete[k] = end - begin;
    return host[k] + complete[k];
  }
}

package io.gpuos.cli.bench;

import java.util.Arrays;
import java.util.function.DoubleSupplier;

/**
 * Repeats a round until its time has settled: the JVM compiles hot code in steps, behind the
 * program's back, and a round measured too early measures the interpreter.
 *
 * @param leastRounds always done
 * @param leastNanos always taken
 * @param mostNanos after that the time counts as settled as it will get
 */
record WarmUp(int leastRounds, long leastNanos, long mostNanos) {

  private static final int WINDOW = 10;
  private static final double SETTLED = 0.05;

  /**
   * Runs {@code round}, which returns its time, until the medians of two consecutive groups of
   * {@value #WINDOW} rounds differ by less than 5 %.
   *
   * @return rounds run
   */
  int run(DoubleSupplier round) {
    long begin = System.nanoTime();
    double[] window = new double[WINDOW];
    double before = Double.NaN;
    int rounds = 0;
    while (true) {
      window[rounds++ % WINDOW] = round.getAsDouble();
      long elapsed = System.nanoTime() - begin;
      if (rounds >= leastRounds && elapsed >= mostNanos) {
        return rounds;
      }
      if (rounds % WINDOW == 0) {
        double median = Rounds.median(Arrays.copyOf(window, WINDOW));
        boolean settled = Math.abs(median - before) < SETTLED * before;
        if (settled && rounds >= leastRounds && elapsed >= leastNanos) {
          return rounds;
        }
        before = median;
      }
    }
  }
}

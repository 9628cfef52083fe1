package io.gpuos.cli.bench;

import java.util.Arrays;

/** Numbers of a measurement's rounds. All methods leave the array as it is. */
final class Rounds {

  private Rounds() {}

  static double median(double[] rounds) {
    return percentile(rounds, 50);
  }

  static double least(double[] rounds) {
    return Arrays.stream(rounds).min().orElseThrow();
  }

  static double most(double[] rounds) {
    return Arrays.stream(rounds).max().orElseThrow();
  }

  /** The least number that {@code percent} per cent of the rounds do not exceed. */
  static double percentile(double[] rounds, double percent) {
    double[] sorted = rounds.clone();
    Arrays.sort(sorted);
    int rank = (int) Math.ceil(percent / 100 * sorted.length);
    return sorted[Math.clamp(rank - 1L, 0, sorted.length - 1)];
  }
}

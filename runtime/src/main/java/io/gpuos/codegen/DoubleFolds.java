package io.gpuos.codegen;

import java.util.function.DoubleBinaryOperator;

/** Folds of floating values, in {@code double}. NaN propagates through all of them. */
final class DoubleFolds {

  private DoubleFolds() {}

  /** Values and results in double. */
  private abstract static class DoubleFold extends Fold {

    @Override
    final ComputeType valueType() {
      return ComputeType.DOUBLE;
    }

    @Override
    ComputeType resultType() {
      return ComputeType.DOUBLE;
    }
  }

  /**
   * Sum, and what follows from one. Four partial sums a call hide the latency of the addition and,
   * with one addition to the cell a call, keep the rounding error of long sums low.
   */
  static final class Sum extends DoubleFold {

    private final DoubleBinaryOperator result;

    /**
     * @param result from the sum and the number of values
     */
    Sum(DoubleBinaryOperator result) {
      this.result = result;
    }

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.doubles[CpuScratch.RESULT][cell] = 0;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      scratch.doubles[CpuScratch.RESULT][cell] += sum(scratch.doubles[slot], from, step, n, 0);
    }

    @Override
    void finish(CpuScratch scratch, int cell, long count) {
      double[] results = scratch.doubles[CpuScratch.RESULT];
      results[cell] = result.applyAsDouble(results[cell], count);
    }
  }

  /** Sum of the values' distances from an origin. */
  private static double sum(double[] values, int from, int step, int n, double origin) {
    double sum0 = 0;
    double sum1 = 0;
    double sum2 = 0;
    double sum3 = 0;
    int i = from;
    int left = n;
    for (; left >= 4; left -= 4, i += 4 * step) {
      sum0 += values[i] - origin;
      sum1 += values[i + step] - origin;
      sum2 += values[i + 2 * step] - origin;
      sum3 += values[i + 3 * step] - origin;
    }
    for (; left > 0; left--, i += step) {
      sum0 += values[i] - origin;
    }
    return sum0 + sum1 + (sum2 + sum3);
  }

  /** Product, in order. */
  static final class Product extends DoubleFold {

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.doubles[CpuScratch.RESULT][cell] = 1;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      double[] values = scratch.doubles[slot];
      double product = scratch.doubles[CpuScratch.RESULT][cell];
      for (int left = n, i = from; left > 0; left--, i += step) {
        product *= values[i];
      }
      scratch.doubles[CpuScratch.RESULT][cell] = product;
    }
  }

  /** Largest value of the values times a sign: the minimum is the maximum of the negated values. */
  static final class Extremum extends DoubleFold {

    private final double sign;
    private final double initial;

    /**
     * @param sign 1 for the maximum, -1 for the minimum
     * @param initial result of no values
     */
    Extremum(double sign, double initial) {
      this.sign = sign;
      this.initial = initial;
    }

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.doubles[CpuScratch.RESULT][cell] = sign * initial;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      double[] values = scratch.doubles[slot];
      double best = scratch.doubles[CpuScratch.RESULT][cell];
      for (int left = n, i = from; left > 0; left--, i += step) {
        best = Math.max(best, sign * values[i]);
      }
      scratch.doubles[CpuScratch.RESULT][cell] = best;
    }

    @Override
    void finish(CpuScratch scratch, int cell, long count) {
      scratch.doubles[CpuScratch.RESULT][cell] *= sign;
    }
  }

  /** Index of the first largest value times a sign, or of the first NaN. The best is the state. */
  static final class ArgExtremum extends DoubleFold {

    private final double sign;

    /**
     * @param sign 1 for the maximum, -1 for the minimum
     */
    ArgExtremum(double sign) {
      this.sign = sign;
    }

    @Override
    ComputeType resultType() {
      return ComputeType.LONG;
    }

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.doubles[CpuScratch.STATE][cell] = Double.NEGATIVE_INFINITY;
      scratch.longs[CpuScratch.RESULT][cell] = 0;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      double[] values = scratch.doubles[slot];
      double best = scratch.doubles[CpuScratch.STATE][cell];
      int bestAt = -1;
      for (int at = 0, i = from; at < n; at++, i += step) {
        double value = sign * values[i];
        if (value > best || (value != value && best == best)) {
          best = value;
          bestAt = at;
        }
      }
      if (bestAt >= 0) {
        scratch.doubles[CpuScratch.STATE][cell] = best;
        scratch.longs[CpuScratch.RESULT][cell] = before + bestAt;
      }
    }
  }

  /**
   * Variance or standard deviation. Each call's values are reduced in two passes to a mean and a
   * sum of squared deviations, which are merged into the cell's as in Chan, Golub and LeVeque,
   * "Updating formulae and a pairwise algorithm for computing sample variances" (1979). The mean is
   * the state, the sum of squared deviations the result so far.
   */
  static final class Variance extends DoubleFold {

    private final double correction;
    private final boolean root;

    /**
     * @param correction what is subtracted from the number of values to divide by
     * @param root whether the standard deviation is wanted
     */
    Variance(double correction, boolean root) {
      this.correction = correction;
      this.root = root;
    }

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.doubles[CpuScratch.STATE][cell] = 0;
      scratch.doubles[CpuScratch.RESULT][cell] = 0;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      double[] values = scratch.doubles[slot];
      double mean = values[from] + sum(values, from, step, n, values[from]) / n;
      double squares = 0;
      for (int left = n, i = from; left > 0; left--, i += step) {
        double deviation = values[i] - mean;
        squares += deviation * deviation;
      }
      double[] means = scratch.doubles[CpuScratch.STATE];
      double share = (double) n / (before + n);
      double distance = mean - means[cell];
      means[cell] += distance * share;
      // This order keeps the square of a large first mean, whose weight is 0, from overflowing.
      double merged = distance * (before * share) * distance;
      scratch.doubles[CpuScratch.RESULT][cell] += squares + merged;
    }

    /** As PyTorch, a divisor below 0 counts as 0: too few values give NaN or infinity. */
    @Override
    void finish(CpuScratch scratch, int cell, long count) {
      double[] results = scratch.doubles[CpuScratch.RESULT];
      double variance = results[cell] / Math.max(0, count - correction);
      results[cell] = root ? Math.sqrt(variance) : variance;
    }
  }
}

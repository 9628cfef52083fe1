package io.gpuos.codegen;

/** Folds of integers and truth values, in {@code long}; overflow wraps. */
final class LongFolds {

  private LongFolds() {}

  /** Values and results in long. */
  private abstract static class LongFold extends Fold {

    @Override
    final ComputeType valueType() {
      return ComputeType.LONG;
    }

    @Override
    final ComputeType resultType() {
      return ComputeType.LONG;
    }
  }

  /** A fold whose only state is its result so far. */
  private abstract static class Accumulation extends LongFold {

    private final long initial;

    Accumulation(long initial) {
      this.initial = initial;
    }

    @Override
    final void begin(CpuScratch scratch, int cell) {
      scratch.longs[CpuScratch.RESULT][cell] = initial;
    }

    @Override
    final void fold(
        CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      long[] results = scratch.longs[CpuScratch.RESULT];
      results[cell] = accumulate(results[cell], scratch.longs[slot], from, step, n);
    }

    /** The result so far, continued by {@code n} values. */
    abstract long accumulate(long result, long[] values, int from, int step, int n);
  }

  /** Sum modulo 2^64. */
  static final class Sum extends Accumulation {

    Sum() {
      super(0);
    }

    @Override
    long accumulate(long result, long[] values, int from, int step, int n) {
      long sum = result;
      for (int left = n, i = from; left > 0; left--, i += step) {
        sum += values[i];
      }
      return sum;
    }
  }

  /** Product modulo 2^64. */
  static final class Product extends Accumulation {

    Product() {
      super(1);
    }

    @Override
    long accumulate(long result, long[] values, int from, int step, int n) {
      long product = result;
      for (int left = n, i = from; left > 0; left--, i += step) {
        product *= values[i];
      }
      return product;
    }
  }

  /** Largest value, or with an initial value 0 "any" of truth values. */
  static final class Maximum extends Accumulation {

    Maximum(long initial) {
      super(initial);
    }

    @Override
    long accumulate(long result, long[] values, int from, int step, int n) {
      long best = result;
      for (int left = n, i = from; left > 0; left--, i += step) {
        best = Math.max(best, values[i]);
      }
      return best;
    }
  }

  /** Smallest value, or with an initial value 1 "all" of truth values. */
  static final class Minimum extends Accumulation {

    Minimum(long initial) {
      super(initial);
    }

    @Override
    long accumulate(long result, long[] values, int from, int step, int n) {
      long best = result;
      for (int left = n, i = from; left > 0; left--, i += step) {
        best = Math.min(best, values[i]);
      }
      return best;
    }
  }

  /**
   * Index of the first largest or smallest value. The best is the state. Smallest is found as
   * largest of the complements, which, unlike the negatives, all exist.
   */
  static final class ArgExtremum extends LongFold {

    private final long mask;

    /**
     * @param largest whether the largest is wanted
     */
    ArgExtremum(boolean largest) {
      this.mask = largest ? 0 : -1;
    }

    @Override
    void begin(CpuScratch scratch, int cell) {
      scratch.longs[CpuScratch.RESULT][cell] = 0;
      scratch.longs[CpuScratch.STATE][cell] = Long.MIN_VALUE;
    }

    @Override
    void fold(CpuScratch scratch, int cell, int slot, int from, int step, int n, long before) {
      long[] values = scratch.longs[slot];
      long best = scratch.longs[CpuScratch.STATE][cell];
      int bestAt = -1;
      for (int at = 0, i = from; at < n; at++, i += step) {
        long value = values[i] ^ mask;
        if (value > best) {
          best = value;
          bestAt = at;
        }
      }
      if (bestAt >= 0) {
        scratch.longs[CpuScratch.STATE][cell] = best;
        scratch.longs[CpuScratch.RESULT][cell] = before + bestAt;
      }
    }
  }
}

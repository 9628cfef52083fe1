package io.gpuos.layout;

/**
 * Asks whether {@code sum(c[k] * x[k])}, each {@code x[k]} an integer between two bounds, can lie
 * in an interval. A depth-first search from the largest coefficient down, cut where what is left
 * cannot reach the interval or, by the greatest common divisor of the coefficients left, jumps over
 * it. The search gives up after {@value #MAX_STEPS} steps and then answers yes. Used once, by one
 * thread.
 *
 * <p>Sums must fit a {@code long}, which holds for offsets within layouts as their spans do.
 */
final class BoundedSum {

  static final int MAX_STEPS = 1 << 16;

  private final long[] coefficient;
  private final long[] count;
  private int terms;

  /** What the terms add up to when each is at its least. */
  private long least;

  /** {@code reach[k]}: most that terms k and later add to their least. */
  private long[] reach;

  /** {@code divisor[k]}: greatest common divisor of coefficients k and later, 0 for none. */
  private long[] divisor;

  private int steps;

  /** A sum of at most {@code capacity} terms. */
  BoundedSum(int capacity) {
    coefficient = new long[capacity];
    count = new long[capacity];
  }

  /** Adds the term {@code c * x} with {@code low <= x <= high}. */
  void add(long c, long low, long high) {
    least += c >= 0 ? c * low : c * high;
    long range = high - low;
    if (c == 0 || range == 0) {
      return;
    }
    insert(Math.abs(c), range);
  }

  /** Whether the sum may lie in {@code [low, high]}; false is certain. */
  boolean mayReach(long low, long high) {
    reach = new long[terms + 1];
    divisor = new long[terms + 1];
    for (int k = terms - 1; k >= 0; k--) {
      reach[k] = Math.addExact(reach[k + 1], Math.multiplyExact(coefficient[k], count[k]));
      divisor[k] = gcd(coefficient[k], divisor[k + 1]);
    }
    steps = 0;
    return search(0, low - least, high - least);
  }

  /** Keeps coefficients descending; equal ones make one term of a larger range. */
  private void insert(long c, long range) {
    int at = terms;
    while (at > 0 && coefficient[at - 1] < c) {
      at--;
    }
    if (at > 0 && coefficient[at - 1] == c) {
      count[at - 1] += range;
      return;
    }
    System.arraycopy(coefficient, at, coefficient, at + 1, terms - at);
    System.arraycopy(count, at, count, at + 1, terms - at);
    coefficient[at] = c;
    count[at] = range;
    terms++;
  }

  /** Whether terms k and later, each from 0 to its count, may add up to {@code [low, high]}. */
  private boolean search(int k, long low, long high) {
    long from = Math.max(low, 0);
    long to = Math.min(high, reach[k]);
    if (from > to) {
      return false;
    }
    if (k == terms) {
      return true;
    }
    // A multiple of the divisor must lie in between.
    if (to / divisor[k] * divisor[k] < from) {
      return false;
    }
    // The last terms of coefficient 1, and a single term, have no gaps but the divisor's.
    if (k == terms - 1) {
      return true;
    }
    long c = coefficient[k];
    long first = Math.max(0, Math.ceilDiv(low - reach[k + 1], c));
    long last = Math.min(count[k], Math.floorDiv(high, c));
    for (long x = first; x <= last; x++) {
      if (++steps > MAX_STEPS || search(k + 1, low - c * x, high - c * x)) {
        return true;
      }
    }
    return false;
  }

  private static long gcd(long a, long b) {
    while (b != 0) {
      long rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }
}

package io.gpuos;

import java.util.Locale;

/**
 * Compares results of a candidate with those of the current generation: {@code |candidate -
 * current| <= absolute + relative * |current|}. Two NaN are equal, and an infinity equals itself
 * alone. Stops at the first element that does not fit. For one use, by one thread.
 */
final class Comparison {

  private final double relative;
  private final double absolute;
  private final long offset;
  private double worst;
  private Candidate.Verdict verdict;
  private String why;

  /**
   * @param offset of the first element compared, in row-major order of the whole result
   */
  Comparison(Candidate.Options options, long offset) {
    this.relative = options.relative();
    this.absolute = options.absolute();
    this.offset = offset;
  }

  void compare(double[] current, double[] candidate) {
    for (int k = 0; k < current.length && verdict == null; k++) {
      double a = current[k];
      double b = candidate[k];
      // Not the difference, which is NaN for equal infinities.
      if (a == b || a != a && b != b) {
        continue;
      }
      if (b != b) {
        refuse(Candidate.Verdict.NAN, k, Double.toString(a), Double.toString(b));
        continue;
      }
      double difference = a != a ? Double.NaN : Math.abs(b - a);
      check(k, difference, Math.abs(a), Double.toString(a), Double.toString(b));
    }
  }

  /** Without the rounding of integers beyond 2^53. */
  void compare(long[] current, long[] candidate) {
    for (int k = 0; k < current.length && verdict == null; k++) {
      long a = current[k];
      long b = candidate[k];
      if (a != b) {
        // Read without sign: the difference of any two has room in 64 bits.
        long unsigned = a < b ? b - a : a - b;
        double difference = unsigned >= 0 ? unsigned : (unsigned >>> 1) * 2.0 + (unsigned & 1);
        check(k, difference, Math.abs((double) a), Long.toString(a), Long.toString(b));
      }
    }
  }

  private void check(int k, double difference, double size, String current, String candidate) {
    if (difference > worst) {
      worst = difference;
    }
    double tolerance = absolute + relative * size;
    boolean fits = difference <= tolerance && Double.isFinite(difference);
    if (!fits) {
      refuse(Candidate.Verdict.MISMATCH, k, current, candidate);
    }
  }

  private void refuse(Candidate.Verdict found, int k, String current, String candidate) {
    verdict = found;
    why =
        String.format(
            Locale.ROOT,
            "%s: element=%d, candidate=%s, expected=%s within %s + %s * |%s|",
            found == Candidate.Verdict.NAN ? "NaN" : "mismatch",
            offset + k,
            candidate,
            current,
            Double.toString(absolute),
            Double.toString(relative),
            current);
  }

  /** Largest difference between two numbers, the one that did not fit included. */
  double worst() {
    return worst;
  }

  /** Why the candidate is refused; null if all elements fit. */
  Candidate.Verdict verdict() {
    return verdict;
  }

  /** The first element that does not fit, in words; null if all do. */
  String why() {
    return why;
  }
}

package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * {@link OracleErrors} of reductions. A device may fold in any order and in the compute type, so
 * the bounds are those of recursive summation: {@code n} roundings, each relative to the sum of
 * magnitudes.
 */
final class OracleFoldErrors {

  private static final double UNKNOWN = OracleErrors.UNKNOWN;

  /** Sum of squares below which single squares may have lost digits to underflow. */
  private static final double SMALL = 0x1p-60;

  private final Reducer reducer;
  private final double parameter;
  private final DType type;
  private final double[] x;
  private final double[] errors;

  private OracleFoldErrors(
      Reducer reducer, double parameter, DType type, double[] x, double[] errors) {
    this.reducer = reducer;
    this.parameter = parameter;
    this.type = type;
    this.x = x;
    this.errors = errors;
  }

  /**
   * Of a reduction of floating values, before its result is rounded to a half type.
   *
   * @param value the oracle's result
   */
  static double floating(
      Reducer reducer, double parameter, DType type, double[] x, double[] errors, double value) {
    if (OracleErrors.anyUnknown(errors)) {
      return UNKNOWN;
    }
    OracleFoldErrors fold = new OracleFoldErrors(reducer, parameter, type, x, errors);
    if (!Double.isFinite(value)) {
      return fold.isCertain() ? 0 : UNKNOWN;
    }
    double radius = fold.radius(value);
    return radius == UNKNOWN ? UNKNOWN : OracleErrors.bounded(type, value, radius);
  }

  /** Whether no element is infinite or NaN. */
  private boolean isFinite() {
    return Arrays.stream(x).allMatch(Double::isFinite);
  }

  /** Whether every order of folding gives the infinity or NaN that the oracle gives. */
  private boolean isCertain() {
    if (x.length < 2) {
      return true;
    }
    if (isFinite()) {
      return false;
    }
    return switch (reducer) {
      case SUM, MEAN -> {
        double finite = Arrays.stream(x).filter(Double::isFinite).map(Math::abs).sum();
        yield OracleErrors.bounded(type, finite, 0) != UNKNOWN;
      }
      case PROD -> Arrays.stream(x).anyMatch(Double::isNaN);
      case NORM -> parameter > 0;
      default -> true;
    };
  }

  private double radius(double value) {
    return switch (reducer) {
      case SUM -> sum(x);
      case MEAN -> sum(x) / Math.max(1, x.length) + 2 * OracleErrors.ulp(type, value);
      case PROD -> product(value);
      case MAX, MIN -> Arrays.stream(errors).max().orElse(0);
      case NORM -> norm(value);
      case VAR -> variance();
      case STD -> deviation(value);
      case ARGMAX, ARGMIN, ANY, ALL -> throw new IllegalArgumentException("no value: " + reducer);
    };
  }

  private double unit() {
    return OracleErrors.ulp(type, 1);
  }

  private double sum(double[] terms) {
    double magnitude = Arrays.stream(terms).map(Math::abs).sum();
    double rounding = (terms.length + 2) * unit() * magnitude;
    double radius = Arrays.stream(errors).sum() + rounding;
    return x.length == 1 ? errors[0] : OracleErrors.bounded(type, magnitude, radius);
  }

  private double product(double value) {
    double high = 1;
    double low = 1;
    double largest = 1;
    double smallest = 1;
    for (int i = 0; i < x.length; i++) {
      double magnitude = Math.abs(x[i]);
      if (errors[i] > 0 && magnitude <= errors[i]) {
        return UNKNOWN;
      }
      high *= magnitude + errors[i];
      low *= magnitude - errors[i];
      largest *= Math.max(1, magnitude + errors[i]);
      smallest *= magnitude == 0 ? 1 : Math.min(1, magnitude - errors[i]);
    }
    double least = type == DType.F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
    boolean ordered = OracleErrors.bounded(type, largest, 0) != UNKNOWN && smallest >= least;
    if (!isFinite() || !ordered) {
      // The order of the factors decides whether a partial product leaves the range.
      return ordered && x.length <= 1 ? 0 : UNKNOWN;
    }
    double rounding = (x.length + 2) * unit() * Math.abs(value);
    return x.length <= 1 ? (high - low) / 2 : high - low + rounding;
  }

  private double norm(double value) {
    if (parameter == 0) {
      boolean decided =
          IntStream.range(0, x.length)
              .noneMatch(i -> errors[i] > 0 && OracleErrors.holdsZero(x[i], errors[i]));
      return decided ? 0 : UNKNOWN;
    }
    if (Double.isInfinite(parameter)) {
      return Arrays.stream(errors).max().orElse(0);
    }
    if (!isFinite()) {
      return UNKNOWN;
    }
    double most = 0;
    double least = Double.MAX_VALUE;
    for (int i = 0; i < x.length; i++) {
      double magnitude = Math.abs(x[i]);
      if (errors[i] > 0 && magnitude <= 2 * errors[i]) {
        return UNKNOWN;
      }
      most = Math.max(most, magnitude == 0 ? 0 : Math.pow(magnitude + errors[i], parameter));
      least = Math.min(least, magnitude == 0 ? 1 : Math.pow(magnitude - errors[i], parameter));
    }
    boolean inRange = OracleErrors.bounded(type, most * x.length, 0) != UNKNOWN && least >= SMALL;
    boolean single = parameter == 1 && x.length == 1;
    if (single) {
      return errors[0];
    }
    if (!inRange || Arrays.stream(x).anyMatch(v -> v == 0) && parameter < 0) {
      return UNKNOWN;
    }
    double high = OracleReductions.floating(Reducer.NORM, parameter, shifted(1));
    double low = OracleReductions.floating(Reducer.NORM, parameter, shifted(-1));
    double steps = (x.length + 16) * (1 + Math.abs(parameter) + 1 / Math.abs(parameter));
    return Math.abs(high - low) + steps * unit() * Math.abs(value);
  }

  /** The magnitudes, all moved to one end of their intervals. */
  private double[] shifted(int sign) {
    return IntStream.range(0, x.length)
        .mapToDouble(i -> Math.abs(x[i]) + sign * errors[i])
        .toArray();
  }

  /** Of a variance computed with running means: Chan, Golub and LeVeque (1983), section 3. */
  private double variance() {
    if (!isFinite()) {
      return UNKNOWN;
    }
    double divisor = x.length - parameter;
    double mean = Arrays.stream(x).sum() / x.length;
    double meanError = Arrays.stream(errors).sum() / x.length;
    double magnitude = Arrays.stream(x).map(Math::abs).max().orElse(0);
    double squares = 0;
    double spread = 0;
    double moved = 0;
    for (int i = 0; i < x.length; i++) {
      double away = Math.abs(x[i] - mean);
      double error = errors[i] + meanError;
      squares += away * away;
      spread += away;
      moved += 2 * away * error + error * error;
    }
    if (divisor <= 0
        || OracleErrors.bounded(type, x.length * magnitude * magnitude * 4, 0) == UNKNOWN) {
      return UNKNOWN;
    }
    double shift = (x.length + 4) * unit() * magnitude;
    double rounding =
        (x.length + 8) * unit() * squares + 2 * shift * spread + x.length * shift * shift;
    return (moved + rounding) / divisor;
  }

  private double deviation(double value) {
    double radius = variance();
    if (radius == UNKNOWN) {
      return UNKNOWN;
    }
    double variance = value * value;
    double high = Math.sqrt(variance + radius) - value;
    double low = value - Math.sqrt(Math.max(0, variance - radius));
    return Math.max(high, low) + 2 * OracleErrors.ulp(type, value);
  }

  // ---- decisions --------------------------------------------------------------------------------

  /** Of the index of an extremum of floating values: 0 or unknown. */
  static double index(Reducer reducer, double[] x, double[] errors, int best) {
    if (OracleErrors.anyUnknown(errors)) {
      return UNKNOWN;
    }
    double sign = reducer == Reducer.ARGMAX ? 1 : -1;
    for (int i = 0; i < x.length; i++) {
      double radius = errors[i] + errors[best];
      if (i != best && radius > 0 && sign * (x[best] - x[i]) <= radius) {
        return UNKNOWN;
      }
    }
    return 0;
  }

  /** Of a reduction of integers or BOOL: 0 or unknown. */
  static double integral(Reducer reducer, long[] x, double[] errors) {
    long decisive = reducer == Reducer.ANY ? 1 : 0;
    if (reducer == Reducer.ANY || reducer == Reducer.ALL) {
      for (int i = 0; i < x.length; i++) {
        if (errors[i] == 0 && (x[i] != 0 ? 1 : 0) == decisive) {
          return 0;
        }
      }
    }
    return OracleErrors.anyUnknown(errors) ? UNKNOWN : 0;
  }
}

package io.gpuos.ir;

import java.util.Arrays;

/** The reductions from their definitions, over the elements of one result. */
final class OracleReductions {

  private OracleReductions() {}

  static double floating(Reducer reducer, double parameter, double[] x) {
    return switch (reducer) {
      case SUM -> Arrays.stream(x).sum();
      case MEAN -> Arrays.stream(x).sum() / x.length;
      case PROD -> Arrays.stream(x).reduce(1, (a, b) -> a * b);
      case MAX -> Arrays.stream(x).reduce(Double.NEGATIVE_INFINITY, Math::max);
      case MIN -> Arrays.stream(x).reduce(Double.POSITIVE_INFINITY, Math::min);
      case NORM -> norm(parameter, x);
      case VAR -> variance(parameter, x);
      case STD -> Math.sqrt(variance(parameter, x));
      case ARGMAX, ARGMIN, ANY, ALL -> throw new IllegalArgumentException("no value: " + reducer);
    };
  }

  private static double norm(double order, double[] x) {
    double[] absolute = Arrays.stream(x).map(Math::abs).toArray();
    if (order == Double.POSITIVE_INFINITY) {
      return floating(Reducer.MAX, 0, absolute);
    }
    if (order == Double.NEGATIVE_INFINITY) {
      return floating(Reducer.MIN, 0, absolute);
    }
    if (order == 0) {
      return Arrays.stream(x).filter(v -> v != 0).count();
    }
    double sum = Arrays.stream(absolute).map(v -> OracleFunctions.pow(v, order)).sum();
    return OracleFunctions.pow(sum, 1 / order);
  }

  private static double variance(double correction, double[] x) {
    double mean = Arrays.stream(x).sum() / x.length;
    double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum();
    return squares / Math.max(x.length - correction, 0);
  }

  /** Index of the first extremum; a NaN counts as one. */
  static int argument(Reducer reducer, double[] x) {
    int best = 0;
    for (int i = 1; i < x.length && !Double.isNaN(x[best]); i++) {
      boolean better = reducer == Reducer.ARGMAX ? x[i] > x[best] : x[i] < x[best];
      best = better || Double.isNaN(x[i]) ? i : best;
    }
    return best;
  }

  static int argument(Reducer reducer, long[] x) {
    int best = 0;
    for (int i = 1; i < x.length; i++) {
      best = (reducer == Reducer.ARGMAX ? x[i] > x[best] : x[i] < x[best]) ? i : best;
    }
    return best;
  }

  /** Of I64 or BOOL values. */
  static long integral(Reducer reducer, long[] x) {
    return switch (reducer) {
      case SUM -> Arrays.stream(x).sum();
      case PROD -> Arrays.stream(x).reduce(1, (a, b) -> a * b);
      case MAX -> Arrays.stream(x).reduce(Long.MIN_VALUE, Math::max);
      case MIN -> Arrays.stream(x).reduce(Long.MAX_VALUE, Math::min);
      case ANY -> Arrays.stream(x).anyMatch(v -> v != 0) ? 1 : 0;
      case ALL -> Arrays.stream(x).allMatch(v -> v != 0) ? 1 : 0;
      default -> throw new IllegalArgumentException("no integer reduction: " + reducer);
    };
  }
}

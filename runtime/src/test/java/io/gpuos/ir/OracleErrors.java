package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.function.DoubleUnaryOperator;

/**
 * How far a correct device may be from the oracle: a first-order running error analysis beside the
 * oracle's values (Higham, "Accuracy and Stability of Numerical Algorithms", 3.3). An error is the
 * radius of an interval around the oracle's value that holds every correct result; 0 means exactly
 * this value, bit for bit but for the sign of a zero; {@link #UNKNOWN} means that the value says
 * nothing, because a rounding before it may have changed a decision (a comparison, a conversion to
 * an integer, a pole).
 *
 * <p>A function's error has two parts: what the errors of its arguments do to it, found by
 * computing it at the corners of their intervals, and its own, in units in the last place of the
 * compute type. Sums, products, quotients and square roots round correctly, by contract, and have
 * none.
 */
final class OracleErrors {

  /** Any value is correct. */
  static final double UNKNOWN = Double.POSITIVE_INFINITY;

  /** Widest interval over which a function with several extrema is taken to be monotone. */
  private static final double NARROW = 0.1;

  private OracleErrors() {}

  /** One array of zeros: values that are exact. */
  static double[] exact(int count) {
    return new double[count];
  }

  static boolean anyUnknown(double... errors) {
    for (double error : errors) {
      if (error == UNKNOWN) {
        return true;
      }
    }
    return false;
  }

  private static boolean allExact(double[] errors) {
    for (double error : errors) {
      if (error != 0) {
        return false;
      }
    }
    return true;
  }

  // ---- elementwise functions --------------------------------------------------------------------

  /**
   * Of a function of floating arguments with a floating result.
   *
   * @param common compute type of arguments and result
   * @param x arguments
   * @param errors theirs
   * @param value the oracle's result, in the compute type
   */
  static double floating(
      Function function, DType common, double[] x, double[] errors, double value) {
    if (anyUnknown(errors)) {
      return UNKNOWN;
    }
    if (!allExact(errors) && nearDiscontinuity(function, x, errors)
        || dependsOnFormula(function, common, x)) {
      return UNKNOWN;
    }
    double spread = spread(function, common, x, errors, value);
    if (spread == UNKNOWN || !Double.isFinite(value)) {
      return spread;
    }
    double rounding = spread > 0 ? ulp(common, value) : 0;
    return bounded(common, value, spread + rounding + own(function, common, x, value));
  }

  /** Whether a rounding or an overflow on the way, which is left open, decides about the result. */
  private static boolean dependsOnFormula(Function function, DType common, double[] x) {
    return switch (function) {
      case SOFTPLUS -> nearThreshold(common, x);
      case HARDSWISH -> Double.isFinite(x[0]) && bounded(common, 8 * x[0], 0) == UNKNOWN;
      default -> false;
    };
  }

  /** A radius, or unknown if the interval leaves the range of the compute type. */
  static double bounded(DType type, double value, double radius) {
    double largest = type == DType.F64 ? Double.MAX_VALUE : Float.MAX_VALUE;
    return Math.abs(value) + radius <= largest ? radius : UNKNOWN;
  }

  /** Largest distance of the function's values at the corners of the box from its value inside. */
  private static double spread(
      Function function, DType common, double[] x, double[] errors, double value) {
    double[][] ends = new double[x.length][];
    int corners = 1;
    for (int k = 0; k < x.length; k++) {
      ends[k] = ends(function, x[k], errors[k]);
      corners *= ends[k].length;
    }
    double spread = 0;
    double[] corner = new double[x.length];
    for (int c = 0; c < corners; c++) {
      for (int k = 0, left = c; k < x.length; left /= ends[k].length, k++) {
        corner[k] = ends[k][left % ends[k].length];
      }
      double there = OracleTypes.computed(common, OracleFunctions.floating(function, corner));
      if (Double.isFinite(value) && Double.isFinite(there)) {
        spread = Math.max(spread, Math.abs(there - value));
      } else if (Double.compare(there, value) != 0) {
        return UNKNOWN;
      }
    }
    return spread;
  }

  private static double[] ends(Function function, double x, double error) {
    if (error != 0) {
      return new double[] {x - error, x + error};
    }
    // The sign of a zero is not part of the contract; these functions make it visible.
    return x == 0
            && switch (function) {
              case DIV, FLOOR_DIVIDE, RECIPROCAL, RSQRT, POW, ATAN2 -> true;
              default -> false;
            }
        ? new double[] {-0.0, 0.0}
        : new double[] {x};
  }

  /** Whether the function may jump, or turn more than once, within the box. */
  private static boolean nearDiscontinuity(Function function, double[] x, double[] e) {
    return switch (function) {
      case DIV, FLOOR_DIVIDE -> holdsZero(x[1], e[1]);
      case REMAINDER -> holdsZero(x[1], e[1]) || !sameQuotient(x, e, Math::floor);
      case FMOD -> holdsZero(x[1], e[1]) || !sameQuotient(x, e, OracleErrors::truncate);
      case RECIPROCAL, RSQRT, LOG, LOG2, LOG10 -> holdsZero(x[0], e[0]);
      case POW -> holdsZero(x[0], e[0]) && x[1] - e[1] < 1;
      case ATAN2 -> holdsZero(x[0], e[0]) && x[1] - e[1] <= 0;
      case TAN -> e[0] > NARROW || Math.cos(x[0] - e[0]) * Math.cos(x[0] + e[0]) <= 0;
      case LGAMMA ->
          e[0] > NARROW || x[0] - e[0] <= 0 && Math.floor(x[0] - e[0]) != Math.floor(x[0] + e[0]);
      case SIN, COS, GELU, GELU_TANH, SILU, MISH, HARDSWISH -> e[0] > NARROW;
      default -> false;
    };
  }

  static boolean holdsZero(double x, double error) {
    return Math.abs(x) <= error;
  }

  private static double truncate(double x) {
    return x < 0 ? Math.ceil(x) : Math.floor(x);
  }

  private static boolean sameQuotient(double[] x, double[] e, DoubleUnaryOperator whole) {
    double low = whole.applyAsDouble((x[0] - e[0]) / (x[1] - e[1]));
    return low == whole.applyAsDouble((x[0] + e[0]) / (x[1] - e[1]))
        && low == whole.applyAsDouble((x[0] - e[0]) / (x[1] + e[1]))
        && low == whole.applyAsDouble((x[0] + e[0]) / (x[1] + e[1]));
  }

  /** Whether the rounding of {@code beta x} may decide which branch is taken. */
  private static boolean nearThreshold(DType common, double[] x) {
    double scaled = x[0] * x[1];
    return scaled != x[2] && Math.abs(scaled - x[2]) <= 2 * ulp(common, x[2]);
  }

  /** Unit in the last place of the compute type. */
  static double ulp(DType type, double value) {
    return type == DType.F64 ? Math.ulp(value) : Math.ulp((float) value);
  }

  /** What a correct implementation of the function itself may be off. */
  private static double own(Function function, DType common, double[] x, double value) {
    int ulps = ulps(function);
    if (ulps == 0) {
      return 0;
    }
    // In double the reference rounds too, at every step of its formula.
    double relative = (common == DType.F64 ? 4 * ulps : ulps) * ulp(common, value);
    if (function == Function.SOFTPLUS) {
      // exp of a rounded product: an ulp of it is so many of the result.
      relative *= 1 + Math.abs(x[0] * x[1]) / 6;
    }
    // Intermediate exponentials may underflow to 0 one step earlier.
    double least = common == DType.F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
    double underflow = 4 * least * Math.max(1, Math.abs(x[0]));
    return relative + cancellation(function, common, x, value) + underflow;
  }

  /**
   * Units in the last place: the CUDA math library's documented maximum (CUDA C++ Programming
   * Guide, "Mathematical Functions") plus one for each further operation of a composed formula, and
   * at least what {@code java.lang.Math} promises.
   */
  private static int ulps(Function function) {
    return switch (function) {
      case ADD, SUB, MUL, DIV, NEG, ABS, SIGN, MAXIMUM, MINIMUM, CLAMP, RECIPROCAL, SQRT -> 0;
      case FLOOR, CEIL, ROUND, TRUNC, FMOD, RELU, RELU6, HARDTANH -> 0;
      case REMAINDER, FLOOR_DIVIDE -> 1;
      case LEAKY_RELU -> 1;
      case EXP, EXP2, EXPM1, LOG, LOG2, LOG10, LOG1P, RSQRT, SIN, COS, HYPOT -> 3;
      case ASIN, ACOS, ATAN, ATAN2, SINH, COSH, TANH, ASINH, ACOSH, ATANH, ERF -> 5;
      case TAN, ERFC, SIGMOID, HARDSIGMOID, HARDSWISH, SELU, ELU, CELU, SOFTPLUS -> 6;
      case POW, LGAMMA, SILU, MISH, GELU, GELU_TANH -> 10;
      default -> throw new IllegalArgumentException("no floating function: " + function);
    };
  }

  /** Absolute error where the usual formula subtracts nearly equal numbers, or counts wholes. */
  private static double cancellation(Function function, DType common, double[] x, double value) {
    double unit = ulp(common, 1);
    double size = Math.abs(x[0]);
    return switch (function) {
      // 1 + erf and 1 + tanh for negative x.
      case GELU, GELU_TANH -> 4 * unit * size;
      case HARDSIGMOID -> unit;
      // Where the quotient is large, its rounding decides about the whole number below.
      case FLOOR_DIVIDE -> Math.abs(value) * unit > 0x1p-4 ? 1 : 0;
      case HARDSWISH -> unit * size;
      // Zeros at 1 and 2, and one between any two poles.
      case LGAMMA -> 16 * unit * Math.max(1, size * Math.log1p(size));
      // The reference adds exponent and logarithm.
      case LOG2, ACOSH, ATANH -> 4 * Math.ulp(1.0);
      default -> 0;
    };
  }

  /** Of a comparison or predicate: 0 or unknown. */
  static double test(Function function, double[] x, double[] errors) {
    if (anyUnknown(errors)) {
      return UNKNOWN;
    }
    return switch (function) {
      case ISNAN, ISINF, ISFINITE -> 0;
      default -> !allExact(errors) && holdsZero(x[0] - x[1], errors[0] + errors[1]) ? UNKNOWN : 0;
    };
  }

  /** Of anything exact: 0 or unknown. */
  static double integral(double[] errors) {
    return anyUnknown(errors) ? UNKNOWN : 0;
  }

  // ---- conversions ------------------------------------------------------------------------------

  /** Of a floating value that is rounded to a floating type. */
  static double rounded(DType type, double value, double error) {
    if (error == UNKNOWN) {
      return UNKNOWN;
    }
    double low = OracleTypes.round(type, value - error);
    double high = OracleTypes.round(type, value + error);
    double middle = OracleTypes.round(type, value);
    if (Double.isFinite(middle)) {
      boolean finite = Double.isFinite(low) && Double.isFinite(high);
      return finite ? Math.max(middle - low, high - middle) : UNKNOWN;
    }
    return Double.compare(low, high) == 0 ? 0 : UNKNOWN;
  }

  /** Of a half-precision value that a temporary may round, or may not. */
  static double maybeRounded(DType type, double value, double error) {
    double rounded = rounded(type, value, error);
    double middle = OracleTypes.round(type, value);
    if (rounded == UNKNOWN || !Double.isFinite(value)) {
      return rounded;
    }
    return Double.isFinite(middle) ? Math.max(error, rounded + Math.abs(middle - value)) : UNKNOWN;
  }

  /** Of a floating value that is converted to an integer type or BOOL: 0 or unknown. */
  static double truncated(DType type, double value, double error) {
    if (error == UNKNOWN) {
      return UNKNOWN;
    }
    if (type == DType.BOOL) {
      return error > 0 && holdsZero(value, error) ? UNKNOWN : 0;
    }
    return (long) (value - error) == (long) (value + error) ? 0 : UNKNOWN;
  }
}

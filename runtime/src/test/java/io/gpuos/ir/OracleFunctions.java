package io.gpuos.ir;

import io.gpuos.layout.DType;
import org.apache.commons.numbers.gamma.Erf;
import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.LogGamma;

/**
 * The scalar functions from their definitions, in double or long, one element at a time. Error
 * functions and log gamma are those of Apache Commons Numbers.
 */
final class OracleFunctions {

  private static final double LN2 = Math.log(2);

  private OracleFunctions() {}

  /** A function of floating arguments with a floating result. */
  static double floating(Function function, double... x) {
    return switch (function) {
      case ADD -> x[0] + x[1];
      case SUB -> x[0] - x[1];
      case MUL -> x[0] * x[1];
      case DIV -> x[0] / x[1];
      case FLOOR_DIVIDE -> floorDivide(x[0], x[1]);
      case REMAINDER -> remainder(x[0], x[1]);
      case FMOD -> x[0] % x[1];
      case POW -> pow(x[0], x[1]);
      case NEG -> -x[0];
      case ABS -> Math.abs(x[0]);
      case SIGN -> Math.signum(x[0]);
      case MAXIMUM -> Math.max(x[0], x[1]);
      case MINIMUM -> Math.min(x[0], x[1]);
      case CLAMP -> Math.min(Math.max(x[0], x[1]), x[2]);
      case RECIPROCAL -> 1 / x[0];
      case HYPOT -> Math.hypot(x[0], x[1]);
      case FLOOR -> Math.floor(x[0]);
      case CEIL -> Math.ceil(x[0]);
      case ROUND -> Math.rint(x[0]);
      case TRUNC -> x[0] < 0 ? Math.ceil(x[0]) : Math.floor(x[0]);
      case EXP -> Math.exp(x[0]);
      case EXP2 -> Math.pow(2, x[0]);
      case EXPM1 -> Math.expm1(x[0]);
      case LOG -> Math.log(x[0]);
      case LOG2 -> log2(x[0]);
      case LOG10 -> Math.log10(x[0]);
      case LOG1P -> Math.log1p(x[0]);
      case SQRT -> Math.sqrt(x[0]);
      case RSQRT -> 1 / Math.sqrt(x[0]);
      case SIN -> Math.sin(x[0]);
      case COS -> Math.cos(x[0]);
      case TAN -> Math.tan(x[0]);
      case ASIN -> Math.asin(x[0]);
      case ACOS -> Math.acos(x[0]);
      case ATAN -> Math.atan(x[0]);
      case ATAN2 -> Math.atan2(x[0], x[1]);
      case SINH -> Math.sinh(x[0]);
      case COSH -> Math.cosh(x[0]);
      case TANH -> Math.tanh(x[0]);
      case ASINH -> Math.copySign(asinh(Math.abs(x[0])), x[0]);
      case ACOSH -> acosh(x[0]);
      case ATANH -> Math.copySign(atanh(Math.abs(x[0])), x[0]);
      case ERF -> Erf.value(x[0]);
      case ERFC -> Erfc.value(x[0]);
      case LGAMMA -> lgamma(x[0]);
      case SIGMOID -> sigmoid(x[0]);
      default -> activation(function, x);
    };
  }

  private static double activation(Function function, double... x) {
    return switch (function) {
      case RELU -> Math.max(x[0], 0);
      case RELU6 -> clamp(x[0], 0, 6);
      case LEAKY_RELU -> x[0] > 0 ? x[0] : x[1] * x[0];
      case ELU -> x[0] > 0 ? x[0] : x[1] * Math.expm1(x[0]);
      case SELU -> 1.0507009873554805 * (x[0] > 0 ? x[0] : 1.6732632423543772 * Math.expm1(x[0]));
      case CELU -> x[0] > 0 ? x[0] : x[1] * Math.expm1(x[0] / x[1]);
      case GELU -> x[0] / 2 * Erfc.value(-x[0] / Math.sqrt(2));
      case GELU_TANH ->
          x[0]
              / 2
              * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x[0] + 0.044715 * x[0] * x[0] * x[0])));
      case SILU -> x[0] * sigmoid(x[0]);
      case MISH -> x[0] * Math.tanh(Math.log1p(Math.exp(x[0])));
      case SOFTPLUS -> x[0] * x[1] > x[2] ? x[0] : Math.log1p(Math.exp(x[0] * x[1])) / x[1];
      case HARDTANH -> clamp(x[0], x[1], x[2]);
      case HARDSIGMOID -> clamp(x[0] + 3, 0, 6) / 6;
      case HARDSWISH -> x[0] * clamp(x[0] + 3, 0, 6) / 6;
      default -> throw new IllegalArgumentException("no floating function: " + function);
    };
  }

  /** A comparison or predicate of floating arguments. */
  static boolean test(Function function, double... x) {
    return switch (function) {
      case EQ -> x[0] == x[1];
      case NE -> x[0] != x[1];
      case LT -> x[0] < x[1];
      case LE -> x[0] <= x[1];
      case GT -> x[0] > x[1];
      case GE -> x[0] >= x[1];
      case ISNAN -> Double.isNaN(x[0]);
      case ISINF -> Double.isInfinite(x[0]);
      case ISFINITE -> Double.isFinite(x[0]);
      default -> throw new IllegalArgumentException("no test: " + function);
    };
  }

  /** A function of integers of one type, BOOL among them; the result is not wrapped yet. */
  static long integral(Function function, DType type, long... x) {
    return switch (function) {
      case ADD -> x[0] + x[1];
      case SUB -> x[0] - x[1];
      case MUL -> x[0] * x[1];
      case FLOOR_DIVIDE -> x[1] == 0 ? 0 : Math.floorDiv(x[0], x[1]);
      case REMAINDER -> x[1] == 0 ? 0 : Math.floorMod(x[0], x[1]);
      case FMOD -> x[1] == 0 ? 0 : x[0] % x[1];
      case POW -> power(x[0], x[1]);
      case NEG -> -x[0];
      case ABS -> Math.abs(x[0]);
      case SIGN -> Long.signum(x[0]);
      case MAXIMUM -> Math.max(x[0], x[1]);
      case MINIMUM -> Math.min(x[0], x[1]);
      case CLAMP -> Math.min(Math.max(x[0], x[1]), x[2]);
      case RELU -> Math.max(x[0], 0);
      case RELU6 -> Math.min(Math.max(x[0], 0), 6);
      case HARDTANH -> Math.min(Math.max(x[0], x[1]), x[2]);
      case FLOOR, CEIL, ROUND, TRUNC -> x[0];
      case EQ -> x[0] == x[1] ? 1 : 0;
      case NE -> x[0] != x[1] ? 1 : 0;
      case LT -> x[0] < x[1] ? 1 : 0;
      case LE -> x[0] <= x[1] ? 1 : 0;
      case GT -> x[0] > x[1] ? 1 : 0;
      case GE -> x[0] >= x[1] ? 1 : 0;
      case LOGICAL_AND, BITWISE_AND -> x[0] & x[1];
      case LOGICAL_OR, BITWISE_OR -> x[0] | x[1];
      case LOGICAL_XOR, BITWISE_XOR -> x[0] ^ x[1];
      case LOGICAL_NOT -> x[0] == 0 ? 1 : 0;
      case BITWISE_NOT -> type == DType.BOOL ? 1 - x[0] : ~x[0];
      case SHIFT_LEFT -> inRange(type, x[1]) ? x[0] << x[1] : 0;
      case SHIFT_RIGHT -> x[0] >> (inRange(type, x[1]) ? x[1] : 63);
      default -> throw new IllegalArgumentException("no integer function: " + function);
    };
  }

  private static boolean inRange(DType type, long bits) {
    return bits >= 0 && bits < 8L * type.bytes();
  }

  private static long power(long base, long exponent) {
    if (exponent < 0) {
      return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
    }
    long result = 1;
    for (long square = base, left = exponent; left > 0; left >>= 1, square *= square) {
      result *= left % 2 == 1 ? square : 1;
    }
    return result;
  }

  /** C's pow; Java's differs for bases of 1 and -1. */
  static double pow(double base, double exponent) {
    boolean one = base == 1 || (base == -1 && Double.isInfinite(exponent));
    return one ? 1 : Math.pow(base, exponent);
  }

  /** Python's float modulo. */
  private static double remainder(double a, double b) {
    double remainder = a % b;
    return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
  }

  /** Python's float floor division. */
  private static double floorDivide(double a, double b) {
    if (b == 0) {
      return a / b;
    }
    double remainder = a % b;
    double quotient = (a - remainder) / b;
    if (remainder != 0 && remainder < 0 != b < 0) {
      quotient -= 1;
    }
    return quotient == 0 ? Math.copySign(0, a / b) : Math.rint(quotient);
  }

  private static double clamp(double x, double min, double max) {
    return Math.min(Math.max(x, min), max);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** Exact for powers of two. */
  private static double log2(double x) {
    int exponent = Math.getExponent(x);
    boolean normal = x > 0 && Math.abs(exponent) <= Double.MAX_EXPONENT;
    return normal ? exponent + Math.log(Math.scalb(x, -exponent)) / LN2 : Math.log(x) / LN2;
  }

  private static double asinh(double x) {
    return x > 0x1p28 ? Math.log(x) + LN2 : Math.log1p(x + x * x / (1 + Math.sqrt(x * x + 1)));
  }

  private static double atanh(double x) {
    return 0.5 * Math.log1p(2 * x / (1 - x));
  }

  private static double acosh(double x) {
    if (x < 1) {
      return Double.NaN;
    }
    double above = x - 1;
    return x > 0x1p28
        ? Math.log(x) + LN2
        : Math.log1p(above + Math.sqrt(2 * above + above * above));
  }

  /** Log gamma of negative arguments by Euler's reflection formula. */
  private static double lgamma(double x) {
    if (Double.isInfinite(x) || x == 0 || (x < 0 && Math.rint(x) == x)) {
      return Double.POSITIVE_INFINITY;
    }
    if (x > 0 || Double.isNaN(x)) {
      return LogGamma.value(x);
    }
    double away = Math.abs(x - Math.rint(x));
    // sin(pi d) / pi, which is d for the smallest d; the quotient of both would overflow there.
    double sine = away < 0x1p-40 ? away : Math.sin(Math.PI * away) / Math.PI;
    return -Math.log(sine) - LogGamma.value(1 - x);
  }
}

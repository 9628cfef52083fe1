package io.gpuos.codegen;

import static java.lang.Math.PI;

import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;

/** The scalar functions once more, as their definitions say and with no thought of speed. */
final class NaiveFunctions {

  private NaiveFunctions() {}

  /**
   * A function of floating arguments; a truth value comes as 0 or 1.
   *
   * @param isDouble whether the kernel computes in double; in float the remainders follow suit
   */
  static double floating(Function function, boolean isDouble, double... x) {
    double a = x[0];
    double b = x.length > 1 ? x[1] : 0;
    double c = x.length > 2 ? x[2] : 0;
    return switch (function) {
      case ADD -> a + b;
      case SUB -> a - b;
      case MUL -> a * b;
      case DIV -> a / b;
      case FLOOR_DIVIDE -> floorDivide(a, b, isDouble);
      case REMAINDER -> remainder(a, b, isDouble);
      case FMOD -> a % b;
      case POW -> a == 1 || (a == -1 && Double.isInfinite(b)) ? 1 : StrictMath.pow(a, b);
      case MAXIMUM -> Math.max(a, b);
      case MINIMUM -> Math.min(a, b);
      case ATAN2 -> StrictMath.atan2(a, b);
      case HYPOT -> StrictMath.hypot(a, b);
      case EQ -> truth(a == b);
      case NE -> truth(a != b);
      case LT -> truth(a < b);
      case LE -> truth(a <= b);
      case GT -> truth(a > b);
      case GE -> truth(a >= b);
      case NEG -> -a;
      case ABS -> Math.abs(a);
      case SIGN -> a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : Double.NaN;
      case FLOOR -> Math.floor(a);
      case CEIL -> Math.ceil(a);
      case ROUND -> Math.rint(a);
      case TRUNC -> a < 0 ? Math.ceil(a) : Math.floor(a);
      case EXP -> StrictMath.exp(a);
      case EXP2 -> StrictMath.pow(2, a);
      case EXPM1 -> StrictMath.expm1(a);
      case LOG -> StrictMath.log(a);
      case LOG2 -> StrictMath.log(a) / StrictMath.log(2);
      case LOG10 -> StrictMath.log10(a);
      case LOG1P -> StrictMath.log1p(a);
      case SQRT -> Math.sqrt(a);
      case RSQRT -> 1 / Math.sqrt(a);
      case RECIPROCAL -> 1 / a;
      case SIN -> StrictMath.sin(a);
      case COS -> StrictMath.cos(a);
      case TAN -> StrictMath.tan(a);
      case ASIN -> StrictMath.asin(a);
      case ACOS -> StrictMath.acos(a);
      case ATAN -> StrictMath.atan(a);
      case SINH -> StrictMath.sinh(a);
      case COSH -> StrictMath.cosh(a);
      case TANH -> StrictMath.tanh(a);
      case ASINH -> Math.copySign(StrictMath.log(Math.abs(a) + StrictMath.hypot(a, 1)), a);
      case ACOSH -> StrictMath.log(a + Math.sqrt(a - 1) * Math.sqrt(a + 1));
      case ATANH -> 0.5 * StrictMath.log((1 + a) / (1 - a));
      case ERF -> erf(a);
      case ERFC -> erfc(a);
      case LGAMMA -> lgamma(a);
      case SIGMOID -> 1 / (1 + StrictMath.exp(-a));
      case RELU -> Math.max(a, 0);
      case RELU6 -> Math.min(Math.max(a, 0), 6);
      case LEAKY_RELU -> a > 0 ? a : b * a;
      case ELU -> a > 0 ? a : b * StrictMath.expm1(a);
      case SELU -> 1.0507009873554805 * (a > 0 ? a : 1.6732632423543772 * StrictMath.expm1(a));
      case CELU -> Math.max(0, a) + Math.min(0, b * StrictMath.expm1(a / b));
      case GELU -> a * 0.5 * erfc(-a / Math.sqrt(2));
      case GELU_TANH ->
          a / 2 * (1 + StrictMath.tanh(Math.sqrt(2 / PI) * (a + 0.044715 * a * a * a)));
      case SILU -> a / (1 + StrictMath.exp(-a));
      case MISH -> a * StrictMath.tanh(StrictMath.log1p(StrictMath.exp(a)));
      case SOFTPLUS -> a * b > c ? a : StrictMath.log1p(StrictMath.exp(a * b)) / b;
      case HARDTANH, CLAMP -> Math.min(Math.max(a, b), c);
      case HARDSIGMOID -> Math.min(Math.max(a + 3, 0), 6) / 6;
      case HARDSWISH -> a * Math.min(Math.max(a + 3, 0), 6) / 6;
      case ISNAN -> truth(Double.isNaN(a));
      case ISINF -> truth(Double.isInfinite(a));
      case ISFINITE -> truth(Double.isFinite(a));
      default -> throw new IllegalArgumentException(function.toString());
    };
  }

  private static double truth(boolean value) {
    return value ? 1 : 0;
  }

  /** Exact where both are finite and the divisor is not 0; otherwise what C's fmod leads to. */
  private static double remainder(double a, double b, boolean isDouble) {
    if (b == 0 || !Double.isFinite(a) || Double.isNaN(b)) {
      return Double.NaN;
    }
    if (Double.isInfinite(b)) {
      return a == 0 || (a < 0) == (b < 0) ? a : b;
    }
    double rest = a % b;
    double sum = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    return isDouble ? sum : (float) sum;
  }

  private static double floorDivide(double a, double b, boolean isDouble) {
    if (b == 0) {
      return a / b;
    }
    if (!Double.isFinite(a) || Double.isNaN(b)) {
      return Double.NaN;
    }
    if (Double.isInfinite(b)) {
      return a == 0 || (a < 0) == (b < 0) ? 0 : -1;
    }
    BigDecimal exact = new BigDecimal(a).divide(new BigDecimal(b), new MathContext(400));
    BigInteger floor = exact.setScale(0, java.math.RoundingMode.FLOOR).toBigInteger();
    return isDouble ? floor.doubleValue() : floor.floatValue();
  }

  private static double erf(double x) {
    if (Double.isNaN(x) || Math.abs(x) > 9) {
      return Math.signum(x);
    }
    return BigMath.erf(BigMath.of(x), new MathContext(30)).doubleValue();
  }

  private static double erfc(double x) {
    if (Double.isNaN(x) || x < -9 || x > 27.5) {
      return x > 0 ? 0 : x < 0 ? 2 : x;
    }
    return BigMath.erfc(BigMath.of(x)).doubleValue();
  }

  private static double lgamma(double x) {
    if (Double.isNaN(x)) {
      return x;
    }
    if (Double.isInfinite(x) || (x <= 0 && x == Math.rint(x))) {
      return Double.POSITIVE_INFINITY;
    }
    return BigMath.lgamma(x).doubleValue();
  }

  /** A function of integers or truth values, before wrapping. */
  static BigInteger integral(Function function, DType type, BigInteger... x) {
    BigInteger a = x[0];
    BigInteger b = x.length > 1 ? x[1] : null;
    int width = type.bytes() * 8;
    return switch (function) {
      case ADD -> a.add(b);
      case SUB -> a.subtract(b);
      case MUL -> a.multiply(b);
      case FLOOR_DIVIDE -> floorDivide(a, b);
      case REMAINDER -> a.subtract(b.multiply(floorDivide(a, b))).multiply(b.abs().min(ONE));
      case FMOD -> b.signum() == 0 ? b : a.remainder(b);
      case POW -> pow(a, b);
      case MAXIMUM -> a.max(b);
      case MINIMUM -> a.min(b);
      case EQ -> truth(a.compareTo(b) == 0, ONE);
      case NE -> truth(a.compareTo(b) != 0, ONE);
      case LT -> truth(a.compareTo(b) < 0, ONE);
      case LE -> truth(a.compareTo(b) <= 0, ONE);
      case GT -> truth(a.compareTo(b) > 0, ONE);
      case GE -> truth(a.compareTo(b) >= 0, ONE);
      case LOGICAL_AND, BITWISE_AND -> a.and(b);
      case LOGICAL_OR, BITWISE_OR -> a.or(b);
      case LOGICAL_XOR, BITWISE_XOR -> a.xor(b);
      case LOGICAL_NOT -> ONE.subtract(a);
      case BITWISE_NOT -> type == DType.BOOL ? ONE.subtract(a) : a.not();
      case SHIFT_LEFT -> inWidth(b, width) ? a.shiftLeft(b.intValue()) : BigInteger.ZERO;
      case SHIFT_RIGHT -> a.shiftRight(inWidth(b, width) ? b.intValue() : width);
      case NEG -> a.negate();
      case ABS -> a.abs();
      case SIGN -> BigInteger.valueOf(a.signum());
      case FLOOR, CEIL, ROUND, TRUNC -> a;
      case RELU -> a.max(BigInteger.ZERO);
      case CLAMP -> a.max(b).min(x[2]);
      default -> throw new IllegalArgumentException(function.toString());
    };
  }

  private static final BigInteger ONE = BigInteger.ONE;

  private static BigInteger truth(boolean value, BigInteger one) {
    return value ? one : BigInteger.ZERO;
  }

  private static boolean inWidth(BigInteger count, int width) {
    return count.signum() >= 0 && count.compareTo(BigInteger.valueOf(width)) < 0;
  }

  private static BigInteger floorDivide(BigInteger a, BigInteger b) {
    if (b.signum() == 0) {
      return BigInteger.ZERO;
    }
    BigInteger[] parts = a.divideAndRemainder(b);
    boolean below = parts[1].signum() != 0 && parts[1].signum() != b.signum();
    return below ? parts[0].subtract(ONE) : parts[0];
  }

  /** Modulo 2^64, which every narrower width divides. */
  private static BigInteger pow(BigInteger base, BigInteger exponent) {
    if (exponent.signum() >= 0) {
      return base.modPow(exponent, ONE.shiftLeft(64));
    }
    if (base.abs().equals(ONE)) {
      return exponent.testBit(0) ? base : ONE;
    }
    return BigInteger.ZERO;
  }
}

package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/**
 * Computes functions of literals once, on the host, as Python computes its numbers before PyTorch
 * sees them: in double precision and 64-bit integers. {@code StrictMath} makes the result the same
 * on every machine. What is not in the tables stays for the device, in the same types.
 */
final class LiteralFolding {

  private static final Map<Function, DoubleUnaryOperator> FLOATING_UNARY =
      new EnumMap<>(
          Map.ofEntries(
              Map.entry(Function.NEG, x -> -x),
              Map.entry(Function.ABS, Math::abs),
              Map.entry(Function.FLOOR, StrictMath::floor),
              Map.entry(Function.CEIL, StrictMath::ceil),
              Map.entry(Function.ROUND, StrictMath::rint),
              Map.entry(Function.RECIPROCAL, x -> 1 / x),
              Map.entry(Function.SQRT, StrictMath::sqrt),
              Map.entry(Function.EXP, StrictMath::exp),
              Map.entry(Function.EXPM1, StrictMath::expm1),
              Map.entry(Function.LOG, StrictMath::log),
              Map.entry(Function.LOG10, StrictMath::log10),
              Map.entry(Function.LOG1P, StrictMath::log1p),
              Map.entry(Function.SIN, StrictMath::sin),
              Map.entry(Function.COS, StrictMath::cos),
              Map.entry(Function.TAN, StrictMath::tan),
              Map.entry(Function.ASIN, StrictMath::asin),
              Map.entry(Function.ACOS, StrictMath::acos),
              Map.entry(Function.ATAN, StrictMath::atan),
              Map.entry(Function.SINH, StrictMath::sinh),
              Map.entry(Function.COSH, StrictMath::cosh),
              Map.entry(Function.TANH, StrictMath::tanh)));

  private static final Map<Function, DoubleBinaryOperator> FLOATING_BINARY =
      new EnumMap<>(
          Map.of(
              Function.ADD, Double::sum,
              Function.SUB, (a, b) -> a - b,
              Function.MUL, (a, b) -> a * b,
              Function.DIV, (a, b) -> a / b,
              Function.POW, LiteralFolding::pow,
              Function.MAXIMUM, StrictMath::max,
              Function.MINIMUM, StrictMath::min,
              Function.ATAN2, StrictMath::atan2,
              Function.HYPOT, StrictMath::hypot));

  private static final Map<Function, LongUnaryOperator> INTEGER_UNARY =
      new EnumMap<>(
          Map.of(
              Function.NEG, Math::negateExact,
              Function.ABS, Math::absExact,
              Function.SIGN, Long::signum,
              Function.BITWISE_NOT, x -> ~x));

  private static final Map<Function, LongBinaryOperator> INTEGER_BINARY =
      new EnumMap<>(
          Map.of(
              Function.ADD, Math::addExact,
              Function.SUB, Math::subtractExact,
              Function.MUL, Math::multiplyExact,
              Function.POW, LiteralFolding::powExact,
              Function.MAXIMUM, Math::max,
              Function.MINIMUM, Math::min,
              Function.BITWISE_AND, (a, b) -> a & b,
              Function.BITWISE_OR, (a, b) -> a | b,
              Function.BITWISE_XOR, (a, b) -> a ^ b));

  private LiteralFolding() {}

  /**
   * Bits of the result, or nothing if the function is left to the device.
   *
   * @param common type of all arguments: F64 or I64, else nothing is folded
   * @throws ExpressionException if an integer result does not fit 64 bits
   */
  static OptionalLong fold(Function function, DType common, List<TypedNode> arguments) {
    long[] bits = new long[arguments.size()];
    for (int i = 0; i < bits.length; i++) {
      if (!(arguments.get(i).operation() instanceof Operation.Constant(long value))
          || arguments.get(i).type() != common) {
        return OptionalLong.empty();
      }
      bits[i] = value;
    }
    return switch (common) {
      case F64 -> floating(function, bits);
      case I64 -> integer(function, bits);
      default -> OptionalLong.empty();
    };
  }

  private static OptionalLong floating(Function function, long[] bits) {
    double a = Double.longBitsToDouble(bits[0]);
    if (FLOATING_UNARY.get(function) instanceof DoubleUnaryOperator operator) {
      return OptionalLong.of(Scalars.bits(operator.applyAsDouble(a)));
    }
    if (FLOATING_BINARY.get(function) instanceof DoubleBinaryOperator operator) {
      double b = Double.longBitsToDouble(bits[1]);
      return OptionalLong.of(Scalars.bits(operator.applyAsDouble(a, b)));
    }
    return OptionalLong.empty();
  }

  private static OptionalLong integer(Function function, long[] bits) {
    try {
      if (INTEGER_UNARY.get(function) instanceof LongUnaryOperator operator) {
        return OptionalLong.of(operator.applyAsLong(bits[0]));
      }
      if (INTEGER_BINARY.get(function) instanceof LongBinaryOperator operator) {
        return OptionalLong.of(operator.applyAsLong(bits[0], bits[1]));
      }
      return OptionalLong.empty();
    } catch (ArithmeticException _) {
      throw new ExpressionException(
          "integer literals overflow: function=%s, expected=a 64-bit result, or a decimal point"
              .formatted(function.functionName()));
    }
  }

  /** Python's power, which is C's: 1 for a base of 1, and of -1 with an infinite exponent. */
  private static double pow(double base, double exponent) {
    boolean one = base == 1 || (base == -1 && Double.isInfinite(exponent));
    return one ? 1 : StrictMath.pow(base, exponent);
  }

  /** The power for an {@code exponent} >= 0; from base 2 on it overflows within 63 rounds. */
  private static long powExact(long base, long exponent) {
    if (base == 0 || base == 1) {
      return exponent == 0 ? 1 : base;
    }
    if (base == -1) {
      return exponent % 2 == 0 ? 1 : -1;
    }
    long result = 1;
    for (long i = 0; i < exponent; i++) {
      result = Math.multiplyExact(result, base);
    }
    return result;
  }
}

package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.OptionalLong;

/**
 * The representation of scalar values as 64 bits that {@link Kernel.Node.Constant} defines: {@code
 * Double.doubleToRawLongBits} for floating types, the sign-extended integer for the others.
 */
final class Scalars {

  private Scalars() {}

  /** Bits of a floating value; every NaN has the same. */
  static long bits(double value) {
    return Double.doubleToLongBits(value);
  }

  /** The value as a double; rounds an I64 beyond 2^53. */
  static double asDouble(DType type, long bits) {
    return type.isFloating() ? Double.longBitsToDouble(bits) : (double) bits;
  }

  static boolean isZero(DType type, long bits) {
    return asDouble(type, bits) == 0;
  }

  /** Smallest value of an integer type or BOOL. */
  static long min(DType type) {
    return type == DType.U8 || type == DType.BOOL ? 0 : Long.MIN_VALUE >> (64 - 8 * type.bytes());
  }

  /** Largest value of an integer type or BOOL. */
  static long max(DType type) {
    return switch (type) {
      case U8 -> 255;
      case BOOL -> 1;
      default -> Long.MAX_VALUE >> (64 - 8 * type.bytes());
    };
  }

  /** Whether {@code bits} represent a value of {@code type}. */
  static boolean fits(DType type, long bits) {
    return type.isFloating() || (bits >= min(type) && bits <= max(type));
  }

  /** Bits of an integer, or the truth value 0 or 1, as a constant of a floating type. */
  static long toFloating(DType type, long integer) {
    return bits(type == DType.F64 ? (double) integer : (double) (float) integer);
  }

  /** Bits of a floating value as a constant of a floating type, in that type's compute type. */
  static long toFloating(DType type, double value) {
    return bits(type == DType.F64 ? value : (double) (float) value);
  }

  /** The value converted to another type, if that changes nothing about it. */
  static OptionalLong convertExactly(DType from, long bits, DType to) {
    double value = asDouble(from, bits);
    if (to == DType.F64 || to == DType.F32) {
      double converted = to == DType.F64 ? value : (float) value;
      boolean exact = from.isFloating() ? same(converted, value) : isInteger(converted, bits);
      return exact ? OptionalLong.of(bits(converted)) : OptionalLong.empty();
    }
    if (to.isFloating()) {
      return OptionalLong.empty();
    }
    long integer = from.isFloating() ? (long) value : bits;
    boolean exact = !from.isFloating() || isInteger(value, integer);
    return exact && fits(to, integer) ? OptionalLong.of(integer) : OptionalLong.empty();
  }

  private static boolean same(double a, double b) {
    return Double.doubleToLongBits(a) == Double.doubleToLongBits(b);
  }

  /** Whether the double is that integer; 2^63, which casts to the largest long, is not. */
  private static boolean isInteger(double value, long integer) {
    return (long) value == integer && (double) integer == value && value != 0x1p63;
  }

  /** As the expression language and {@link KernelText} write the value; exact. */
  static String text(DType type, long bits) {
    if (type == DType.BOOL) {
      return bits == 0 ? "false" : "true";
    }
    if (!type.isFloating()) {
      return Long.toString(bits);
    }
    double value = Double.longBitsToDouble(bits);
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    return Double.isNaN(value) ? "nan" : Double.toString(value);
  }
}

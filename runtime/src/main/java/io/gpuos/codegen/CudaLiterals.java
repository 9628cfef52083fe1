package io.gpuos.codegen;

import io.gpuos.ir.Kernel.Node;
import java.util.Locale;

/** Constants as C++ literals that carry every bit: hexadecimal for floating types. */
final class CudaLiterals {

  private CudaLiterals() {}

  /** The value of {@code constant} in its computed type. */
  static String of(Node.Constant constant) {
    long bits = constant.bits();
    return switch (constant.type()) {
      case F64 -> of(Double.longBitsToDouble(bits));
      case F32, F16, BF16 -> of((float) Double.longBitsToDouble(bits));
      // The least value has no literal: it would be the negation of one that does not fit.
      case I64 -> bits == Long.MIN_VALUE ? "(-9223372036854775807ll - 1)" : bits + "ll";
      case I32 -> bits == Integer.MIN_VALUE ? "(-2147483647 - 1)" : Long.toString(bits);
      case I16, I8, U8 -> Long.toString(bits);
      case BOOL -> bits != 0 ? "true" : "false";
    };
  }

  static String of(double value) {
    if (Double.isFinite(value)) {
      return Double.toHexString(value);
    }
    return String.format(
        Locale.ROOT, "gpuos::double_of(0x%016xull)", Double.doubleToLongBits(value));
  }

  static String of(float value) {
    if (Float.isFinite(value)) {
      return Float.toHexString(value) + "f";
    }
    return String.format(Locale.ROOT, "gpuos::float_of(0x%08xu)", Float.floatToIntBits(value));
  }
}

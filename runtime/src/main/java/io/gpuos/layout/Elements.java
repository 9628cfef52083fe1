package io.gpuos.layout;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * One element in memory, as a Java number. Byte order is the machine's; offsets are in bytes and
 * need no alignment. Conversions, which are also those of operators on every device:
 *
 * <ul>
 *   <li>to a floating type: to nearest, ties to even, rounded once;
 *   <li>floating to I64 and I32: cut off towards 0, beyond the range the nearest end, NaN becomes
 *       0;
 *   <li>floating to I16, I8 and U8: as to I32, then the low bits of that;
 *   <li>integer to a narrower integer: wrapped;
 *   <li>to BOOL: whether it is other than 0, so true for NaN; from BOOL: 0 or 1.
 * </ul>
 */
public final class Elements {

  private Elements() {}

  /** The element as a {@code double}; exact but for I64 values beyond 2^53. */
  public static double getDouble(MemorySegment memory, long byteOffset, DType type) {
    return switch (type) {
      case F64 -> memory.get(JAVA_DOUBLE_UNALIGNED, byteOffset);
      case F32 -> memory.get(JAVA_FLOAT_UNALIGNED, byteOffset);
      case F16 -> HalfFloat.f16ToFloat(memory.get(JAVA_SHORT_UNALIGNED, byteOffset));
      case BF16 -> HalfFloat.bf16ToFloat(memory.get(JAVA_SHORT_UNALIGNED, byteOffset));
      case I64, I32, I16, I8, U8, BOOL -> getInteger(memory, byteOffset, type);
    };
  }

  /** The element as a {@code long}; exact for integer types. */
  public static long getLong(MemorySegment memory, long byteOffset, DType type) {
    return type.isFloating()
        ? (long) getDouble(memory, byteOffset, type)
        : getInteger(memory, byteOffset, type);
  }

  /** Writes a value converted to the type. */
  public static void setDouble(MemorySegment memory, long byteOffset, DType type, double value) {
    switch (type) {
      case F64 -> memory.set(JAVA_DOUBLE_UNALIGNED, byteOffset, value);
      case F32 -> memory.set(JAVA_FLOAT_UNALIGNED, byteOffset, (float) value);
      case F16 -> memory.set(JAVA_SHORT_UNALIGNED, byteOffset, HalfFloat.doubleToF16(value));
      case BF16 -> memory.set(JAVA_SHORT_UNALIGNED, byteOffset, HalfFloat.doubleToBf16(value));
      case I64 -> setInteger(memory, byteOffset, type, (long) value);
      case I32, I16, I8, U8 -> setInteger(memory, byteOffset, type, (int) value);
      case BOOL -> memory.set(JAVA_BYTE, byteOffset, truth(value != 0));
    }
  }

  /** Writes a value converted to the type. */
  public static void setLong(MemorySegment memory, long byteOffset, DType type, long value) {
    switch (type) {
      case F64 -> memory.set(JAVA_DOUBLE_UNALIGNED, byteOffset, (double) value);
      case F32 -> memory.set(JAVA_FLOAT_UNALIGNED, byteOffset, (float) value);
      case F16 -> memory.set(JAVA_SHORT_UNALIGNED, byteOffset, HalfFloat.longToF16(value));
      case BF16 -> memory.set(JAVA_SHORT_UNALIGNED, byteOffset, HalfFloat.longToBf16(value));
      case I64, I32, I16, I8, U8 -> setInteger(memory, byteOffset, type, value);
      case BOOL -> memory.set(JAVA_BYTE, byteOffset, truth(value != 0));
    }
  }

  private static long getInteger(MemorySegment memory, long byteOffset, DType type) {
    return switch (type) {
      case I64 -> memory.get(JAVA_LONG_UNALIGNED, byteOffset);
      case I32 -> memory.get(JAVA_INT_UNALIGNED, byteOffset);
      case I16 -> memory.get(JAVA_SHORT_UNALIGNED, byteOffset);
      case I8 -> memory.get(JAVA_BYTE, byteOffset);
      case U8 -> Byte.toUnsignedLong(memory.get(JAVA_BYTE, byteOffset));
      case BOOL -> memory.get(JAVA_BYTE, byteOffset) == 0 ? 0 : 1;
      case F64, F32, F16, BF16 -> throw new AssertionError(type);
    };
  }

  private static void setInteger(MemorySegment memory, long byteOffset, DType type, long value) {
    switch (type) {
      case I64 -> memory.set(JAVA_LONG_UNALIGNED, byteOffset, value);
      case I32 -> memory.set(JAVA_INT_UNALIGNED, byteOffset, (int) value);
      case I16 -> memory.set(JAVA_SHORT_UNALIGNED, byteOffset, (short) value);
      case I8, U8 -> memory.set(JAVA_BYTE, byteOffset, (byte) value);
      case F64, F32, F16, BF16, BOOL -> throw new AssertionError(type);
    }
  }

  private static byte truth(boolean value) {
    return (byte) (value ? 1 : 0);
  }
}

package io.gpuos.codegen;

/** Conversions of the two 16-bit floating types; round to nearest, ties to even. Pure. */
final class Halves {

  /** Set in the mantissa of a NaN, so that cutting its low bits off leaves a NaN. */
  private static final int QUIET_BIT = 0x40;

  private Halves() {}

  /** Nearest IEEE binary16 value, as float. */
  static float roundToF16(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }

  /** Nearest bfloat16 value, as float. */
  static float roundToBf16(float value) {
    return fromBf16(toBf16(value));
  }

  /** A bfloat16 is the upper half of a float. */
  static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Bits of the nearest bfloat16; adding just under half of its last place rounds to even. */
  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int rounded = bits + 0x7FFF + (bits >>> 16 & 1);
    return (short) ((value != value ? bits | QUIET_BIT << 16 : rounded) >>> 16);
  }
}

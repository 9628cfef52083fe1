package io.gpuos.layout;

/**
 * The two 16-bit floating types, as {@code short} bits: F16 (IEEE 754 binary16) and BF16 (the upper
 * half of a {@code float}). Conversions to them round to nearest, ties to even, once; values beyond
 * the largest become infinite, NaN stays NaN with its sign.
 */
public final class HalfFloat {

  private static final int QUIET = 0x0040;

  private HalfFloat() {}

  /** Nearest F16. */
  public static short floatToF16(float value) {
    return Float.floatToFloat16(value);
  }

  /** Nearest F16. Not the same as going through the nearest {@code float}, which rounds twice. */
  public static short doubleToF16(double value) {
    return Float.floatToFloat16(roundToOdd(value));
  }

  /** Nearest F16. */
  public static short longToF16(long value) {
    return Float.floatToFloat16(roundToOdd(value));
  }

  /** The value, exactly. */
  public static float f16ToFloat(short bits) {
    return Float.float16ToFloat(bits);
  }

  /** Nearest BF16. */
  public static short floatToBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | QUIET);
    }
    // Half of the last place, less one where the result would be even: ties then stay below.
    int half = 0x7fff + ((bits >>> 16) & 1);
    return (short) ((bits + half) >>> 16);
  }

  /** Nearest BF16, rounded once. */
  public static short doubleToBf16(double value) {
    return floatToBf16(roundToOdd(value));
  }

  /** Nearest BF16, rounded once. */
  public static short longToBf16(long value) {
    return floatToBf16(roundToOdd(value));
  }

  /** The value, exactly. */
  public static float bf16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /**
   * The {@code float} next to the value on the side of 0, its last bit set if anything was cut off.
   * A further rounding to at least two bits less then sees on which side of a tie the value lay:
   * round to odd, after Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved
   * algorithms using rounding to odd" (2008).
   */
  private static float roundToOdd(double value) {
    float nearest = (float) value;
    if (nearest == value || Double.isNaN(value)) {
      return nearest;
    }
    return odd(nearest, Math.abs((double) nearest) > Math.abs(value));
  }

  private static float roundToOdd(long value) {
    float nearest = (float) value;
    // 2^63 comes back as the largest long; taken for exact there, as it is for 16 bits.
    long back = (long) nearest;
    if (back == value) {
      return nearest;
    }
    boolean tooLarge = value < 0 ? back < value : back > value;
    return odd(nearest, tooLarge);
  }

  /** One step towards 0 if {@code tooLarge} in magnitude, then the last bit set. */
  private static float odd(float nearest, boolean tooLarge) {
    int bits = Float.floatToRawIntBits(nearest) - (tooLarge ? 1 : 0);
    return Float.intBitsToFloat(bits | 1);
  }
}

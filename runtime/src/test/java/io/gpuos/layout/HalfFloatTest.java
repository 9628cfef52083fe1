package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class HalfFloatTest {

  private static double f16(int bits) {
    return HalfFloat.f16ToFloat((short) bits);
  }

  private static double bf16(int bits) {
    return HalfFloat.bf16ToFloat((short) bits);
  }

  @Test
  void shouldReturnEveryValueUnchanged() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      short half = (short) bits;
      float f16 = HalfFloat.f16ToFloat(half);
      float bf16 = HalfFloat.bf16ToFloat(half);
      if (!Float.isNaN(f16)) {
        assertEquals(half, HalfFloat.floatToF16(f16));
        assertEquals(half, HalfFloat.doubleToF16(f16));
      }
      if (!Float.isNaN(bf16)) {
        assertEquals(half, HalfFloat.floatToBf16(bf16));
        assertEquals(half, HalfFloat.doubleToBf16(bf16));
      }
    }
  }

  @Test
  void shouldRoundToNearestTiesToEven() {
    for (int bits = 0; bits < 0x7c00; bits++) {
      assertRoundsAround(bits, HalfFloatTest::f16, true);
    }
    for (int bits = 0; bits < 0x7f80; bits++) {
      assertRoundsAround(bits, HalfFloatTest::bf16, false);
    }
  }

  /** Around the middle between a value and the next: below, on it, above, in both signs. */
  private static void assertRoundsAround(int bits, IntToDoubleFunction value, boolean f16) {
    double low = value.applyAsDouble(bits);
    double next = value.applyAsDouble(bits + 1);
    // The step beyond the largest value is as long as the one before it.
    double high = Double.isInfinite(next) ? 2 * low - value.applyAsDouble(bits - 1) : next;
    double middle = low + (high - low) / 2;
    int even = (bits & 1) == 0 ? bits : bits + 1;
    assertRounds(even, middle, f16);
    assertRounds(bits, Math.nextDown(middle), f16);
    assertRounds(bits + 1, Math.nextUp(middle), f16);
    assertRounds(bits, Math.nextUp(low), f16);
    assertRounds(bits + 1, Math.nextDown(high), f16);
  }

  private static void assertRounds(int expected, double value, boolean f16) {
    short plus = f16 ? HalfFloat.doubleToF16(value) : HalfFloat.doubleToBf16(value);
    short minus = f16 ? HalfFloat.doubleToF16(-value) : HalfFloat.doubleToBf16(-value);
    assertEquals((short) expected, plus, () -> "of " + value);
    assertEquals((short) (expected | 0x8000), minus, () -> "of " + -value);
    if ((float) value == value) {
      short single =
          f16 ? HalfFloat.floatToF16((float) value) : HalfFloat.floatToBf16((float) value);
      assertEquals((short) expected, single, () -> "of float " + value);
    }
  }

  @Test
  void shouldNotRoundTwice() {
    double justAboveTie = 1 + 0x1p-11 + 0x1p-40;
    assertEquals(HalfFloat.floatToF16(1f), HalfFloat.floatToF16((float) justAboveTie));
    assertNotEquals(HalfFloat.floatToF16(1f), HalfFloat.doubleToF16(justAboveTie));
    long justAbove = (1L << 60) + (1L << 52) + 1;
    assertEquals(HalfFloat.floatToBf16(0x1p60f), HalfFloat.floatToBf16((float) justAbove));
    assertNotEquals(HalfFloat.floatToBf16(0x1p60f), HalfFloat.longToBf16(justAbove));
  }

  @Test
  void shouldRoundLongsAsExactDecimals() {
    Random random = new Random(8);
    for (int i = 0; i < 200_000; i++) {
      long value = random.nextLong() >> random.nextInt(64);
      if (i < 64) {
        value = Long.MIN_VALUE >> i;
      } else if (i < 128) {
        value = Long.MAX_VALUE >> (i - 64);
      }
      assertNearest(value, HalfFloat.longToBf16(value), HalfFloatTest::bf16, 0x7f7f);
      assertNearest(value, HalfFloat.longToF16(value), HalfFloatTest::f16, 0x7bff);
    }
  }

  private static void assertNearest(long value, short found, IntToDoubleFunction type, int max) {
    int magnitude = found & 0x7fff;
    double back = type.applyAsDouble(found);
    if (magnitude > max) {
      double largest = type.applyAsDouble(max);
      double step = largest - type.applyAsDouble(max - 1);
      assertTrue(Math.abs((double) value) >= largest + step / 2, () -> "of " + value);
      return;
    }
    BigDecimal distance = distance(value, back);
    for (int neighbour : new int[] {magnitude - 1, magnitude + 1}) {
      if (neighbour < 0 || neighbour > max) {
        continue;
      }
      double other = type.applyAsDouble(neighbour | (found & 0x8000));
      int order = distance.compareTo(distance(value, other));
      assertTrue(order < 0 || (order == 0 && (magnitude & 1) == 0), () -> "of " + value);
    }
  }

  private static BigDecimal distance(long value, double other) {
    return new BigDecimal(value).subtract(new BigDecimal(other)).abs();
  }

  @Test
  void shouldKeepInfinitiesAndNaN() {
    assertEquals(0x7c00, HalfFloat.doubleToF16(Double.POSITIVE_INFINITY));
    assertEquals(0x7c00, HalfFloat.doubleToF16(1e300));
    assertEquals((short) 0xff80, HalfFloat.doubleToBf16(-1e300));
    assertEquals((short) 0xff80, HalfFloat.floatToBf16(Float.NEGATIVE_INFINITY));
    assertEquals((short) 0x8000, HalfFloat.doubleToBf16(-1e-300));
    assertEquals((short) 0x8000, HalfFloat.doubleToF16(-0.0));
    assertTrue(Float.isNaN(HalfFloat.f16ToFloat(HalfFloat.doubleToF16(Double.NaN))));
    // A payload in the low half alone must not become an infinity.
    for (int bits : new int[] {0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000}) {
      short half = HalfFloat.floatToBf16(Float.intBitsToFloat(bits));
      assertTrue(Float.isNaN(HalfFloat.bf16ToFloat(half)), () -> Integer.toHexString(bits));
      assertEquals(bits < 0, half < 0);
    }
  }
}

package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class HalvesTest {

  @Test
  void shouldKeepEveryBf16() {
    for (int bits = Short.MIN_VALUE; bits <= Short.MAX_VALUE; bits++) {
      float value = Halves.fromBf16((short) bits);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(Halves.roundToBf16(value)));
      } else {
        assertEquals((short) bits, Halves.toBf16(value));
        assertEquals(value, Halves.roundToBf16(value));
      }
    }
  }

  @Test
  void shouldRoundToTheNearestBf16() {
    Random random = new Random(1);
    for (int i = 0; i < 100_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      assertEquals(NaiveKernel.bf16(value), Halves.toBf16(value), "of " + value);
    }
    assertEquals(1.0f, Halves.roundToBf16(1.00390625f), "tie to even, down");
    assertEquals(1.015625f, Halves.roundToBf16(1.01171875f), "tie to even, up");
    assertEquals(Float.POSITIVE_INFINITY, Halves.roundToBf16(Float.MAX_VALUE));
  }

  @Test
  void shouldKeepNanWhoseHighBitsAreThoseOfInfinity() {
    assertTrue(Float.isNaN(Halves.roundToBf16(Float.intBitsToFloat(0x7F800001))));
    assertTrue(Float.isNaN(Halves.roundToBf16(Float.intBitsToFloat(0xFF800001))));
    assertTrue(Float.isNaN(Halves.roundToBf16(Float.intBitsToFloat(0x7FFFFFFF))));
  }
}

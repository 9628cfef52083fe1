package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class ElementsTest {

  /** Odd, so that every access is unaligned. */
  private static final long AT = 3;

  @Test
  void shouldReturnWhatEachTypeCanHold() {
    assertDouble(DType.F64, 0.1, 0.1);
    assertDouble(DType.F32, 0.1, 0.1f);
    assertDouble(DType.F16, 0.1, 0.0999755859375);
    assertDouble(DType.BF16, 0.1, 0.10009765625);
    assertDouble(DType.I64, -3.9, -3);
    assertDouble(DType.I32, 3.9, 3);
    assertDouble(DType.I16, 70000, 70000 - 65536);
    assertDouble(DType.I8, 200, -56);
    assertDouble(DType.U8, 200, 200);
    assertDouble(DType.U8, -1, 255);
    assertDouble(DType.BOOL, 0.5, 1);
    assertDouble(DType.BOOL, -0.0, 0);
  }

  @Test
  void shouldGiveNaNAMeaningInEveryType() {
    for (DType type : DType.values()) {
      double expected = type.isFloating() ? Double.NaN : type == DType.BOOL ? 1 : 0;
      assertDouble(type, Double.NaN, expected);
    }
  }

  @Test
  void shouldTakeTheNearestEndOfARange() {
    assertDouble(DType.I64, 1e300, 0x1p63);
    assertDouble(DType.I64, Double.NEGATIVE_INFINITY, -0x1p63);
    assertDouble(DType.I32, 3e9, Integer.MAX_VALUE);
    assertDouble(DType.I32, -3e9, Integer.MIN_VALUE);
    assertDouble(DType.I16, 3e9, -1);
    assertDouble(DType.I16, 40000.5, 40000 - 65536);
    assertDouble(DType.I8, -3e9, 0);
    assertDouble(DType.U8, 3e9, 255);
    assertDouble(DType.U8, 300, 44);
  }

  @Test
  void shouldKeepLongsExactInIntegerTypes() {
    assertLong(DType.I64, Long.MAX_VALUE - 1, Long.MAX_VALUE - 1);
    assertLong(DType.I32, (1L << 40) + 5, 5);
    assertLong(DType.I16, 40000, 40000 - 65536);
    assertLong(DType.I8, -129, 127);
    assertLong(DType.U8, -129, 127);
    assertLong(DType.BOOL, 256, 1);
    assertLong(DType.F64, 1L << 53, 1L << 53);
    assertLong(DType.F32, (1L << 24) + 1, 1L << 24);
    assertLong(DType.F16, 2049, 2048);
    assertLong(DType.BF16, 257, 256);
  }

  @Test
  void shouldReadAnyByteButZeroAsTrue() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(4);
      memory.set(ValueLayout.JAVA_BYTE, 1, (byte) 0x80);
      assertEquals(1, Elements.getLong(memory, 1, DType.BOOL));
      assertEquals(0, Elements.getLong(memory, 2, DType.BOOL));
    }
  }

  private static void assertDouble(DType type, double written, double expected) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = guarded(arena);
      Elements.setDouble(memory, AT, type, written);
      assertEquals(expected, Elements.getDouble(memory, AT, type), type::name);
      assertGuards(memory, type);
    }
  }

  private static void assertLong(DType type, long written, long expected) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = guarded(arena);
      Elements.setLong(memory, AT, type, written);
      assertEquals(expected, Elements.getLong(memory, AT, type), type::name);
      assertGuards(memory, type);
    }
  }

  private static MemorySegment guarded(Arena arena) {
    return arena.allocate(16).fill((byte) 0x55);
  }

  private static void assertGuards(MemorySegment memory, DType type) {
    assertEquals(0x55, memory.get(ValueLayout.JAVA_BYTE, AT - 1));
    assertEquals(0x55, memory.get(ValueLayout.JAVA_BYTE, AT + type.bytes()));
  }
}

package io.gpuos.layout;

import static io.gpuos.layout.LayoutTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.error.ShapeException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ElementCopyTest {

  private static final int BYTES = 1 << 14;

  @Test
  void shouldCopyEveryElementAndNothingElse() {
    Random random = new Random(9);
    for (int i = 0; i < 3000; i++) {
      long[] shape = Cases.shape(random, 4);
      DType fromType = Cases.dtype(random);
      DType toType = random.nextBoolean() ? fromType : Cases.dtype(random);
      Layout from = Cases.layout(random, fromType, Cases.broadcastable(random, shape));
      Layout to = withoutRepeats(random, toType, shape);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment source = randomBytes(random, arena);
        MemorySegment target = arena.allocate(BYTES).fill((byte) 0x33);
        MemorySegment expected = arena.allocate(BYTES).fill((byte) 0x33);
        Cases.forEachIndex(
            shape,
            index -> {
              long at = BYTES / 2 + Cases.broadcastOffset(from, index) * fromType.bytes();
              long into = BYTES / 2 + Cases.offset(to, index) * toType.bytes();
              if (fromType == toType) {
                MemorySegment.copy(source, at, expected, into, fromType.bytes());
              } else if (fromType.isFloating()) {
                Elements.setDouble(
                    expected, into, toType, Elements.getDouble(source, at, fromType));
              } else {
                Elements.setLong(expected, into, toType, Elements.getLong(source, at, fromType));
              }
            });
        ElementCopy.copy(source, BYTES / 2, from, target, BYTES / 2, to);
        assertEquals(-1, expected.mismatch(target), () -> from + " -> " + to);
      }
    }
  }

  @Test
  void shouldReturnArraysWrittenThroughAView() {
    View view =
        View.of(Layout.contiguous(DType.F32, 3, 4)).transpose(0, 1).flip(0).slice(1, 0, 3, 2);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(48);
      long offset = view.elementOffset() * 4;
      double[] values = {1, 2, 3, 4, 5, 6, 7, 8};
      ElementCopy.fromDoubles(values, memory, offset, view.layout());
      assertArrayEquals(values, ElementCopy.toDoubles(memory, offset, view.layout()));
      assertArrayEquals(
          new double[] {7, 5, 3, 1, 0, 0, 0, 0, 8, 6, 4, 2},
          ElementCopy.toDoubles(memory, 0, Layout.contiguous(DType.F32, 12)));
    }
  }

  @Test
  void shouldConvertArraysOfEachKind() {
    Layout bytes = Layout.contiguous(DType.U8, 3);
    MemorySegment memory = MemorySegment.ofArray(new byte[3]);
    ElementCopy.fromInts(new int[] {1, 256, 255}, memory, 0, bytes);
    assertArrayEquals(new int[] {1, 0, 255}, ElementCopy.toInts(memory, 0, bytes));
    assertArrayEquals(new boolean[] {true, false, true}, ElementCopy.toBooleans(memory, 0, bytes));
    ElementCopy.fromLongs(new long[] {-1, 2, 3}, memory, 0, bytes);
    assertArrayEquals(new long[] {255, 2, 3}, ElementCopy.toLongs(memory, 0, bytes));
    ElementCopy.fromFloats(new float[] {1.9f, Float.NaN, 0}, memory, 0, bytes);
    assertArrayEquals(new float[] {1, 0, 0}, ElementCopy.toFloats(memory, 0, bytes));
    ElementCopy.fromBooleans(new boolean[] {false, true, false}, memory, 0, bytes);
    assertArrayEquals(new double[] {0, 1, 0}, ElementCopy.toDoubles(memory, 0, bytes));
  }

  @Test
  void shouldRefuseWhatDoesNotFit() {
    Layout line = Layout.contiguous(DType.F32, 3);
    MemorySegment memory = MemorySegment.ofArray(new float[3]);
    assertMessage(
        "array does not fit: length=2, shape=[3], expected=length 3",
        () -> ElementCopy.fromFloats(new float[2], memory, 0, line));
    assertMessage(
        "copy of another shape: from=F32[3], to=F32[2],"
            + " expected=a source that broadcasts to the target",
        () -> ElementCopy.copy(memory, 0, line, memory, 0, Layout.contiguous(DType.F32, 2)));
    assertThrows(
        ShapeException.class,
        () ->
            ElementCopy.toBooleans(
                memory, 0, Layout.of(DType.F32, new long[] {1L << 40}, new long[] {0})));
    assertThrows(IndexOutOfBoundsException.class, () -> ElementCopy.toFloats(memory, 4, line));
  }

  private static Layout withoutRepeats(Random random, DType dtype, long[] shape) {
    List<Layout> found = new ArrayList<>();
    while (found.isEmpty()) {
      Layout layout = Cases.layout(random, dtype, shape);
      if (!layout.hasInternalOverlap()) {
        found.add(layout);
      }
    }
    return found.getFirst();
  }

  private static MemorySegment randomBytes(Random random, Arena arena) {
    MemorySegment memory = arena.allocate(BYTES);
    for (long at = 0; at < BYTES; at += 8) {
      memory.set(java.lang.foreign.ValueLayout.JAVA_LONG, at, random.nextLong());
    }
    return memory;
  }
}

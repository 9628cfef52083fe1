package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ShapeException;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LayoutTest {

  @Test
  void shouldGiveOneObjectPerContent() {
    Layout made = Layout.of(DType.F32, new long[] {2, 3}, new long[] {3, 1});
    assertSame(Layout.contiguous(DType.F32, 2, 3), made);
    assertNotSame(Layout.contiguous(DType.I32, 2, 3), made);
    assertNotSame(Layout.of(DType.F32, new long[] {2, 3}, new long[] {1, 2}), made);
    assertNotSame(Layout.contiguous(DType.F32, 6), made);
    assertSame(made, made.withDType(DType.I32).withDType(DType.F32));
  }

  @Test
  void shouldNotShareArraysWithCallers() {
    long[] shape = {2, 3};
    long[] strides = {3, 1};
    Layout layout = Layout.of(DType.F32, shape, strides);
    shape[0] = 99;
    strides[0] = 99;
    layout.shape()[1] = 99;
    layout.strides()[1] = 99;
    assertArrayEquals(new long[] {2, 3}, layout.shape());
    assertArrayEquals(new long[] {3, 1}, layout.strides());
  }

  @Test
  void shouldDescribeScalarsAndEmptyTensors() {
    Layout scalar = Layout.contiguous(DType.F64);
    assertEquals(0, scalar.rank());
    assertEquals(1, scalar.elements());
    assertEquals(8, scalar.maxByteOffset());
    assertTrue(scalar.isContiguous());
    Layout empty = Layout.contiguous(DType.F64, 3, 0, 2);
    assertTrue(empty.isZeroSize());
    assertTrue(empty.isContiguous());
    assertEquals(0, empty.minByteOffset());
    assertEquals(0, empty.maxByteOffset());
    assertFalse(empty.hasInternalOverlap());
    assertArrayEquals(new long[] {2, 2, 1}, empty.strides());
  }

  @Test
  void shouldIgnoreStridesOfSizeOneWhenAskedForContiguity() {
    assertTrue(Layout.of(DType.F32, new long[] {1, 4}, new long[] {-77, 1}).isContiguous());
    assertFalse(Layout.of(DType.F32, new long[] {2, 4}, new long[] {5, 1}).isContiguous());
    assertFalse(Layout.of(DType.F32, new long[] {4}, new long[] {-1}).isContiguous());
  }

  @Test
  void shouldKnowTheBytesItTouches() {
    Random random = new Random(1);
    for (int i = 0; i < 2000; i++) {
      Layout layout =
          Cases.wildLayout(random, Cases.dtype(random), Cases.shape(random, Shapes.MAX_RANK - 3));
      long bytes = layout.dtype().bytes();
      List<Long> offsets = Cases.offsets(layout);
      assertEquals(offsets.size(), layout.elements());
      long low = offsets.stream().mapToLong(o -> o * bytes).min().orElse(0);
      long high = offsets.stream().mapToLong(o -> o * bytes + bytes).max().orElse(0);
      assertEquals(low, layout.minByteOffset(), layout::toString);
      assertEquals(high, layout.maxByteOffset(), layout::toString);
      for (int p = 0; p < offsets.size(); p++) {
        assertEquals(offsets.get(p), layout.offset(p));
      }
    }
  }

  @Test
  void shouldFindRepeatedElementsExactly() {
    Random random = new Random(2);
    int repeated = 0;
    for (int i = 0; i < 4000; i++) {
      long[] shape = Cases.shape(random, 4);
      Layout layout =
          random.nextBoolean()
              ? Cases.wildLayout(random, DType.F32, shape)
              : Cases.layout(random, DType.F32, shape);
      List<Long> offsets = Cases.offsets(layout);
      boolean expected = new HashSet<>(offsets).size() < offsets.size();
      assertEquals(expected, layout.hasInternalOverlap(), layout::toString);
      repeated += expected ? 1 : 0;
    }
    assertTrue(repeated > 400 && repeated < 3600, "both outcomes must come up: " + repeated);
  }

  @Test
  void shouldRefuseWhatDoesNotFitALong() {
    assertMessage(
        "size overflow: shape=[4294967296, 4294967296], expected=fewer than 2^63 elements",
        () -> Layout.contiguous(DType.U8, 1L << 32, 1L << 32));
    assertMessage(
        "size overflow: shape=[4294967296, 0, 4294967296], expected=fewer than 2^63 elements",
        () -> Layout.contiguous(DType.U8, 1L << 32, 0, 1L << 32));
    assertMessage(
        "size overflow: shape=[2305843009213693952], strides=[1], dtype=F64,"
            + " expected=a span of fewer than 2^62 bytes",
        () -> Layout.contiguous(DType.F64, 1L << 61));
    assertThrows(
        ShapeException.class,
        () -> Layout.of(DType.U8, new long[] {3}, new long[] {Long.MIN_VALUE}));
    Layout repeated = Layout.of(DType.F64, new long[] {1L << 62}, new long[] {0});
    assertEquals(1L << 62, repeated.elements());
    assertThrows(ShapeException.class, repeated::byteSize);
  }

  @Test
  void shouldRefuseMalformedShapes() {
    assertMessage(
        "negative size: shape=[2, -3], expected=sizes of 0 or more",
        () -> Layout.contiguous(DType.F32, 2, -3));
    assertMessage(
        "too many dimensions: shape=[1, 1, 1, 1, 1, 1, 1, 1, 1], rank=9, expected=at most 8",
        () -> Layout.contiguous(DType.F32, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    assertMessage(
        "strides do not fit the shape: shape=[2, 3], strides=[1],"
            + " expected=one stride per dimension",
        () -> Layout.of(DType.F32, new long[] {2, 3}, new long[] {1}));
  }

  @Test
  void shouldShowStridesOnlyWhereTheyMatter() {
    assertEquals("F32[2, 3]", Layout.contiguous(DType.F32, 2, 3).toString());
    assertEquals(
        "F32[2, 3] strides=[1, 2]",
        Layout.of(DType.F32, new long[] {2, 3}, new long[] {1, 2}).toString());
  }

  static void assertMessage(String expected, org.junit.jupiter.api.function.Executable action) {
    assertEquals(expected, assertThrows(ShapeException.class, action).getMessage());
  }
}

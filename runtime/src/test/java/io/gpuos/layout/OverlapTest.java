package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OverlapTest {

  private static final long BASE = 0x7f00_0000_0000L;

  @Test
  void shouldAgreeWithTheSetsOfBytes() {
    Random random = new Random(7);
    Map<Overlap, Integer> seen = new EnumMap<>(Overlap.class);
    for (int i = 0; i < 6000; i++) {
      Layout a = layout(random);
      Layout b = random.nextInt(4) == 0 ? a : layout(random);
      long addressA = BASE + random.nextInt(40);
      long addressB = random.nextInt(4) == 0 ? addressA : BASE + random.nextInt(400);
      Overlap found = Overlap.between(addressA, a, addressB, b);
      Set<Long> shared = bytes(addressA, a);
      shared.retainAll(bytes(addressB, b));
      assertEquals(
          shared.isEmpty(),
          found == Overlap.DISJOINT,
          () -> addressA + " " + a + ", " + addressB + " " + b + ": " + found);
      boolean alike =
          addressA == addressB
              && a.dtype().bytes() == b.dtype().bytes()
              && Cases.offsets(a).equals(Cases.offsets(b));
      assertTrue(alike || found != Overlap.IDENTICAL);
      seen.merge(found, 1, Integer::sum);
    }
    seen.values().forEach(count -> assertTrue(count > 300, seen::toString));
    assertEquals(3, seen.size());
  }

  @Test
  void shouldSeparateInterleavedColumns() {
    View matrix = View.of(Layout.contiguous(DType.F32, 1 << 20, 1 << 10));
    View even = matrix.slice(1, 0, View.END, 2);
    View odd = matrix.slice(1, 1, View.END, 2);
    assertEquals(Overlap.DISJOINT, between(even, odd));
    assertEquals(Overlap.DISJOINT, between(matrix.narrow(1, 0, 512), matrix.narrow(1, 512, 512)));
    assertEquals(Overlap.PARTIAL, between(matrix.narrow(1, 0, 513), matrix.narrow(1, 512, 512)));
    assertEquals(Overlap.PARTIAL, between(even, matrix));
    assertEquals(Overlap.PARTIAL, between(even, even.flip(0)));
    assertEquals(Overlap.IDENTICAL, between(even, even.unsqueeze(0)));
  }

  @Test
  void shouldCallATransposedSquarePartial() {
    View square = View.of(Layout.contiguous(DType.F32, 64, 64));
    assertEquals(Overlap.PARTIAL, between(square, square.transpose(0, 1)));
    assertEquals(Overlap.IDENTICAL, between(square, square));
  }

  @Test
  void shouldCompareReinterpretedTypesByBytes() {
    Layout words = Layout.contiguous(DType.F32, 8);
    assertEquals(Overlap.IDENTICAL, Overlap.between(BASE, words, BASE, words.withDType(DType.I32)));
    assertEquals(Overlap.PARTIAL, Overlap.between(BASE, words, BASE, words.withDType(DType.I8)));
    Layout halves = Layout.of(DType.F16, new long[] {4}, new long[] {2});
    assertEquals(Overlap.DISJOINT, Overlap.between(BASE, halves, BASE + 2, halves));
    assertEquals(Overlap.PARTIAL, Overlap.between(BASE, halves, BASE + 1, halves));
  }

  @Test
  void shouldNotMeetWhereThereIsNothing() {
    Layout empty = Layout.contiguous(DType.F32, 0);
    Layout some = Layout.contiguous(DType.F32, 4);
    assertEquals(Overlap.DISJOINT, Overlap.between(BASE, empty, BASE, some));
    assertEquals(Overlap.DISJOINT, Overlap.between(BASE, empty, BASE, empty));
    assertEquals(Overlap.DISJOINT, Overlap.between(BASE, some, BASE + 16, some));
    assertEquals(Overlap.PARTIAL, Overlap.between(BASE, some, BASE + 15, some));
  }

  @Test
  void shouldErrTowardsPartialRatherThanSearchForEver() {
    long large = 1L << 40;
    Layout contrived =
        Layout.of(
            DType.U8,
            new long[] {1 << 10, 1 << 10, 1 << 10, 1 << 10},
            new long[] {large + 7, large + 11, large + 13, large + 17});
    long started = System.nanoTime();
    Overlap found = Overlap.between(BASE, contrived, BASE + 3 * large + 1, contrived);
    assertNotEquals(Overlap.IDENTICAL, found);
    assertTrue(contrived.hasInternalOverlap());
    assertTrue(System.nanoTime() - started < 2_000_000_000L);
  }

  private static Overlap between(View a, View b) {
    return Overlap.between(
        BASE + a.elementOffset() * a.layout().dtype().bytes(),
        a.layout(),
        BASE + b.elementOffset() * b.layout().dtype().bytes(),
        b.layout());
  }

  private static Layout layout(Random random) {
    DType dtype = List.of(DType.F64, DType.F32, DType.F16, DType.I8).get(random.nextInt(4));
    long[] shape = Cases.shape(random, 3);
    return random.nextBoolean()
        ? Cases.wildLayout(random, dtype, shape)
        : Cases.layout(random, dtype, shape);
  }

  private static Set<Long> bytes(long address, Layout layout) {
    Set<Long> bytes = new HashSet<>();
    int width = layout.dtype().bytes();
    for (long offset : Cases.offsets(layout)) {
      for (int i = 0; i < width; i++) {
        bytes.add(address + offset * width + i);
      }
    }
    return bytes;
  }
}

package io.gpuos.layout;

import static io.gpuos.layout.LayoutTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Each view against index arithmetic: which element of the source does an index of it name? */
class ViewTest {

  private static final int CASES = 1500;

  private final Random random = new Random(4);

  @Test
  void shouldSliceAsPython() {
    for (int i = 0; i < CASES; i++) {
      View source = source(1);
      int dim = random.nextInt(source.layout().rank());
      long size = source.layout().size(dim);
      long start = bound(size);
      long stop = bound(size);
      long step = random.nextInt(-4, 5);
      if (step == 0) {
        continue;
      }
      List<Long> taken = pythonRange(size, start, stop, step);
      View view = source.slice(random.nextBoolean() ? dim : dim - rank(source), start, stop, step);
      assertEquals(taken.size(), view.layout().size(dim), () -> start + ":" + stop + ":" + step);
      assertSame(source, view, index -> with(index, dim, taken.get((int) index[dim])));
    }
  }

  @Test
  void shouldTakeOmittedSliceBoundsAsTheEnds() {
    View line = View.of(Layout.contiguous(DType.F32, 5));
    assertEquals(line, line.slice(0, 0, View.END));
    View backwards = line.slice(0, View.END, View.BEFORE_START, -2);
    assertEquals(List.of(0L, -2L, -4L), Cases.offsets(backwards.layout()));
    assertEquals(4, backwards.elementOffset());
    assertEquals(0, line.slice(0, 4, 2).layout().size(0));
    assertEquals(1, line.slice(0, 1, View.END, Long.MAX_VALUE).layout().size(0));
    assertEquals(1, line.slice(0, 1, View.BEFORE_START, Long.MIN_VALUE).layout().size(0));
    assertMessage("slice step: step=0, expected=a step other than 0", () -> line.slice(0, 0, 5, 0));
  }

  @Test
  void shouldSelectAnIndex() {
    for (int i = 0; i < CASES; i++) {
      View source = source(1);
      int dim = random.nextInt(rank(source));
      long size = source.layout().size(dim);
      if (size == 0) {
        assertThrows(ShapeException.class, () -> source.select(dim, 0));
        continue;
      }
      long at = random.nextInt((int) size);
      View view = source.select(dim, random.nextBoolean() ? at : at - size);
      assertSame(source, view, index -> inserted(index, dim, at));
    }
    View line = View.of(Layout.contiguous(DType.F32, 2, 5));
    assertMessage(
        "index out of range: index=5, shape=[2, 5], dim=1, expected=-5 to 4",
        () -> line.select(-1, 5));
    assertThrows(ShapeException.class, () -> line.select(1, -6));
  }

  @Test
  void shouldNarrowWithoutClamping() {
    View line = View.of(Layout.contiguous(DType.F32, 5));
    assertEquals(line.slice(0, 1, 4), line.narrow(0, 1, 3));
    assertEquals(line.slice(0, 3, 5), line.narrow(0, -2, 2));
    assertEquals(0, line.narrow(0, 5, 0).layout().size(0));
    assertMessage(
        "narrow out of range: start=3, length=3, shape=[5], dim=0, expected=within size 5",
        () -> line.narrow(0, 3, 3));
    assertThrows(ShapeException.class, () -> line.narrow(0, 0, -1));
    assertThrows(ShapeException.class, () -> line.narrow(0, -6, 1));
    assertThrows(ShapeException.class, () -> line.narrow(0, 6, 0));
  }

  @Test
  void shouldPermuteAndTranspose() {
    for (int i = 0; i < CASES; i++) {
      View source = source(0);
      int rank = rank(source);
      int[] order = permutation(rank);
      int[] asked = order.clone();
      for (int d = 0; d < rank; d++) {
        asked[d] -= random.nextBoolean() ? rank : 0;
      }
      View view = source.permute(asked);
      assertSame(
          source,
          view,
          index -> {
            long[] at = new long[rank];
            for (int d = 0; d < rank; d++) {
              at[order[d]] = index[d];
            }
            return at;
          });
      if (rank > 0) {
        int a = random.nextInt(rank);
        int b = random.nextInt(rank);
        assertSame(
            source,
            source.transpose(a, b - rank),
            index -> with(with(index, a, index[b]), b, index[a]));
      }
    }
    View view = View.of(Layout.contiguous(DType.F32, 2, 3));
    assertMessage(
        "permutation of dimensions: order=[0], shape=[2, 3], expected=each of 2 dimensions once",
        () -> view.permute(0));
    assertMessage(
        "axis named twice: axes=[0, -2], axis=0, rank=2, expected=each axis once",
        () -> view.permute(0, -2));
  }

  @Test
  void shouldExpandToLargerShapes() {
    for (int i = 0; i < CASES; i++) {
      long[] target = Cases.shape(random, 5);
      long[] small = Cases.broadcastable(random, target);
      View source = View.of(Cases.layout(random, DType.F32, small));
      int lead = target.length - small.length;
      long[] asked = target.clone();
      for (int d = lead; d < target.length; d++) {
        if (small[d - lead] == target[d] && random.nextBoolean()) {
          asked[d] = -1;
        }
      }
      View view = source.expand(asked);
      assertArrayEquals(target, view.layout().shape());
      assertSame(
          source,
          view,
          index -> {
            long[] at = new long[small.length];
            for (int d = 0; d < small.length; d++) {
              at[d] = small[d] == 1 ? 0 : index[lead + d];
            }
            return at;
          });
    }
    View view = View.of(Layout.contiguous(DType.F32, 2, 3));
    assertMessage(
        "cannot expand: shape=[2, 3], target=[4, 3],"
            + " expected=the same sizes where they are not 1",
        () -> view.expand(4, 3));
    assertThrows(ShapeException.class, () -> view.expand(-1, 2, 3));
    assertThrows(ShapeException.class, () -> view.expand(3));
    assertThrows(ShapeException.class, () -> view.expand(2, -2));
  }

  @Test
  void shouldReshapeExactlyWhereAViewExists() {
    int possible = 0;
    int impossible = 0;
    for (int i = 0; i < 4 * CASES; i++) {
      View source = source(0);
      long[] target = otherShape(source.layout().elements());
      List<Long> expected = Cases.offsets(source.layout());
      if (source.canReshape(target)) {
        View view = source.reshape(target);
        assertArrayEquals(target, view.layout().shape());
        assertEquals(source.elementOffset(), view.elementOffset());
        assertEquals(expected, Cases.offsets(view.layout()), source::toString);
        possible++;
      } else {
        assertFalse(someStridesFit(target, expected), source + " -> " + Shapes.format(target));
        assertTrue(
            assertThrows(ShapeException.class, () -> source.reshape(target))
                .getMessage()
                .startsWith("reshape needs a copy: "));
        impossible++;
      }
    }
    assertTrue(possible > 300 && impossible > 300, possible + " " + impossible);
  }

  @Test
  void shouldInferOneSizeOfAReshape() {
    View view = View.of(Layout.contiguous(DType.F32, 4, 6));
    assertArrayEquals(new long[] {3, 8}, view.reshape(3, -1).layout().shape());
    assertArrayEquals(new long[] {24}, view.reshape(-1).layout().shape());
    assertArrayEquals(
        new long[] {0, 5},
        View.of(Layout.contiguous(DType.F32, 0, 7)).reshape(-1, 5).layout().shape());
    assertMessage(
        "reshape does not fit: shape=[4, 6], target=[5, -1],"
            + " expected=sizes whose product divides 24",
        () -> view.reshape(5, -1));
    assertMessage(
        "reshape does not fit: shape=[4, 6], target=[-1, -1], expected=at most one size of -1",
        () -> view.reshape(-1, -1));
    assertMessage(
        "reshape does not fit: shape=[4, 6], target=[5], expected=24 elements",
        () -> view.reshape(5));
    assertThrows(ShapeException.class, () -> view.reshape(0, -1));
    assertThrows(ShapeException.class, () -> view.reshape(-2, -12));
  }

  @Test
  void shouldInsertAndDropDimensionsOfSizeOne() {
    for (int i = 0; i < CASES; i++) {
      View source = source(0);
      int at = random.nextInt(rank(source) + 1);
      View wider = source.unsqueeze(random.nextBoolean() ? at : at - rank(source) - 1);
      assertSame(source, wider, index -> removed(index, at));
      assertArrayEquals(source.layout().shape(), wider.squeeze(at).layout().shape());
      long ones = java.util.Arrays.stream(source.layout().shape()).filter(s -> s == 1).count();
      View squeezed = source.squeeze();
      assertEquals(rank(source) - ones, rank(squeezed));
      assertEquals(Cases.offsets(source.layout()), Cases.offsets(squeezed.layout()));
    }
    View view = View.of(Layout.contiguous(DType.F32, 2, 3));
    assertEquals(view, view.squeeze(0));
  }

  @Test
  void shouldFlip() {
    for (int i = 0; i < CASES; i++) {
      View source = source(1);
      int dim = random.nextInt(rank(source));
      long size = source.layout().size(dim);
      assertSame(source, source.flip(dim), index -> with(index, dim, size - 1 - index[dim]));
      if (size > 1) {
        assertEquals(source, source.flip(dim).flip(dim));
      }
    }
  }

  @Test
  void shouldTakeTheDiagonal() {
    for (int i = 0; i < CASES; i++) {
      View source = source(2);
      int[] both = java.util.Arrays.copyOf(permutation(rank(source)), 2);
      View view = source.diagonal(both[0], both[1]);
      int low = Math.min(both[0], both[1]);
      int high = Math.max(both[0], both[1]);
      assertSame(
          source,
          view,
          index -> {
            long along = index[index.length - 1];
            long[] rest = removed(index, index.length - 1);
            return inserted(inserted(rest, low, along), high, along);
          });
    }
    View square = View.of(Layout.contiguous(DType.F32, 3, 3));
    assertThrows(ShapeException.class, () -> square.diagonal(0, -2));
  }

  @Test
  void shouldAddUpOffsetsOfAChain() {
    for (int i = 0; i < CASES; i++) {
      View view = source(1);
      View first = view;
      List<Long> memory = new ArrayList<>(Cases.offsets(view.layout()));
      for (int step = 0; step < 4 && rank(view) > 0 && !view.layout().isZeroSize(); step++) {
        view = view.flip(random.nextInt(rank(view)));
        view = view.slice(random.nextInt(rank(view)), random.nextInt(3), View.END, 1);
      }
      long base = view.elementOffset() - first.elementOffset();
      for (long offset : Cases.offsets(view.layout())) {
        assertTrue(memory.contains(base + offset), "an element the source does not have");
      }
    }
  }

  /** Checks that every index of the view names the element of the source that {@code map} says. */
  private static void assertSame(View source, View view, UnaryOperator<long[]> map) {
    Cases.forEachIndex(
        view.layout().shape(),
        index ->
            assertEquals(
                source.elementOffset() + Cases.offset(source.layout(), map.apply(index.clone())),
                view.elementOffset() + Cases.offset(view.layout(), index),
                () -> source + " -> " + view));
  }

  /** A random view of at least {@code minRank} dimensions that already has an offset. */
  private View source(int minRank) {
    long[] shape = Cases.shape(random, 5);
    while (shape.length < minRank) {
      shape = Cases.shape(random, 5);
    }
    return new View(Cases.layout(random, DType.F32, shape), random.nextInt(10));
  }

  private static int rank(View view) {
    return view.layout().rank();
  }

  private long bound(long size) {
    return switch (random.nextInt(12)) {
      case 0 -> View.END;
      case 1 -> View.BEFORE_START;
      default -> random.nextInt(4 * (int) size + 8) - 2 * size - 4;
    };
  }

  /** Python's {@code range(size)[start:stop:step]}, by walking instead of arithmetic. */
  private static List<Long> pythonRange(long size, long start, long stop, long step) {
    long from = start < 0 ? Math.max(start + size, -1) : Math.min(start, size);
    long to = stop < 0 ? Math.max(stop + size, -1) : Math.min(stop, size);
    if (step > 0) {
      from = Math.max(from, 0);
    } else {
      from = Math.min(from, size - 1);
    }
    List<Long> taken = new ArrayList<>();
    for (long i = from; step > 0 ? i < to : i > to; i += step) {
      taken.add(i);
    }
    return taken;
  }

  /** A random shape of a number of elements, with some sizes of 1. */
  private long[] otherShape(long elements) {
    List<Long> sizes = new ArrayList<>();
    long rest = elements;
    while (rest > 1 && sizes.size() < 5) {
      long size = random.nextInt(2, 7);
      while (rest % size != 0) {
        size = size == rest ? rest : size % rest + 1;
      }
      sizes.add(size);
      rest /= size;
    }
    if (rest != 1) {
      sizes.add(rest);
    }
    while (sizes.size() < 8 && random.nextInt(3) == 0) {
      sizes.add(random.nextInt(sizes.size() + 1), 1L);
    }
    return sizes.stream().mapToLong(Long::longValue).toArray();
  }

  /** Whether any strides give these offsets: read off where each index first leaves 0. */
  private static boolean someStridesFit(long[] shape, List<Long> offsets) {
    long[] contiguous = Layout.contiguousStrides(shape);
    long[] strides = new long[shape.length];
    for (int d = 0; d < shape.length; d++) {
      strides[d] = shape[d] > 1 ? offsets.get((int) contiguous[d]) : 0;
    }
    return Cases.offsets(Layout.of(DType.F32, shape, strides)).equals(offsets);
  }

  private int[] permutation(int rank) {
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < rank; d++) {
      order.add(random.nextInt(order.size() + 1), d);
    }
    return order.stream().mapToInt(Integer::intValue).toArray();
  }

  private static long[] with(long[] index, int dim, long value) {
    long[] changed = index.clone();
    changed[dim] = value;
    return changed;
  }

  private static long[] inserted(long[] index, int at, long value) {
    long[] wider = new long[index.length + 1];
    System.arraycopy(index, 0, wider, 0, at);
    wider[at] = value;
    System.arraycopy(index, at, wider, at + 1, index.length - at);
    return wider;
  }

  private static long[] removed(long[] index, int at) {
    long[] rest = new long[index.length - 1];
    System.arraycopy(index, 0, rest, 0, at);
    System.arraycopy(index, at + 1, rest, at, rest.length - at);
    return rest;
  }
}

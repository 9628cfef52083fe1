package io.gpuos.layout;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Random shapes and layouts, and the plain walk over indices that properties are checked against.
 */
final class Cases {

  private Cases() {}

  /** A shape of up to {@code maxRank} dimensions and few elements; sizes 1 and 0 come up often. */
  static long[] shape(Random random, int maxRank) {
    long[] shape = new long[random.nextInt(maxRank + 1)];
    for (int d = 0; d < shape.length; d++) {
      int draw = random.nextInt(20);
      shape[d] = draw == 0 ? 0 : draw < 5 ? 1 : 2 + random.nextInt(3);
    }
    return shape;
  }

  static long[] nonEmptyShape(Random random, int maxRank) {
    long[] shape = shape(random, maxRank);
    for (int d = 0; d < shape.length; d++) {
      shape[d] = Math.max(shape[d], 1);
    }
    return shape;
  }

  static DType dtype(Random random) {
    DType[] types = DType.values();
    return types[random.nextInt(types.length)];
  }

  /**
   * Strides that make sense for real tensors: dense in some order, with gaps, repeats and flips.
   */
  static Layout layout(Random random, DType dtype, long[] shape) {
    long[] strides = new long[shape.length];
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < shape.length; d++) {
      order.add(random.nextInt(order.size() + 1), d);
    }
    if (random.nextBoolean()) {
      order.sort((a, b) -> b - a);
    }
    boolean dense = random.nextInt(3) == 0;
    long next = 1;
    for (int d : order) {
      strides[d] = next;
      next *= Math.max(shape[d], 1);
      if (!dense) {
        switch (random.nextInt(6)) {
          case 0 -> strides[d] = 0;
          case 1 -> strides[d] = -strides[d];
          case 2 -> next += random.nextInt(3);
          default -> {}
        }
      }
    }
    return Layout.of(dtype, shape, strides);
  }

  /** Strides without any plan, so that elements may coincide in every way. */
  static Layout wildLayout(Random random, DType dtype, long[] shape) {
    long[] strides = new long[shape.length];
    for (int d = 0; d < shape.length; d++) {
      strides[d] = random.nextInt(-8, 17);
    }
    return Layout.of(dtype, shape, strides);
  }

  /** A shape that broadcasts to {@code target}: leading dimensions left out, others of size 1. */
  static long[] broadcastable(Random random, long[] target) {
    int drop = random.nextInt(3) == 0 ? random.nextInt(target.length + 1) : 0;
    long[] shape = new long[target.length - drop];
    for (int d = 0; d < shape.length; d++) {
      shape[d] = random.nextInt(4) == 0 ? 1 : target[drop + d];
    }
    return shape;
  }

  /** Every index of a shape in row-major order. The array is reused. */
  static void forEachIndex(long[] shape, Consumer<long[]> visit) {
    for (long size : shape) {
      if (size == 0) {
        return;
      }
    }
    long[] index = new long[shape.length];
    while (true) {
      visit.accept(index);
      int d = shape.length - 1;
      while (d >= 0 && ++index[d] == shape[d]) {
        index[d--] = 0;
      }
      if (d < 0) {
        return;
      }
    }
  }

  /** Element offset of an index, straight from the definition of strides. */
  static long offset(Layout layout, long[] index) {
    long offset = 0;
    for (int d = 0; d < layout.rank(); d++) {
      offset += index[d] * layout.stride(d);
    }
    return offset;
  }

  /** As {@link #offset}, for an index of a shape the layout broadcasts to. */
  static long broadcastOffset(Layout layout, long[] index) {
    int lead = index.length - layout.rank();
    long offset = 0;
    for (int d = 0; d < layout.rank(); d++) {
      offset += layout.size(d) == 1 ? 0 : index[lead + d] * layout.stride(d);
    }
    return offset;
  }

  /** Element offsets of all indices in row-major order. */
  static List<Long> offsets(Layout layout) {
    List<Long> offsets = new ArrayList<>();
    forEachIndex(layout.shape(), index -> offsets.add(offset(layout, index)));
    return offsets;
  }
}

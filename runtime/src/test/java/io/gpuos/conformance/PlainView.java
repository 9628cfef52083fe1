package io.gpuos.conformance;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A view as plainly as it can be: for each index, row-major, the position of its element in the
 * base tensor. Shares no code with the library's strides.
 */
record PlainView(int[] shape, int[] positions) {

  /** The whole of a contiguous tensor. */
  static PlainView whole(int... shape) {
    return new PlainView(shape, IntStream.range(0, count(shape)).toArray());
  }

  static int count(int... shape) {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  private static int[] coordinates(int[] shape, int index) {
    int[] coordinates = new int[shape.length];
    int left = index;
    for (int d = shape.length - 1; d >= 0; d--) {
      coordinates[d] = left % shape[d];
      left /= shape[d];
    }
    return coordinates;
  }

  private int at(int[] coordinates) {
    int index = 0;
    for (int d = 0; d < shape.length; d++) {
      index = index * shape[d] + coordinates[d];
    }
    return positions[index];
  }

  /** The given indices of a dimension, in the given order. */
  PlainView pick(int dim, int... indices) {
    int[] picked = shape.clone();
    picked[dim] = indices.length;
    int[] moved = new int[count(picked)];
    for (int i = 0; i < moved.length; i++) {
      int[] coordinates = coordinates(picked, i);
      coordinates[dim] = indices[coordinates[dim]];
      moved[i] = at(coordinates);
    }
    return new PlainView(picked, moved);
  }

  /** Without a dimension of size 1. */
  PlainView without(int dim) {
    int[] rest =
        IntStream.range(0, shape.length).filter(d -> d != dim).map(d -> shape[d]).toArray();
    return new PlainView(rest, positions);
  }

  /** With a new dimension of size 1. */
  PlainView with(int dim) {
    int[] more = new int[shape.length + 1];
    Arrays.setAll(more, d -> d < dim ? shape[d] : d == dim ? 1 : shape[d - 1]);
    return new PlainView(more, positions);
  }

  /** Dimension {@code i} of the result is {@code order[i]} of this one. */
  PlainView permute(int... order) {
    int[] permuted = new int[shape.length];
    Arrays.setAll(permuted, i -> shape[order[i]]);
    int[] moved = new int[positions.length];
    for (int i = 0; i < moved.length; i++) {
      int[] there = coordinates(permuted, i);
      int[] here = new int[shape.length];
      for (int d = 0; d < order.length; d++) {
        here[order[d]] = there[d];
      }
      moved[i] = at(here);
    }
    return new PlainView(permuted, moved);
  }
}

package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Arithmetic on shapes: sizes, axes, broadcasting and what a reduction leaves. Pure; arguments are
 * never modified and results are fresh arrays.
 */
public final class Shapes {

  /** Most dimensions a tensor may have. */
  public static final int MAX_RANK = 8;

  private Shapes() {}

  /**
   * Number of elements of a shape; 1 for rank 0. Sizes that overflow are refused even where another
   * size is 0, as no contiguous strides exist for them.
   *
   * @throws ShapeException on a negative size, more than {@value #MAX_RANK} dimensions or overflow
   */
  public static long elements(long[] shape) {
    requireValid(shape);
    long product = 1;
    boolean empty = false;
    for (long size : shape) {
      empty |= size == 0;
      if (Math.multiplyHigh(product, Math.max(size, 1)) != 0 || product * Math.max(size, 1) < 0) {
        throw overflow(shape, "fewer than 2^63 elements");
      }
      product *= Math.max(size, 1);
    }
    return empty ? 0 : product;
  }

  /**
   * Turns an axis that may count from the end into one in {@code [0, rank)}.
   *
   * @throws ShapeException if it is outside {@code [-rank, rank)}
   */
  public static int axis(int axis, int rank) {
    if (axis < -rank || axis >= rank) {
      throw new ShapeException(
          rank == 0
              ? "axis out of range: axis=" + axis + ", rank=0, expected=no axis for a scalar tensor"
              : String.format(
                  Locale.ROOT,
                  "axis out of range: axis=%d, rank=%d, expected=%d to %d",
                  axis,
                  rank,
                  -rank,
                  rank - 1));
    }
    return axis < 0 ? axis + rank : axis;
  }

  /**
   * Normalised axes in ascending order.
   *
   * @throws ShapeException if one is out of range or named twice
   */
  public static int[] axes(int[] axes, int rank) {
    int[] sorted = new int[axes.length];
    for (int i = 0; i < axes.length; i++) {
      sorted[i] = axis(axes[i], rank);
    }
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      if (sorted[i] == sorted[i - 1]) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "axis named twice: axes=%s, axis=%d, rank=%d, expected=each axis once",
                Arrays.toString(axes),
                sorted[i],
                rank));
      }
    }
    return sorted;
  }

  /** Every axis of a rank: what a reduction without axes runs over. */
  public static int[] allAxes(int rank) {
    return IntStream.range(0, rank).toArray();
  }

  /**
   * Shape two operands broadcast to, as NumPy and PyTorch do.
   *
   * @throws ShapeException if they do not, showing both
   */
  public static long[] broadcast(long[] a, long[] b) {
    return broadcast(List.of("a", "b"), List.of(a, b));
  }

  /**
   * Shape many operands broadcast to; rank 0 for none.
   *
   * @param names one name per shape, for the error
   * @throws ShapeException if they do not, showing the two that disagree
   */
  public static long[] broadcast(List<String> names, List<long[]> shapes) {
    if (names.size() != shapes.size()) {
      throw new IllegalArgumentException(
          "names=" + names.size() + ", shapes=" + shapes.size() + ", expected=equal counts");
    }
    shapes.forEach(Shapes::requireValid);
    int rank = shapes.stream().mapToInt(shape -> shape.length).max().orElse(0);
    long[] result = new long[rank];
    Arrays.fill(result, 1);
    int[] owner = new int[rank];
    for (int operand = 0; operand < shapes.size(); operand++) {
      long[] shape = shapes.get(operand);
      int lead = rank - shape.length;
      for (int d = 0; d < shape.length; d++) {
        int at = lead + d;
        if (result[at] == 1 && shape[d] != 1) {
          result[at] = shape[d];
          owner[at] = operand;
        } else if (shape[d] != 1 && shape[d] != result[at]) {
          throw doNotBroadcast(names, shapes, owner[at], operand);
        }
      }
    }
    elements(result);
    return result;
  }

  /** Whether {@code shape} broadcasts to exactly {@code target}. */
  public static boolean broadcastsTo(long[] shape, long[] target) {
    int lead = target.length - shape.length;
    if (lead < 0) {
      return false;
    }
    for (int d = 0; d < shape.length; d++) {
      if (shape[d] != 1 && shape[d] != target[lead + d]) {
        return false;
      }
    }
    return true;
  }

  /**
   * Shape of a reduction's result.
   *
   * @param axes axes to reduce, negative ones from the end; none reduces nothing
   * @param keepdim whether reduced axes stay, with size 1
   * @throws ShapeException if an axis is out of range or named twice
   */
  public static long[] reduced(long[] shape, int[] axes, boolean keepdim) {
    requireValid(shape);
    int[] normalised = axes(axes, shape.length);
    long[] kept = shape.clone();
    for (int axis : normalised) {
      kept[axis] = 1;
    }
    if (keepdim) {
      return kept;
    }
    return IntStream.range(0, shape.length)
        .filter(d -> Arrays.binarySearch(normalised, d) < 0)
        .mapToLong(d -> shape[d])
        .toArray();
  }

  /** A shape as users write it: {@code [2, 3]}. */
  public static String format(long[] shape) {
    return Arrays.toString(shape);
  }

  /** Refuses negative sizes and too many dimensions. */
  static void requireValid(long[] shape) {
    if (shape.length > MAX_RANK) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "too many dimensions: shape=%s, rank=%d, expected=at most %d",
              format(shape),
              shape.length,
              MAX_RANK));
    }
    for (long size : shape) {
      if (size < 0) {
        throw new ShapeException(
            "negative size: shape=" + format(shape) + ", expected=sizes of 0 or more");
      }
    }
  }

  static ShapeException overflow(long[] shape, String expected) {
    return new ShapeException("size overflow: shape=" + format(shape) + ", expected=" + expected);
  }

  private static ShapeException doNotBroadcast(
      List<String> names, List<long[]> shapes, int first, int second) {
    return new ShapeException(
        "shapes do not broadcast: %s=%s, %s=%s, expected=equal sizes or 1 in each trailing dimension"
            .formatted(
                names.get(first),
                format(shapes.get(first)),
                names.get(second),
                format(shapes.get(second))));
  }
}

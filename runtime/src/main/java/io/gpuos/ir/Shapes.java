package io.gpuos.ir;

import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** The arithmetic of shapes that expressions need. */
final class Shapes {

  private Shapes() {}

  /** Number of elements of a shape that {@link #checkSize} lets pass. */
  static long count(List<Long> shape) {
    return shape.contains(0L) ? 0 : shape.stream().reduce(1L, (a, b) -> a * b);
  }

  /**
   * @throws ShapeException if a size is negative or the number of bytes, empty dimensions aside,
   *     does not fit 63 bits
   */
  static void checkSize(List<Long> shape, DType dtype) {
    long bytes = dtype.bytes();
    for (long size : shape) {
      if (size < 0) {
        throw new ShapeException("negative size: shape=" + shape + ", expected=sizes >= 0");
      }
      if (size > 0 && Math.multiplyHigh(bytes, size) == 0 && bytes * size > 0) {
        bytes *= size;
      } else if (size > 0) {
        throw new ShapeException(
            "size overflows: shape=%s, type=%s, expected=fewer than 2^63 bytes"
                .formatted(shape, TypeNames.shortName(dtype)));
      }
    }
  }

  /**
   * The shape that all of the shapes broadcast to, as in NumPy: aligned at the last dimension,
   * equal sizes, or 1 which repeats.
   *
   * @param describe the operands with their shapes, for the message
   * @throws ShapeException if there is none
   */
  static List<Long> broadcast(List<List<Long>> shapes, Supplier<String> describe) {
    int rank = shapes.stream().mapToInt(List::size).max().orElse(0);
    List<Long> result = new ArrayList<>();
    for (int dimension = rank; dimension > 0; dimension--) {
      long common = 1;
      for (List<Long> shape : shapes) {
        long size = shape.size() < dimension ? 1 : shape.get(shape.size() - dimension);
        if (common != 1 && size != 1 && size != common) {
          throw new ShapeException(
              "shapes do not broadcast: "
                  + describe.get()
                  + ", expected=equal sizes or 1 in each trailing dimension");
        }
        common = size == 1 ? common : size;
      }
      result.add(common);
    }
    return result;
  }

  /**
   * Axes in ascending order, counted from the first; all if {@code axes} is empty. A scalar counts
   * as having one axis, which is not there to be folded.
   *
   * @param describe the reduction, for the message
   * @throws ShapeException if an axis is out of range or given twice
   */
  static List<Integer> axes(List<Integer> axes, List<Long> shape, Supplier<String> describe) {
    int rank = shape.size();
    if (axes.isEmpty()) {
      return IntStream.range(0, rank).boxed().toList();
    }
    int range = Math.max(rank, 1);
    TreeSet<Integer> ascending = new TreeSet<>();
    for (int axis : axes) {
      if (axis < -range || axis >= range) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "axis out of range: axis=%d, %s, expected=%d to %d",
                axis,
                describe.get(),
                -range,
                range - 1));
      }
      if (!ascending.add(Math.floorMod(axis, range))) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "axis given twice: axis=%d, %s, expected=each axis once",
                axis,
                describe.get()));
      }
    }
    return rank == 0 ? List.of() : List.copyOf(ascending);
  }

  /**
   * The shape of a matrix product, as {@code torch.matmul} has it.
   *
   * @param axis of the right factor that is summed over: one of its last two
   * @param describe the factors with their shapes, for the message
   * @throws ShapeException if a factor has no axis, the sizes that are summed over differ, the axes
   *     before the last two do not broadcast, or there is no room for one axis more
   */
  static List<Long> product(
      List<Long> left, List<Long> right, int axis, Supplier<String> describe) {
    if (left.isEmpty() || right.isEmpty()) {
      throw new ShapeException(
          "factor without dimensions: " + describe.get() + ", expected=at least one each; a * b");
    }
    long inner = right.get(axis);
    if (left.getLast() != inner) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "sizes to be summed differ: %s, expected=the last of a, %d, as the %s of b, %d",
              describe.get(),
              left.getLast(),
              right.size() == 1 ? "only one" : axis == right.size() - 1 ? "last" : "last but one",
              inner));
    }
    List<Long> result = new ArrayList<>(broadcast(List.of(outer(left), outer(right)), describe));
    if (left.size() > 1) {
      result.add(left.get(left.size() - 2));
    }
    if (right.size() > 1) {
      result.add(right.get(2 * right.size() - 3 - axis));
    }
    if (result.size() >= io.gpuos.layout.Shapes.MAX_RANK) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "too many dimensions: %s, expected=a product of at most %d",
              describe.get(),
              io.gpuos.layout.Shapes.MAX_RANK - 1));
    }
    return result;
  }

  /** The axes before the last two. */
  private static List<Long> outer(List<Long> shape) {
    return shape.subList(0, Math.max(0, shape.size() - 2));
  }

  /** The shape that is left when {@code axes} are folded. */
  static List<Long> fold(List<Long> shape, List<Integer> axes, boolean keepdim) {
    List<Long> result = new ArrayList<>();
    for (int axis = 0; axis < shape.size(); axis++) {
      if (!axes.contains(axis)) {
        result.add(shape.get(axis));
      } else if (keepdim) {
        result.add(1L);
      }
    }
    return result;
  }
}

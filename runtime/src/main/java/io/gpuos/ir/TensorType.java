package io.gpuos.ir;

import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/**
 * Element type and shape of a dense tensor, outermost dimension first; no dimensions for a scalar.
 */
public record TensorType(DType dtype, List<Long> shape) {

  /** Dimensions of a tensor at most. */
  public static final int MAX_RANK = 8;

  /**
   * @throws ShapeException if there are more than {@value #MAX_RANK} dimensions, a size is negative
   *     or the number of bytes does not fit 63 bits
   */
  public TensorType {
    shape = List.copyOf(shape);
    if (shape.size() > MAX_RANK) {
      throw new ShapeException(
          String.format(
              Locale.ROOT, "too many dimensions: shape=%s, expected=at most %d", shape, MAX_RANK));
    }
    Shapes.checkSize(shape, dtype);
  }

  public static TensorType of(DType dtype, long... shape) {
    return new TensorType(dtype, LongStream.of(shape).boxed().toList());
  }

  public int rank() {
    return shape.size();
  }

  /** Number of elements. */
  public long count() {
    return Shapes.count(shape);
  }

  /** {@code f32[2, 3]}. */
  @Override
  public String toString() {
    return TypeNames.shortName(dtype) + shape;
  }
}

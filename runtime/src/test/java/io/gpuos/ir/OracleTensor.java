package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.Locale;

/**
 * A small dense tensor in plain arrays, row-major.
 *
 * @param doubles the elements of a floating type, each representable in it; else null
 * @param longs the elements of an integer type or BOOL (0 or 1); else null
 */
public record OracleTensor(DType dtype, int[] shape, double[] doubles, long[] longs) {

  public OracleTensor {
    int length = dtype.isFloating() ? doubles.length : longs.length;
    if (length != count(shape)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "wrong number of elements: count=%d, expected=%d",
              length,
              count(shape)));
    }
  }

  /** Rounds the values to the type. */
  public static OracleTensor floating(DType dtype, int[] shape, double... values) {
    double[] rounded = Arrays.stream(values).map(v -> OracleTypes.round(dtype, v)).toArray();
    return new OracleTensor(dtype, shape, rounded, null);
  }

  /** Wraps the values to the width of the type. */
  public static OracleTensor integral(DType dtype, int[] shape, long... values) {
    long[] wrapped = Arrays.stream(values).map(v -> OracleTypes.wrap(dtype, v)).toArray();
    return new OracleTensor(dtype, shape, null, wrapped);
  }

  static int count(int[] shape) {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  public int count() {
    return count(shape);
  }

  /** An element as a double; rounds integers beyond 2^53. */
  public double doubleAt(int index) {
    return dtype.isFloating() ? doubles[index] : longs[index];
  }

  /** {@code f32[2]: [1.0, 2.0]}. */
  @Override
  public String toString() {
    String values = dtype.isFloating() ? Arrays.toString(doubles) : Arrays.toString(longs);
    return dtype + Arrays.toString(shape) + ": " + values;
  }
}

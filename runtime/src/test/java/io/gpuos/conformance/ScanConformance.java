package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sums along an axis against plain loops over what the tensors hold. */
interface ScanConformance extends Target {

  @ParameterizedTest
  @EnumSource
  default void shouldSumAlongAnyAxisOfAnyLayout(DType type) {
    Gpuos gpu = renewed();
    IndexConformance.Indexed test =
        new IndexConformance.Indexed(gpu, new SplittableRandom(type.ordinal()), type);
    DType wanted = type.isFloating() ? type : DType.I64;
    for (int k = 0; k < 60; k++) {
      Tensor x = test.source(test.shape(1 + k % 4));
      int axis = k % x.rank();
      int written = k % 3 == 0 ? axis - x.rank() : axis;
      Tensor result = gpu.run(Operator.of("cumsum(x, axis=" + written + ")"), x);
      assertEquals(wanted, result.dtype());
      assertArrayEquals(x.shape(), result.shape());
      assertArrayEquals(
          rounded(gpu, wanted, sums(x, axis)), result.toDoubles(), x + ", axis=" + axis);
    }
  }

  /** Rows of more than a chunk, and beside one another in memory; of each way to share them out. */
  @Test
  default void shouldSumRowsOfAnyLength() {
    Gpuos gpu = shared();
    for (long length :
        new long[] {1, 8, 9, 31, 32, 33, 128, 129, 255, 256, 257, 1024, 1025, 5000}) {
      for (long rows : new long[] {1, 3, 40}) {
        long[] values = new SplittableRandom(length).longs(rows * length, -9, 100).toArray();
        Tensor flat = gpu.tensor(values, rows, length);
        Tensor standing = gpu.tensor(values, length, rows).transpose(0, 1);
        Tensor reversed = flat.flip(1);
        for (Tensor x : List.of(flat, standing, reversed)) {
          double[] found = gpu.run(Operator.of("cumsum(x, 1)"), x).toDoubles();
          assertArrayEquals(sums(x, 1), found, x.toString());
        }
      }
    }
  }

  @Test
  default void shouldSumFloatsTheSameWayEveryTime() {
    Gpuos gpu = shared();
    double[] values = new SplittableRandom(7).doubles(3 * 3001, -1, 1).toArray();
    for (DType type : List.of(DType.F64, DType.F32)) {
      Tensor x = gpu.tensor(type, values, 3, 3001);
      double[] first = gpu.run(Operator.of("cumsum(x, 1)"), x).toDoubles();
      assertArrayEquals(sums(x, 1), first, type == DType.F64 ? 1e-11 : 1e-3, type.toString());
      for (int k = 0; k < 5; k++) {
        assertArrayEquals(first, gpu.run(Operator.of("cumsum(x, 1)"), x).toDoubles());
      }
    }
  }

  @Test
  default void shouldComputeBeforeAndAfterSumming() {
    Gpuos gpu = shared();
    Tensor a = gpu.tensor(new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor b = gpu.tensor(new double[] {1, 0, 2}, 3);
    assertArrayEquals(
        new double[] {1, 1, 7, 4, 4, 16},
        gpu.run(Operator.of("cumsum(a * b, axis=-1)"), a, b).toDoubles());
    assertArrayEquals(
        new double[] {7, 16},
        gpu.run(Operator.of("max(cumsum(a, dim=1) + 1, axis=1)"), a).toDoubles());
    assertArrayEquals(
        new double[] {5, 7, 9},
        gpu.run(Operator.of("cumsum(sum(a, axis=0, keepdim=true), 0)"), a).toDoubles());
    assertEquals(2.5, gpu.run(Operator.of("cumsum(2.5, 0)")).toDoubles()[0]);
  }

  @Test
  default void shouldWrapSumsOfIntegers() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new long[] {Long.MAX_VALUE, 1, 1}, 3);
    assertArrayEquals(
        new long[] {Long.MAX_VALUE, Long.MIN_VALUE, Long.MIN_VALUE + 1},
        gpu.run(Operator.of("cumsum(x, 0)"), x).toLongs());
    Tensor bytes = gpu.tensor(DType.U8, new long[] {255, 255, 255}, 3);
    assertArrayEquals(
        new long[] {255, 510, 765}, gpu.run(Operator.of("cumsum(x, 0)"), bytes).toLongs());
  }

  @Test
  default void shouldSumNothing() {
    Gpuos gpu = shared();
    for (long[] shape : new long[][] {{0}, {0, 3}, {3, 0}}) {
      Tensor x = gpu.zeros(DType.F32, shape);
      assertArrayEquals(shape, gpu.run(Operator.of("cumsum(x, -1)"), x).shape());
      assertArrayEquals(shape, gpu.run(Operator.of("cumsum(x, 0)"), x).shape());
    }
    Tensor scalar = gpu.tensor(DType.I32, new long[] {5});
    assertArrayEquals(new long[] {5}, gpu.run(Operator.of("cumsum(x, -1)"), scalar).toLongs());
  }

  @Test
  default void shouldRefuseAxesAndOutputsThatDoNotFit() {
    Gpuos gpu = shared();
    Tensor x = gpu.zeros(DType.F32, 2, 3);
    assertThrows(ShapeException.class, () -> gpu.run(Operator.of("cumsum(x, 2)"), x));
    assertThrows(OverlapException.class, () -> gpu.runInto(Operator.of("cumsum(x, 1)"), x, x));
    Tensor turned = gpu.zeros(DType.F64, 3, 2).transpose(0, 1);
    gpu.runInto(Operator.of("cumsum(x + 1, 1)"), turned, x);
    assertArrayEquals(new double[] {1, 2, 3, 1, 2, 3}, turned.toDoubles());
  }

  private static double[] rounded(Gpuos gpu, DType type, double[] values) {
    return type.isFloating() ? gpu.tensor(type, values, values.length).toDoubles() : values;
  }

  private static double[] sums(Tensor x, int axis) {
    long[] shape = x.shape();
    double[] values = x.toDoubles();
    int step = (int) Arrays.stream(shape).skip(axis + 1L).reduce(1, (a, b) -> a * b);
    for (int p = step; p < values.length; p++) {
      boolean first = p / step % shape[axis] == 0;
      values[p] += first ? 0 : values[p - step];
    }
    return values;
  }
}

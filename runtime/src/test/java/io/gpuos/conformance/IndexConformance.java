package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.error.OverlapException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Indexed reads against plain loops over what the tensors hold. */
interface IndexConformance extends Target {

  @ParameterizedTest
  @EnumSource
  default void shouldGatherFromAnyLayout(DType type) {
    Gpuos gpu = renewed();
    Indexed test = new Indexed(gpu, new SplittableRandom(type.ordinal()), type);
    for (int k = 0; k < 60; k++) {
      long[] shape = test.shape(1 + k % 4);
      int axis = k % shape.length;
      long[] places = shape.clone();
      for (int d = 0; d < places.length; d++) {
        places[d] = d == axis ? test.size() : Math.max(1, places[d] - k % 2);
      }
      Tensor x = test.source(shape);
      Tensor index = test.index(shape[axis], places);
      int written = k % 3 == 0 ? axis - shape.length : axis;
      Tensor result = gpu.run(Operator.of("gather(x, i, axis=" + written + ")"), x, index);
      assertEquals(type, result.dtype());
      assertArrayEquals(places, result.shape());
      double[] expected = Indexed.gathered(x, index, axis, type);
      assertArrayEquals(expected, result.toDoubles(), x + "[" + index + "], axis=" + axis);
    }
  }

  @ParameterizedTest
  @EnumSource
  default void shouldSelectSlicesOfAnyLayout(DType type) {
    Gpuos gpu = renewed();
    Indexed test = new Indexed(gpu, new SplittableRandom(100 + type.ordinal()), type);
    for (int k = 0; k < 60; k++) {
      long[] shape = test.shape(1 + k % 4);
      boolean embedding = k % 3 == 0;
      int axis = embedding ? 0 : k % shape.length;
      Tensor x = test.source(shape);
      long[] places = embedding ? test.shape(k % 4) : new long[] {test.size()};
      Tensor index = test.index(shape[axis], places);
      Tensor result =
          embedding
              ? gpu.run(Operator.of("embedding(i, x)"), index, x)
              : gpu.run(Operator.of("index_select(x, i, axis=" + axis + ")"), x, index);
      double[] expected = Indexed.selected(x, index, axis, type);
      assertEquals(type, result.dtype());
      assertArrayEquals(expected, result.toDoubles(), x + "[" + index + "], axis=" + axis);
    }
  }

  /** Rows of more than a chunk and a tile, so that both are cut within rows. */
  @Test
  default void shouldReadLongRowsOfATable() {
    Gpuos gpu = shared();
    for (DType type : List.of(DType.F32, DType.BF16, DType.U8)) {
      Indexed test = new Indexed(gpu, new SplittableRandom(9), type);
      Tensor weight = test.source(50, 1531);
      Tensor index = test.index(50, 97);
      Tensor result = gpu.run(Operator.of("embedding(i, w)"), index, weight);
      assertArrayEquals(Indexed.selected(weight, index, 0, type), result.toDoubles());
    }
  }

  @Test
  default void shouldReadNothingOutOfRange() {
    Gpuos gpu = shared();
    long[] wrong = {-1, 3, Long.MAX_VALUE, Long.MIN_VALUE, 1, 1L << 32, -3};
    Tensor index = gpu.tensor(wrong, wrong.length);
    for (DType type : DType.values()) {
      Tensor x =
          type.isFloating()
              ? gpu.tensor(type, new double[] {1, 1, 1}, 3)
              : gpu.tensor(type, new long[] {1, 1, 1}, 3);
      double none = type.isFloating() ? Double.NaN : 0;
      double[] expected = {none, none, none, none, 1, none, none};
      assertArrayEquals(
          expected, gpu.run(Operator.of("gather(x, i, 0)"), x, index).toDoubles(), "" + type);
      Tensor empty = gpu.zeros(type, 0, 2);
      double[] all = new double[wrong.length * 2];
      Arrays.fill(all, none);
      assertArrayEquals(
          all, gpu.run(Operator.of("index_select(x, i, 0)"), empty, index).toDoubles(), "" + type);
    }
  }

  @Test
  default void shouldGiveNothingForAnEmptyIndex() {
    Gpuos gpu = shared();
    Tensor x = gpu.zeros(DType.F32, 3, 4);
    Tensor none = gpu.zeros(DType.I32, 0);
    assertArrayEquals(
        new long[] {3, 0}, gpu.run(Operator.of("index_select(x, i, 1)"), x, none).shape());
    Tensor flat = gpu.zeros(DType.I64, 3, 0);
    assertArrayEquals(new long[] {3, 0}, gpu.run(Operator.of("gather(x, i, 1)"), x, flat).shape());
  }

  @Test
  default void shouldComputeBeforeAndAfterReading() {
    Gpuos gpu = shared();
    Tensor a = gpu.tensor(new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor b = gpu.tensor(new double[] {10, 20, 30}, 3);
    Tensor i = gpu.tensor(new long[] {1, 0, 1}, 1, 3);
    Tensor column = gpu.tensor(new long[] {2, 1, 0}, 3, 1);
    Tensor rows = gpu.tensor(DType.I32, new long[] {1, 1, 0}, 3);
    assertArrayEquals(
        new double[] {28, 44, 72},
        gpu.run(Operator.of("gather(a + b, i, 0) * 2"), a, b, i).toDoubles());
    Tensor plain = gpu.run(Operator.of("softmax(a, axis=-1)"), a);
    double[] p = plain.toDoubles();
    double[] expected = {p[3], p[4], p[5], p[3], p[4], p[5], p[0], p[1], p[2]};
    assertArrayEquals(
        expected,
        gpu.run(Operator.of("softmax(index_select(a, r, 0), axis=-1)"), a, rows).toDoubles(),
        1e-15);
    assertArrayEquals(
        new double[] {14, 25, 36, 14, 25, 36, 11, 22, 33},
        gpu.run(Operator.of("embedding(r + 0, a) + b"), rows, a, b).toDoubles());
    assertArrayEquals(
        new double[] {21},
        gpu.run(Operator.of("sum(gather(index_select(a, r, 0), s, 1) + 3)"), a, rows, column)
            .toDoubles());
  }

  @Test
  default void shouldRefuseToWriteToWhatItReads() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new float[] {1, 2, 3}, 3);
    Tensor i = gpu.tensor(new long[] {2, 1, 0}, 3);
    assertThrows(
        OverlapException.class, () -> gpu.runInto(Operator.of("gather(x, i, 0)"), x, x, i));
    Tensor y = gpu.tensor(new long[] {2, 1, 0}, 3);
    assertThrows(
        OverlapException.class, () -> gpu.runInto(Operator.of("gather(x, i, 0)"), i, y, i));
  }

  @Test
  default void shouldWriteToOutputsOfAnyLayout() {
    Gpuos gpu = shared();
    Indexed test = new Indexed(gpu, new SplittableRandom(5), DType.F32);
    Tensor x = test.source(7, 33);
    Tensor i = test.index(7, 21);
    Tensor turned = gpu.zeros(DType.F64, 33, 21).transpose(0, 1);
    gpu.runInto(Operator.of("index_select(x, i, 0)"), turned, x, i);
    assertArrayEquals(Indexed.selected(x, i, 0, DType.F32), turned.toDoubles());
  }

  /** Random sources and indices, and what reading them gives. */
  final class Indexed {
    private final Gpuos gpu;
    private final SplittableRandom random;
    private final DType type;

    Indexed(Gpuos gpu, SplittableRandom random, DType type) {
      this.gpu = gpu;
      this.random = random;
      this.type = type;
    }

    long size() {
      return 1 + random.nextInt(random.nextInt(4) == 0 ? 40 : 7);
    }

    long[] shape(int rank) {
      long[] shape = new long[rank];
      Arrays.setAll(shape, _ -> size());
      return shape;
    }

    /** Small whole numbers, or truth values, transposed, stepped or reversed in memory. */
    Tensor source(long... shape) {
      int bound = type == DType.BOOL ? 2 : 100;
      return tensor(type, shape, () -> random.nextInt(bound));
    }

    /** Mostly of that axis, of either type. */
    Tensor index(long size, long... shape) {
      DType index = random.nextBoolean() ? DType.I64 : DType.I32;
      return tensor(index, shape, () -> random.nextLong(size + 2) - (random.nextInt(9) / 8));
    }

    private Tensor tensor(DType of, long[] shape, LongSupplier next) {
      int rank = shape.length;
      if (rank == 0) {
        return gpu.tensor(of, new long[] {next.getAsLong()});
      }
      long[] stored = shape.clone();
      int swap = random.nextInt(rank);
      stored[0] = shape[swap];
      stored[swap] = shape[0];
      int step = random.nextInt(3) == 0 ? 2 : 1;
      stored[rank - 1] *= step;
      long[] values = new long[(int) Arrays.stream(stored).reduce(1, (a, b) -> a * b)];
      Arrays.setAll(values, _ -> next.getAsLong());
      Tensor whole =
          of.isFloating()
              ? gpu.tensor(of, Arrays.stream(values).asDoubleStream().toArray(), stored)
              : gpu.tensor(of, values, stored);
      Tensor tensor = step == 1 ? whole : whole.slice(-1, 0, stored[rank - 1], 2);
      tensor = tensor.transpose(0, swap);
      return random.nextInt(3) == 0 ? tensor.flip(rank - 1) : tensor;
    }

    static double[] gathered(Tensor x, Tensor index, int axis, DType type) {
      long[] shape = index.shape();
      double[] from = x.toDoubles();
      double[] places = index.toDoubles();
      double[] result = new double[places.length];
      for (int p = 0; p < result.length; p++) {
        int at = 0;
        int stride = 1;
        int rest = p;
        for (int d = shape.length - 1; d >= 0; d--) {
          int digit = d == axis ? (int) places[p] : (int) (rest % shape[d]);
          at += digit * stride;
          stride *= (int) x.shape()[d];
          rest /= (int) shape[d];
        }
        boolean inside = places[p] >= 0 && places[p] < x.shape()[axis];
        result[p] = inside ? from[at] : type.isFloating() ? Double.NaN : 0;
      }
      return result;
    }

    static double[] selected(Tensor x, Tensor index, int axis, DType type) {
      long[] shape = x.shape();
      double[] from = x.toDoubles();
      double[] places = index.toDoubles();
      int inner = (int) Arrays.stream(shape).skip(axis + 1L).reduce(1, (a, b) -> a * b);
      int outer = (int) Arrays.stream(shape).limit(axis).reduce(1, (a, b) -> a * b);
      int size = (int) shape[axis];
      double[] result = new double[outer * places.length * inner];
      for (int p = 0; p < result.length; p++) {
        int place = (int) places[p / inner % places.length];
        int at = (p / inner / places.length * size + place) * inner + p % inner;
        result[p] = place >= 0 && place < size ? from[at] : type.isFloating() ? Double.NaN : 0;
      }
      return result;
    }
  }
}

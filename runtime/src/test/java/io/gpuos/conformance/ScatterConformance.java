package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.error.DTypeException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Indexed writes against plain loops over what the tensors hold. */
interface ScatterConformance extends Target {

  @ParameterizedTest
  @EnumSource
  default void shouldScatterToAnyLayout(DType type) {
    Gpuos gpu = renewed();
    IndexConformance.Indexed test =
        new IndexConformance.Indexed(gpu, new SplittableRandom(type.ordinal()), type);
    for (int k = 0; k < 80; k++) {
      long[] shape = k == 79 ? new long[] {2, 1, 2, 1, 3, 2, 2} : test.shape(1 + k % 4);
      int axis = k % shape.length;
      long[] places = shape.clone();
      long[] larger = shape.clone();
      for (int d = 0; d < places.length; d++) {
        places[d] = d == axis ? test.size() : Math.max(1, places[d] - k % 2);
        larger[d] = places[d] + k % 3;
      }
      Tensor x = test.source(shape);
      Tensor index = test.index(shape[axis], places);
      Tensor src = test.source(larger);
      boolean adds = k % 4 < 2;
      String name = adds ? "scatter_add" : "scatter";
      int written = k % 3 == 0 ? axis - shape.length : axis;
      Tensor result = gpu.run(Operator.of(name + "(x, " + written + ", i, s)"), x, index, src);
      double[] expected = Written.scattered(gpu, x, index, src, axis, adds);
      assertArrayEquals(expected, result.toDoubles(), name + x + index + src + axis);
    }
  }

  @ParameterizedTest
  @EnumSource
  default void shouldWriteSlicesToAnyLayout(DType type) {
    Gpuos gpu = renewed();
    IndexConformance.Indexed test =
        new IndexConformance.Indexed(gpu, new SplittableRandom(50 + type.ordinal()), type);
    for (int k = 0; k < 80; k++) {
      long[] shape = test.shape(1 + k % 4);
      boolean put = k % 3 == 0;
      boolean adds = k % 4 < 2;
      int axis = put ? 0 : k % shape.length;
      Tensor x = test.source(shape);
      long[] places = put ? test.shape(k % 4) : new long[] {test.size()};
      Tensor index = test.index(shape[axis], places);
      long[] elements = new long[places.length + shape.length - 1];
      System.arraycopy(shape, 0, elements, 0, axis);
      System.arraycopy(places, 0, elements, axis, places.length);
      System.arraycopy(shape, axis + 1, elements, axis + places.length, shape.length - axis - 1);
      index = places.length == 0 ? index.reshape() : index;
      Tensor src = elements.length == 0 ? test.source(1).reshape() : test.source(elements);
      String text =
          put
              ? "index_put(x, i, s, accumulate=" + adds + ")"
              : (adds ? "index_add" : "index_copy") + "(x, dim=" + axis + ", index=i, source=s)";
      double[] found = gpu.run(Operator.of(text), x, index, src).toDoubles();
      double[] expected = Written.slices(gpu, x, index, src, axis, adds, put);
      assertArrayEquals(expected, found, text + x + index + src);
    }
  }

  /** Long walks to a single line, and many lines: each way to share the work out. */
  @Test
  default void shouldAddManyElementsToFewPlaces() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(3);
    for (long lines : new long[] {1, 3, 100, 700}) {
      long[] places = random.longs(5000, -1, 40).toArray();
      double[] values = random.doubles(5000 * lines, -1, 1).toArray();
      Tensor index = gpu.tensor(places, 5000);
      Tensor src = gpu.tensor(DType.F32, values, 5000, lines);
      Tensor x = gpu.zeros(DType.F32, 39, lines);
      Operator add = Operator.of("index_add(x, 0, i, s)");
      double[] found = gpu.run(add, x, index, src).toDoubles();
      assertArrayEquals(Written.slices(gpu, x, index, src, 0, true, false), found, "" + lines);
      assertArrayEquals(found, gpu.run(add, x, index, src).toDoubles(), "another time");
    }
  }

  @Test
  default void shouldWriteNothingOutOfRange() {
    Gpuos gpu = shared();
    long[] wrong = {-1, 3, Long.MAX_VALUE, Long.MIN_VALUE, 1, 1L << 32, -3, -4};
    Tensor index = gpu.tensor(wrong, wrong.length);
    for (DType type : DType.values()) {
      // What lies around the tensor in memory stays as it is.
      Tensor around = gpu.zeros(type, 12);
      Tensor x = around.narrow(0, 5, 3);
      Tensor ones = gpu.run(Operator.of("cast(i * 0 + 1, " + Written.name(type) + ")"), index);
      gpu.runInto(Operator.of("scatter_add(x, 0, i, s)"), x, x, index, ones);
      double[] expected = new double[12];
      expected[6] = 1;
      assertArrayEquals(expected, around.toDoubles(), "" + type);
      gpu.runInto(Operator.of("index_put(x, i, s, accumulate=true)"), x, x, index, ones);
      expected[7] = 1;
      expected[6] = type == DType.BOOL ? 1 : 2;
      expected[5] = 1;
      assertArrayEquals(expected, around.toDoubles(), "" + type);
      Tensor empty = gpu.zeros(type, 0);
      assertArrayEquals(
          new long[] {0}, gpu.run(Operator.of("scatter(x, 0, i, s)"), empty, index, ones).shape());
    }
  }

  @Test
  default void shouldKeepTheLastOfSeveral() {
    Gpuos gpu = shared();
    Tensor x = gpu.zeros(DType.F32, 3);
    long[] places = new long[3000];
    double[] values = new double[3000];
    Arrays.setAll(places, i -> i % 3);
    Arrays.setAll(values, i -> i);
    Tensor index = gpu.tensor(places, 3000);
    Tensor src = gpu.tensor(DType.F32, values, 3000);
    assertArrayEquals(
        new double[] {2997, 2998, 2999},
        gpu.run(Operator.of("scatter(x, 0, i, s)"), x, index, src).toDoubles());
  }

  @Test
  default void shouldWriteNumbersAndComputeAround() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor i = gpu.tensor(new long[] {2, 0}, 2, 1);
    Tensor rows = gpu.tensor(DType.I32, new long[] {1, 1}, 2);
    assertArrayEquals(
        new double[] {1, 2, 9, 9, 5, 6},
        gpu.run(Operator.of("scatter(x, 1, i, 9)"), x, i).toDoubles());
    assertArrayEquals(
        new double[] {4, 6, 5, 7, 12, 14},
        gpu.run(Operator.of("scatter_add(x + 1, -1, i, -1.5) * 2"), x, i).toDoubles());
    assertArrayEquals(
        new double[] {1, 2, 3, 4 + 8, 5 + 8, 6 + 8},
        gpu.run(Operator.of("index_add(x, 0, r, x * 0 + 4)"), x, rows).toDoubles());
    assertArrayEquals(
        new double[] {1, 2, 3, -1, -1, -1},
        gpu.run(Operator.of("index_put(x, r - 2, -1)"), x, rows).toDoubles());
    assertArrayEquals(
        new double[] {6, 14},
        gpu.run(Operator.of("sum(scatter(x, 1, i, 3), axis=1)"), x, i).toDoubles());
  }

  @Test
  default void shouldKeepWhatItWritesFrom() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new double[] {1, 2, 3}, 3);
    Tensor i = gpu.tensor(new long[] {0}, 1);
    Operator operator =
        Operator.of("y = x * 2; y, scatter(y, 0, i, 7), y + 1, scatter(y, 0, i, 8)");
    List<Tensor> results = gpu.submit(operator, x, i).results();
    assertArrayEquals(new double[] {2, 4, 6}, results.get(0).toDoubles());
    assertArrayEquals(new double[] {7, 4, 6}, results.get(1).toDoubles());
    assertArrayEquals(new double[] {3, 5, 7}, results.get(2).toDoubles());
    assertArrayEquals(new double[] {8, 4, 6}, results.get(3).toDoubles());
  }

  @Test
  default void shouldWriteInPlaceWhatItDoesNotRead() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new float[] {1, 2, 3}, 3);
    Tensor i = gpu.tensor(new long[] {2, 2}, 2);
    Tensor s = gpu.tensor(new float[] {10, 20}, 2);
    gpu.runInto(Operator.of("scatter_add(x, 0, i, s)"), x, x, i, s);
    assertArrayEquals(new float[] {1, 2, 33}, x.toFloats());
    Tensor y = gpu.tensor(new float[] {1, 2, 3}, 3);
    Operator self = Operator.of("scatter(x, 0, i, s)");
    Tensor j = gpu.tensor(new long[] {2, 1, 0}, 3);
    assertThrows(OverlapException.class, () -> gpu.runInto(self, y, x, j, y));
    Tensor long64 = gpu.tensor(new long[] {2, 1, 0}, 3);
    assertThrows(OverlapException.class, () -> gpu.runInto(self, j, long64, j, long64));
  }

  @Test
  default void shouldWriteToWhatOtherStepsMake() {
    Gpuos gpu = shared();
    Tensor a = gpu.tensor(new double[] {1, 2, 3, 4}, 2, 2);
    Tensor i = gpu.tensor(new long[] {1}, 1);
    Tensor row = gpu.tensor(new double[] {10, 20}, 1, 2);
    // A product with what follows it, a reduction, another write, a repeated element, a constant.
    assertArrayEquals(
        new double[] {8, 11, 26, 43},
        gpu.run(Operator.of("index_add(matmul(a, a) + 1, 0, i, r)"), a, i, row).toDoubles());
    assertArrayEquals(
        new double[] {4, 6, 10, 20},
        gpu.run(Operator.of("index_copy(a * 0 + sum(a, axis=0), 0, i, r)"), a, i, row).toDoubles());
    assertArrayEquals(
        new double[] {1, 2, 23, 44},
        gpu.run(Operator.of("t = index_add(a, 0, i, r); index_add(t, 0, i, r)"), a, i, row)
            .toDoubles());
    Tensor repeated = gpu.tensor(new double[] {5}, 1, 1).expand(2, 2);
    assertArrayEquals(
        new double[] {5, 5, 15, 25},
        gpu.run(Operator.of("index_add(a, 0, i, r)"), repeated, i, row).toDoubles());
    assertArrayEquals(
        new double[] {0, 0, 10, 20},
        gpu.run(Operator.of("index_put(full_like(r, 0) + full([2, 2], 0), i, r)"), row, i)
            .toDoubles());
    // Twice the same, and into another type.
    List<Tensor> both =
        gpu.submit(Operator.of("y = index_copy(a, 0, i, r); y, y"), a, i, row).results();
    assertArrayEquals(both.get(0).toDoubles(), both.get(1).toDoubles());
    assertArrayEquals(new double[] {1, 2, 10, 20}, both.get(1).toDoubles());
    Tensor single = gpu.zeros(DType.F32, 2, 2).transpose(0, 1);
    gpu.runInto(Operator.of("index_add(a, 0, i, r)"), single, a, i, row);
    assertArrayEquals(new double[] {1, 2, 13, 24}, single.toDoubles());
  }

  @Test
  default void shouldReplayWrites() {
    Gpuos gpu = shared();
    Tensor table = gpu.zeros(DType.F32, 4, 2);
    try (Program program =
        gpu.record(
            scope -> {
              SymbolicTensor place = scope.input(DType.I64, 1);
              SymbolicTensor row = scope.input(DType.F32, 1, 2);
              SymbolicTensor held = scope.use(table);
              scope.applyInto(held, Operator.of("index_copy(x, 0, i, s)"), held, place, row);
              return List.of(scope.apply(Operator.of("sum(x, axis=0)"), held));
            })) {
      for (int k = 0; k < 4; k++) {
        Tensor place = gpu.tensor(new long[] {3 - k}, 1);
        Tensor row = gpu.tensor(new float[] {k, 10 * k}, 1, 2);
        float sum = k * (k + 1) / 2f;
        assertArrayEquals(
            new float[] {sum, 10 * sum}, program.run(place, row).getFirst().toFloats());
      }
    }
    assertArrayEquals(new float[] {3, 30, 2, 20, 1, 10, 0, 0}, table.toFloats());
  }

  @Test
  default void shouldWriteNothingForAnEmptyIndex() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new float[] {1, 2, 3, 4}, 2, 2);
    Tensor none = gpu.zeros(DType.I64, 0);
    Tensor src = gpu.zeros(DType.F32, 2, 0);
    assertArrayEquals(
        x.toFloats(), gpu.run(Operator.of("index_add(x, 1, i, s)"), x, none, src).toFloats());
    Tensor flat = gpu.zeros(DType.I64, 0, 2);
    assertArrayEquals(
        x.toFloats(), gpu.run(Operator.of("scatter(x, 0, i, 5)"), x, flat).toFloats());
  }

  @Test
  default void shouldRefuseWhatDoesNotFit() {
    Gpuos gpu = shared();
    Tensor x = gpu.zeros(DType.F32, 2, 3);
    Tensor i = gpu.zeros(DType.I64, 2, 3);
    Tensor flat = gpu.zeros(DType.I64, 3);
    Tensor narrow = gpu.zeros(DType.F32, 2, 2);
    Tensor whole = gpu.zeros(DType.I32, 2, 3);
    Operator scatter = Operator.of("scatter(x, 1, i, s)");
    Operator add = Operator.of("index_add(x, 0, i, s)");
    assertThrows(ShapeException.class, () -> gpu.run(scatter, x, flat, x));
    assertThrows(ShapeException.class, () -> gpu.run(scatter, x, i, narrow));
    assertThrows(ShapeException.class, () -> gpu.run(add, x, i, x));
    assertThrows(ShapeException.class, () -> gpu.run(add, x, flat, x));
    assertThrows(DTypeException.class, () -> gpu.run(scatter, x, i, whole));
    assertThrows(DTypeException.class, () -> gpu.run(scatter, x, x, x));
    assertThrows(
        DTypeException.class, () -> gpu.run(Operator.of("scatter(x, 1, i, 0.5)"), whole, i));
    assertThrows(ShapeException.class, () -> gpu.run(Operator.of("scatter(x, 2, i, 0.5)"), x, i));
  }

  /** What the writes leave, by loops. */
  final class Written {
    private Written() {}

    static String name(DType type) {
      return type.name().toLowerCase(java.util.Locale.ROOT);
    }

    static double[] scattered(
        Gpuos gpu, Tensor x, Tensor index, Tensor src, int axis, boolean adds) {
      double[] result = x.toDoubles();
      double[] places = index.toDoubles();
      double[] from = src.toDoubles();
      long[] shape = index.shape();
      for (int p = 0; p < places.length; p++) {
        int to = 0;
        int at = 0;
        int toStride = 1;
        int atStride = 1;
        int rest = p;
        for (int d = shape.length - 1; d >= 0; d--) {
          int digit = (int) (rest % shape[d]);
          rest /= (int) shape[d];
          to += (d == axis ? (int) places[p] : digit) * toStride;
          at += digit * atStride;
          toStride *= (int) x.shape()[d];
          atStride *= (int) src.shape()[d];
        }
        if (places[p] >= 0 && places[p] < x.shape()[axis]) {
          result[to] = put(gpu, x.dtype(), result[to], from[at], adds);
        }
      }
      return result;
    }

    static double[] slices(
        Gpuos gpu, Tensor x, Tensor index, Tensor src, int axis, boolean adds, boolean wraps) {
      long[] shape = x.shape();
      double[] result = x.toDoubles();
      double[] places = index.toDoubles();
      double[] from = src.toDoubles();
      int inner = (int) Arrays.stream(shape).skip(axis + 1L).reduce(1, (a, b) -> a * b);
      int size = (int) shape[axis];
      for (int p = 0; p < from.length; p++) {
        int place = (int) places[p / inner % places.length];
        place += wraps && place < 0 ? size : 0;
        int to = (p / inner / places.length * size + place) * inner + p % inner;
        if (place >= 0 && place < size) {
          result[to] = put(gpu, x.dtype(), result[to], from[p], adds);
        }
      }
      return result;
    }

    /** Rounded and cut to the type, as a tensor of it would. */
    private static double put(Gpuos gpu, DType type, double before, double x, boolean adds) {
      double sum = adds ? before + x : x;
      return switch (type) {
        case F32 -> (float) sum;
        case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) sum));
        case BF16 -> gpu.tensor(DType.BF16, new double[] {sum}, 1).toDoubles()[0];
        case I8 -> (byte) sum;
        case U8 -> (int) sum & 0xff;
        case BOOL -> sum != 0 ? 1 : 0;
        case F64, I64, I32, I16 -> sum;
      };
    }
  }
}

package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.Tensors;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Functions of where elements are, new tensors, and tensors joined to one. */
interface PlaceConformance extends Target {

  private Tensor run(String text, Tensor... inputs) {
    return shared().run(Operator.of(text), inputs);
  }

  private void assertTensor(DType type, long[] shape, double[] values, Tensor found) {
    assertEquals(type, found.dtype());
    assertArrayEquals(shape, found.shape());
    assertArrayEquals(values, found.toDoubles());
  }

  @Test
  default void shouldCountUpToABound() {
    assertTensor(DType.I64, new long[] {4}, new double[] {0, 1, 2, 3}, run("arange(4)"));
    assertTensor(DType.I64, new long[] {0}, new double[] {}, run("arange(0)"));
    assertTensor(DType.I64, new long[] {3}, new double[] {2, 5, 8}, run("arange(2, 10, 3)"));
    assertTensor(DType.I64, new long[] {3}, new double[] {3, 1, -1}, run("arange(3, -2, -2)"));
    assertTensor(
        DType.F32, new long[] {4}, new double[] {1, 1.5, 2, 2.5}, run("arange(1, 3, step=0.5)"));
    double[] many = new double[3000];
    Arrays.setAll(many, i -> i);
    assertTensor(DType.I64, new long[] {3000}, many, run("arange(end=none, start=3000)"));
    for (String wrong :
        List.of("arange(-1)", "arange(0, 3, 0)", "arange(0, 3, -1)", "arange(nan)")) {
      assertThrows(ShapeException.class, () -> run(wrong), wrong);
    }
    Tensor x = shared().zeros(DType.F32, 3);
    assertThrows(ExpressionException.class, () -> run("arange(x)", x));
  }

  @Test
  default void shouldFillTensors() {
    assertTensor(
        DType.F32, new long[] {2, 2}, new double[] {.5, .5, .5, .5}, run("full([2, 2], .5)"));
    assertTensor(DType.I64, new long[] {3}, new double[] {7, 7, 7}, run("full(3, 7)"));
    assertTensor(DType.BOOL, new long[] {1}, new double[] {1}, run("full([1], true)"));
    assertTensor(DType.I64, new long[] {}, new double[] {7}, run("full([], 7)"));
    assertTensor(DType.F32, new long[] {0, 2}, new double[] {}, run("full([0, 2], 1.0)"));
    assertTensor(DType.F16, new long[] {2}, new double[] {1, 1}, run("cast(full([2], 1.0), f16)"));
    Tensor x = shared().tensor(DType.I8, new long[] {1, 2}, 2, 1);
    assertTensor(DType.I8, new long[] {2, 1}, new double[] {-3, -3}, run("full_like(x, -3)", x));
    assertTensor(DType.I64, new long[] {}, new double[] {8}, run("sum(full([2, 4], 1))"));
    assertTensor(
        DType.I64,
        new long[] {2, 2},
        new double[] {6, 6, 6, 6},
        run("matmul(full([2, 3], 1), full([3, 2], 2))"));
    assertThrows(ShapeException.class, () -> run("full([-1], 0)"));
    assertThrows(DTypeException.class, () -> run("full_like(x, 0.5)", x));
    assertThrows(DTypeException.class, () -> run("full_like(x, 300)", x));
  }

  @Test
  default void shouldMakeDiagonals() {
    assertTensor(DType.F32, new long[] {2, 3}, new double[] {1, 0, 0, 0, 1, 0}, run("eye(2, 3)"));
    assertTensor(DType.F32, new long[] {2, 2}, new double[] {1, 0, 0, 1}, run("eye(n=2)"));
    assertTensor(DType.F32, new long[] {0, 0}, new double[] {}, run("eye(0)"));
  }

  @ParameterizedTest
  @EnumSource
  default void shouldKeepTriangles(DType type) {
    IndexConformance.Indexed test =
        new IndexConformance.Indexed(shared(), new SplittableRandom(type.ordinal()), type);
    for (int k = 0; k < 12; k++) {
      Tensor x = test.source(test.shape(2 + k % 3));
      int diagonal = k % 5 - 2;
      double[] lower = x.toDoubles();
      double[] upper = lower.clone();
      int columns = (int) x.size(-1);
      int rows = (int) x.size(-2);
      for (int p = 0; p < lower.length; p++) {
        int distance = p % columns - p / columns % rows;
        lower[p] = distance <= diagonal ? lower[p] : 0;
        upper[p] = distance >= diagonal ? upper[p] : 0;
      }
      assertTensor(type, x.shape(), lower, run("tril(x, " + diagonal + ")", x));
      assertTensor(type, x.shape(), upper, run("triu(x, diagonal=" + diagonal + ")", x));
    }
    Tensor x = test.source(2, 3);
    assertTensor(type, x.shape(), x.toDoubles(), run("tril(x, 9223372036854775807)", x));
    assertTensor(type, x.shape(), new double[6], run("triu(x, 9223372036854775807)", x));
    assertThrows(ShapeException.class, () -> run("tril(x)", test.source(3)));
  }

  @ParameterizedTest
  @EnumSource
  default void shouldPadAndCutOff(DType type) {
    SplittableRandom random = new SplittableRandom(type.ordinal());
    IndexConformance.Indexed test = new IndexConformance.Indexed(shared(), random, type);
    for (int k = 0; k < 30; k++) {
      Tensor x = test.source(test.shape(1 + k % 4));
      int padded = 1 + random.nextInt(x.rank());
      long[] widths = random.longs(2L * padded, 0, 4).toArray();
      if (k % 4 == 0) {
        widths[0] = -random.nextLong(x.size(-1) + widths[1]);
      }
      int value = k % 3 == 0 ? 0 : 1;
      Tensor found = run("pad(x, " + Arrays.toString(widths) + ", " + value + ")", x);
      assertTensor(type, found.shape(), padded(x, widths, value, found.shape()), found);
    }
    assertThrows(ShapeException.class, () -> run("pad(x, [1, 1, 1, 1])", test.source(3)));
    assertThrows(ShapeException.class, () -> run("pad(x, [1])", test.source(3)));
    assertThrows(ShapeException.class, () -> run("pad(x, [-4, 0])", test.source(3)));
  }

  private static double[] padded(Tensor x, long[] widths, double value, long[] found) {
    int rank = x.rank();
    double[] from = x.toDoubles();
    long[] shape = x.shape();
    long[] wanted = shape.clone();
    for (int k = 0; k < widths.length; k++) {
      wanted[rank - 1 - k / 2] += widths[k];
    }
    assertArrayEquals(wanted, found);
    double[] result = new double[(int) Arrays.stream(wanted).reduce(1, (a, b) -> a * b)];
    for (int p = 0; p < result.length; p++) {
      int rest = p;
      int at = 0;
      int stride = 1;
      boolean inside = true;
      for (int d = rank - 1; d >= 0; d--) {
        int k = 2 * (rank - 1 - d);
        long digit = rest % wanted[d] - (k < widths.length ? widths[k] : 0);
        inside &= digit >= 0 && digit < shape[d];
        at += (int) digit * stride;
        stride *= (int) shape[d];
        rest /= (int) wanted[d];
      }
      result[p] = inside ? from[at] : value;
    }
    return result;
  }

  @Test
  default void shouldTellPlacesToExpressions() {
    Gpuos gpu = shared();
    Tensor x = gpu.tensor(new float[] {1, 1, 1, 1, 1, 1, 1, 1}, 2, 2, 2).transpose(0, 2);
    assertTensor(DType.I64, new long[] {1, 2, 1}, new double[] {0, 1}, run("position(x, -2)", x));
    assertTensor(
        DType.F32,
        new long[] {2, 2, 2},
        new double[] {0, 1, 10, 11, 100, 101, 110, 111},
        run("x * (position(x, 0) * 100 + position(x, 1) * 10 + position(x, 2))", x));
    double e = Math.E;
    double[] causal =
        run(
                "softmax(where(position(x, -1) <= position(x, -2), x, -inf), axis=-1)",
                gpu.tensor(new double[] {0, 9, 0, 1}, 2, 2))
            .toDoubles();
    assertArrayEquals(new double[] {1, 0, 1 / (1 + e), e / (1 + e)}, causal, 1e-12);
    assertThrows(ShapeException.class, () -> run("position(x, 3)", x));
  }

  @Test
  default void shouldNormaliseBatches() {
    Gpuos gpu = shared();
    double[] values = new SplittableRandom(1).doubles(2 * 3 * 4, -2, 2).toArray();
    Tensor mean = gpu.tensor(new double[] {1, -1, 0.5}, 3);
    Tensor var = gpu.tensor(new double[] {1, 4, 0.25}, 3);
    Tensor weight = gpu.tensor(new double[] {2, 1, -1}, 3);
    Tensor bias = gpu.tensor(new double[] {0, 3, 1}, 3);
    double[] expected = new double[values.length];
    for (int p = 0; p < values.length; p++) {
      int c = p / 4 % 3;
      expected[p] =
          (values[p] - mean.toDoubles()[c])
                  / Math.sqrt(var.toDoubles()[c] + 1e-5)
                  * weight.toDoubles()[c]
              + bias.toDoubles()[c];
    }
    for (long[] shape : new long[][] {{2, 3, 4}, {2, 3, 2, 2}}) {
      Tensor x = gpu.tensor(values, shape);
      Tensor found = run("batch_norm(x, m, v, w, b)", x, mean, var, weight, bias);
      assertArrayEquals(expected, found.toDoubles(), 1e-12);
      assertArrayEquals(shape, found.shape());
    }
    Tensor flat = gpu.tensor(new double[] {1, 1, 1}, 1, 3);
    assertArrayEquals(
        new double[] {0, 1, 1},
        run("batch_norm(x, m, v, eps=0)", flat, mean, var).toDoubles(),
        1e-12);
    Tensor two = gpu.zeros(DType.F64, 2);
    assertThrows(ShapeException.class, () -> run("batch_norm(x, m, v)", flat, mean, two));
    Tensor single = gpu.zeros(DType.F32, 3);
    assertThrows(DTypeException.class, () -> run("batch_norm(x, m, v)", flat, mean, single));
  }

  @Test
  default void shouldNormaliseGroups() {
    Gpuos gpu = shared();
    double[] values = new SplittableRandom(2).doubles(2 * 4 * 3, -2, 2).toArray();
    Tensor x = gpu.tensor(values, 3, 4, 2).transpose(0, 2);
    double[] from = x.toDoubles();
    Tensor weight = gpu.tensor(new double[] {2, 1, -1, 3}, 4);
    Tensor bias = gpu.tensor(new double[] {0, 3, 1, 2}, 4);
    double[] expected = new double[24];
    for (int group = 0; group < 4; group++) {
      double[] part = Arrays.copyOfRange(from, group * 6, group * 6 + 6);
      double mean = Arrays.stream(part).sum() / 6;
      double var = Arrays.stream(part).map(v -> (v - mean) * (v - mean)).sum() / 6;
      for (int p = 0; p < 6; p++) {
        int c = group % 2 * 2 + p / 3;
        expected[group * 6 + p] =
            (part[p] - mean) / Math.sqrt(var + 1e-5) * weight.toDoubles()[c] + bias.toDoubles()[c];
      }
    }
    Tensor found = Tensors.groupNorm(gpu, x, 2, weight, bias, 1e-5);
    assertArrayEquals(new long[] {2, 4, 3}, found.shape());
    assertArrayEquals(expected, found.toDoubles(), 1e-12);
    try (Program program =
        gpu.record(
            scope ->
                List.of(
                    Tensors.groupNorm(
                        scope, scope.use(x), 2, scope.use(weight), scope.use(bias), 1e-5)))) {
      assertArrayEquals(expected, program.run().getFirst().toDoubles(), 1e-12);
    }
    assertThrows(ShapeException.class, () -> Tensors.groupNorm(gpu, x, 3, weight, bias, 1e-5));
  }

  @ParameterizedTest
  @EnumSource
  default void shouldJoinTensorsOfAnyLayout(DType type) {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(type.ordinal());
    IndexConformance.Indexed test = new IndexConformance.Indexed(gpu, random, type);
    for (int k = 0; k < 20; k++) {
      long[] shape = test.shape(1 + k % 4);
      int axis = k % shape.length;
      Tensor[] parts = new Tensor[1 + random.nextInt(12)];
      for (int p = 0; p < parts.length; p++) {
        long[] own = shape.clone();
        own[axis] = p % 5 == 4 ? 0 : shape[axis] + p;
        parts[p] = own[axis] == 0 ? gpu.zeros(type, own) : test.source(own);
      }
      Tensor joined = Tensors.cat(gpu, k % 2 == 0 ? axis : axis - shape.length, parts);
      long from = 0;
      for (Tensor part : parts) {
        assertArrayEquals(part.toDoubles(), joined.narrow(axis, from, part.size(axis)).toDoubles());
        from += part.size(axis);
      }
      assertEquals(from, joined.size(axis));
      Tensor[] same = {parts[0], parts[0].flip(0), parts[0]};
      int place = k % (shape.length + 1);
      Tensor stacked = Tensors.stack(gpu, place, same);
      assertEquals(shape.length + 1, stacked.rank());
      for (int p = 0; p < same.length; p++) {
        assertArrayEquals(same[p].toDoubles(), stacked.select(place, p).toDoubles());
      }
    }
  }

  @Test
  default void shouldJoinInPrograms() {
    Gpuos gpu = shared();
    try (Program program =
        gpu.record(
            scope -> {
              SymbolicTensor a = scope.input(DType.F32, 2);
              SymbolicTensor b = scope.input(DType.F32, 2);
              SymbolicTensor joined =
                  Tensors.cat(scope, 0, scope.apply(Operator.of("a + 1"), a), b);
              return List.of(
                  scope.apply(Operator.of("j * 2"), joined), Tensors.stack(scope, -1, a, b));
            })) {
      Tensor a = gpu.tensor(new float[] {1, 2}, 2);
      Tensor b = gpu.tensor(new float[] {3, 4}, 2);
      List<Tensor> results = program.run(a, b);
      assertArrayEquals(new float[] {4, 6, 6, 8}, results.get(0).toFloats());
      assertArrayEquals(new float[] {1, 3, 2, 4}, results.get(1).toFloats());
    }
  }

  /** Recorded, fused and replayed they give what they give one by one. */
  @Test
  default void shouldReplayWhatItComputes() {
    Gpuos gpu = shared();
    List<String> chain =
        List.of(
            "x * 2",
            "tril(x, 1)",
            "cumsum(x, 0) + 1",
            "pad(x, [1, 0, 0, 2], -1.0)",
            "scatter_add(x, 1, cast(x * 0 + position(x, 0), i64), x)",
            "x / 3",
            "index_put(x, arange(2) - 1, 0.5, true)",
            "softmax(where(position(x, 1) <= position(x, 0), x, -inf), axis=-1)");
    try (Program program =
        gpu.record(
            scope -> {
              SymbolicTensor x = scope.input(DType.F64, 3, 4);
              for (String text : chain) {
                x = scope.apply(Operator.of(text), x);
              }
              return List.of(x);
            })) {
      for (int k = 0; k < 3; k++) {
        Tensor x = gpu.tensor(new SplittableRandom(k).doubles(12, -1, 1).toArray(), 3, 4);
        Tensor expected = x;
        for (String text : chain) {
          expected = gpu.run(Operator.of(text), expected);
        }
        Tensor found = program.run(x).getFirst();
        assertArrayEquals(expected.shape(), found.shape());
        assertArrayEquals(expected.toDoubles(), found.toDoubles(), 1e-14);
      }
    }
  }

  @Test
  default void shouldRefuseToJoinWhatDoesNotFit() {
    Gpuos gpu = shared();
    Tensor x = gpu.zeros(DType.F32, 2, 3);
    Tensor other = gpu.zeros(DType.F64, 2, 3);
    Tensor longer = gpu.zeros(DType.F32, 3, 3);
    assertThrows(ShapeException.class, () -> Tensors.cat(gpu, 1, x, longer));
    assertThrows(ShapeException.class, () -> Tensors.cat(gpu, 2, x, x));
    assertThrows(ShapeException.class, () -> Tensors.cat(gpu, 0));
    assertThrows(ShapeException.class, () -> Tensors.cat(gpu, 0, gpu.scalar(1.0)));
    assertThrows(ShapeException.class, () -> Tensors.stack(gpu, 0, x, longer));
    assertEquals(DType.F64, Tensors.cat(gpu, 0, x, other).dtype());
  }
}

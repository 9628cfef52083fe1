package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.error.OverlapException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention against plain loops in double. */
interface AttentionConformance extends Target {

  /** Queries, keys, depth, columns: decoding, small prefill, and around the edges of units. */
  int[][] SIZES = {
    {1, 1, 1, 1},
    {1, 128, 64, 64},
    {1, 1000, 256, 256},
    {1, 4096, 8, 16},
    {2, 33, 40, 24},
    {3, 7, 16, 300},
    {5, 100, 300, 8},
    {8, 8, 32, 32},
    {9, 65, 33, 65},
    {17, 130, 20, 1},
    {40, 40, 64, 64},
    {2, 3, 1100, 1030},
  };

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  default void shouldAttendToAllKeys(DType type) {
    for (int[] size : SIZES) {
      new Case(shared(), type, size, new long[] {2}).check("attention(q, k, v)", false, 0);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  default void shouldAttendToKeysBeforeTheQuery(DType type) {
    for (int[] size : SIZES) {
      new Case(shared(), type, size, new long[] {2, 3})
          .check("attention(q, k, v, causal=true, scale=0.5)", true, 0.5);
    }
  }

  @Test
  default void shouldTakeMasksOfAnyTypeThatBroadcast() {
    for (DType type : List.of(DType.F32, DType.F16)) {
      for (int[] size : SIZES) {
        Case test = new Case(shared(), type, size, new long[] {2, 2});
        long m = size[0];
        long n = size[1];
        test.checkMasked(test.mask(DType.BOOL, m, n), false);
        test.checkMasked(test.mask(type, 2, 1, m, n), false);
        test.checkMasked(test.mask(type, 1, n), true);
        test.checkMasked(test.mask(DType.F64, 2, m, 1), false);
      }
    }
  }

  @Test
  default void shouldReadOperandsOfAnyLayout() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(5);
    // As projections leave them: batch, position, head, depth; and a cache with room to spare.
    Tensor q = Case.random(gpu, random, DType.F32, 2, 5, 3, 24).transpose(1, 2);
    Tensor k = Case.random(gpu, random, DType.F32, 2, 3, 90, 24).slice(2, 3, 70, 1);
    Tensor v = Case.random(gpu, random, DType.F32, 2, 3, 20, 67).transpose(2, 3).flip(3);
    Case.check(gpu, "attention(q, k, v)", q, k, v, null, false, 0);
    // Keys and values that several heads share, and that all batches share.
    Tensor one = Case.random(gpu, random, DType.F32, 2, 1, 67, 24);
    Case.check(gpu, "attention(q, k, v)", q, one, v, null, false, 0);
    Tensor all = Case.random(gpu, random, DType.F32, 67, 24);
    Case.check(gpu, "attention(q, k, v, causal=true)", q, all, all, null, true, 0);
    Tensor output = gpu.zeros(DType.F32, 2, 5, 3, 20);
    gpu.runInto(Operator.of("attention(q, k, v)"), output.transpose(1, 2), q, k, v);
    assertArrayEquals(
        gpu.run(Operator.of("attention(q, k, v)"), q, k, v).toDoubles(),
        output.transpose(1, 2).toDoubles());
  }

  @Test
  default void shouldGiveWhatTheMathGivesForNothingToSee() {
    Gpuos gpu = shared();
    Tensor q = Case.random(gpu, new SplittableRandom(1), DType.F32, 2, 3, 4);
    Tensor k = Case.random(gpu, new SplittableRandom(2), DType.F32, 2, 5, 4);
    Tensor none = gpu.empty(DType.F32, 2, 0, 4);
    Operator attention = Operator.of("attention(q, k, v)");
    assertArrayEquals(new double[24], gpu.run(attention, q, none, none).toDoubles());
    assertArrayEquals(new double[0], gpu.run(attention, none, k, k).toDoubles());
    Tensor thin = gpu.empty(DType.F32, 2, 5, 0);
    assertEquals(0, gpu.run(attention, q, k, thin).toDoubles().length);
    // Without depth all scores are 0, so the result is the mean.
    Tensor flat = gpu.run(attention, gpu.empty(DType.F32, 2, 3, 0), thin, k);
    double[] means = gpu.run(Operator.of("mean(k, axis=1, keepdim=true)"), k).toDoubles();
    for (int i = 0; i < 24; i++) {
      assertEquals(means[i / 12 * 4 + i % 4], flat.toDoubles()[i], 1e-6);
    }
  }

  @Test
  default void shouldGiveNaNWhereNoKeyIsSeen() {
    Gpuos gpu = shared();
    for (int n : new int[] {5, 300}) {
      Tensor q = Case.random(gpu, new SplittableRandom(1), DType.F32, 2, 3, 4);
      Tensor k = Case.random(gpu, new SplittableRandom(2), DType.F32, 2, n, 4);
      // The second query sees no key; the others see the last one only.
      boolean[] seen = new boolean[3 * n];
      seen[n - 1] = true;
      seen[3 * n - 1] = true;
      Tensor mask = gpu.tensor(seen, 3, n);
      Tensor added = gpu.run(Operator.of("where(m, 0.5, -inf)"), mask);
      double[] keys = k.toDoubles();
      for (Tensor each : List.of(mask, added)) {
        Operator attention = Operator.of("attention(q, k, v, mask)");
        double[] result = gpu.run(attention, q, k, k, each).toDoubles();
        for (int i = 0; i < 24; i++) {
          boolean none = i / 4 % 3 == 1;
          double last = keys[(i / 12 * n + n - 1) * 4 + i % 4];
          assertEquals(none ? Double.NaN : last, result[i], each + ", element " + i);
        }
      }
    }
  }

  /** Scores that would overflow without the maximum, in every order. */
  @Test
  default void shouldKeepLargeScoresInRange() {
    Gpuos gpu = shared();
    for (int keys : new int[] {3, 64, 300}) {
      double[] values = new double[keys];
      Arrays.setAll(values, i -> (i * 37 % keys - keys / 2) * 4.0);
      Tensor k = gpu.tensor(DType.F32, values, keys, 1);
      Tensor q = gpu.tensor(DType.F32, new double[] {100, -100, 0, 1}, 4, 1);
      Case.check(gpu, "attention(q, k, v)", q, k, k, null, false, 0);
      Case.check(gpu, "attention(q, k, v)", q.slice(0, 0, 1, 1), k, k, null, false, 0);
    }
  }

  @Test
  default void shouldComputeWithTheResultInOneTask() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(3);
    Tensor q = Case.random(gpu, random, DType.F16, 2, 3, 10, 16);
    Tensor k = Case.random(gpu, random, DType.F16, 2, 3, 50, 16);
    Tensor r = Case.random(gpu, random, DType.F16, 2, 3, 10, 16);
    double[] plain = gpu.run(Operator.of("attention(q, k, v)"), q, k, k).toDoubles();
    double[] residual = r.toDoubles();
    double[] expected = new double[plain.length];
    Arrays.setAll(
        expected,
        i -> Float.float16ToFloat(Float.floatToFloat16((float) (plain[i] + residual[i]))));
    try (Program program =
        gpu.record(
            scope -> {
              SymbolicTensor in = scope.input(q.layout());
              SymbolicTensor keys = scope.use(k);
              SymbolicTensor a = scope.apply(Operator.of("attention(q, k, v)"), in, keys, keys);
              return List.of(scope.apply(Operator.of("a + r"), a, scope.use(r)));
            })) {
      assertTrue(program.explain().contains("nodes=1, kernels=1"), program::explain);
      assertArrayEquals(expected, program.run(q).getFirst().toDoubles());
    }
    Tensor wide = gpu.run(Operator.of("cast(attention(q, k, v), f32) + r"), q, k, k, r);
    assertEquals(DType.F32, wide.dtype());
    assertThrows(
        OverlapException.class, () -> gpu.runInto(Operator.of("attention(q, k, v)"), q, q, k, k));
  }

  /** Random operands, and what they must give. */
  final class Case {
    private final Gpuos gpu;
    private final SplittableRandom random = new SplittableRandom(11);
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;

    Case(Gpuos gpu, DType type, int[] size, long[] batch) {
      this.gpu = gpu;
      q = random(gpu, random, type, shape(batch, size[0], size[2]));
      k = random(gpu, random, type, shape(batch, size[1], size[2]));
      v = random(gpu, random, type, shape(batch, size[1], size[3]));
    }

    private static long[] shape(long[] batch, long rows, long columns) {
      long[] shape = Arrays.copyOf(batch, batch.length + 2);
      shape[batch.length] = rows;
      shape[batch.length + 1] = columns;
      return shape;
    }

    static Tensor random(Gpuos gpu, SplittableRandom random, DType type, long... shape) {
      int count = (int) Arrays.stream(shape).reduce(1, (x, y) -> x * y);
      return gpu.tensor(type, random.doubles(count, -1, 1).toArray(), shape);
    }

    /** Truth values, of which the first of each row is true, or numbers and minus infinities. */
    Tensor mask(DType type, long... shape) {
      int count = (int) Arrays.stream(shape).reduce(1, (x, y) -> x * y);
      int last = (int) shape[shape.length - 1];
      if (type == DType.BOOL) {
        boolean[] values = new boolean[count];
        for (int i = 0; i < count; i++) {
          values[i] = i % last == 0 || random.nextInt(3) > 0;
        }
        return gpu.tensor(values, shape);
      }
      double[] values = new double[count];
      Arrays.setAll(
          values,
          i ->
              i % last > 0 && random.nextInt(4) == 0
                  ? Double.NEGATIVE_INFINITY
                  : random.nextInt(9) / 4.0 - 1);
      return gpu.tensor(type, values, shape);
    }

    void check(String text, boolean causal, double scale) {
      check(gpu, text, q, k, v, null, causal, scale);
    }

    void checkMasked(Tensor mask, boolean causal) {
      String text = "attention(q, k, v, mask" + (causal ? ", causal=true)" : ")");
      check(gpu, text, q, k, v, mask, causal, 0);
    }

    static void check(
        Gpuos gpu,
        String text,
        Tensor q,
        Tensor k,
        Tensor v,
        Tensor mask,
        boolean causal,
        double scale) {
      Operator operator = Operator.of(text);
      Tensor result = mask == null ? gpu.run(operator, q, k, v) : gpu.run(operator, q, k, v, mask);
      assertEquals(q.dtype(), result.dtype());
      double[] expected = expected(result.shape(), q, k, v, mask, causal, scale);
      double step =
          switch (q.dtype()) {
            case F16 -> 0x1p-11;
            case BF16 -> 0x1p-8;
            default -> 2e-6;
          };
      double largest = Arrays.stream(v.toDoubles()).map(Math::abs).max().orElse(0);
      double[] actual = result.toDoubles();
      for (int i = 0; i < actual.length; i++) {
        // Half types are rounded once; sums are in float, of weights that add up to 1.
        double bound = step * Math.abs(expected[i]) + 4e-6 * largest;
        assertEquals(expected[i], actual[i], bound, text + " of " + q + ", " + k + ", at " + i);
      }
    }

    private static double[] expected(
        long[] shape,
        Tensor query,
        Tensor key,
        Tensor value,
        Tensor mask,
        boolean causal,
        double given) {
      int m = (int) query.size(-2);
      int n = (int) key.size(-2);
      int depth = (int) query.size(-1);
      int columns = (int) value.size(-1);
      double[] q = expanded(query, shape, m, depth);
      double[] k = expanded(key, shape, n, depth);
      double[] v = expanded(value, shape, n, columns);
      double[] bias = mask == null ? null : expanded(mask, shape, m, n);
      boolean truth = mask != null && mask.dtype() == DType.BOOL;
      double scale = given == 0 ? 1 / Math.sqrt(depth) : given;
      double[] out = new double[q.length / depth * columns];
      double[] weights = new double[n];
      for (int row = 0; row < q.length / depth; row++) {
        int from = row / m * n;
        double most = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < n; j++) {
          double score = 0;
          for (int d = 0; d < depth; d++) {
            score += q[row * depth + d] * k[(from + j) * depth + d];
          }
          double added = bias == null ? 0 : bias[row * n + j];
          boolean hidden = causal && j > row % m || truth && added == 0;
          weights[j] = hidden ? Double.NEGATIVE_INFINITY : score * scale + (truth ? 0 : added);
          most = Math.max(most, weights[j]);
        }
        double sum = 0;
        for (int j = 0; j < n; j++) {
          weights[j] = Math.exp(weights[j] - most);
          sum += weights[j];
        }
        for (int j = 0; j < n; j++) {
          for (int c = 0; c < columns; c++) {
            out[row * columns + c] += weights[j] / sum * v[(from + j) * columns + c];
          }
        }
      }
      return out;
    }

    private static double[] expanded(Tensor tensor, long[] result, long rows, long columns) {
      long[] shape = result.clone();
      shape[shape.length - 2] = rows;
      shape[shape.length - 1] = columns;
      return tensor.expand(shape).toDoubles();
    }
  }
}

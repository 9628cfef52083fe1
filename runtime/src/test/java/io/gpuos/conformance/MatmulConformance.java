package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Matrix products against three plain loops. The elements are small whole numbers, so every sum is
 * exact in whatever it is summed in, and results must be equal to the last bit.
 */
interface MatmulConformance extends Target {

  /** Sizes around the edges of blocks, panels and the few rows that have a way of their own. */
  long[] SIZES = {1, 2, 3, 4, 5, 7, 8, 16, 23, 24, 25, 31, 32, 33, 40, 63, 65, 97};

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "BOOL")
  default void shouldMultiplyMatricesOfAnyLayout(DType type) {
    Gpuos gpu = renewed();
    SplittableRandom random = new SplittableRandom(type.ordinal());
    for (int k = 0; k < 60; k++) {
      Products test = new Products(gpu, random, type);
      long[] sizes = {size(random), size(random), size(random)};
      Tensor a = test.tensor(test.batched(sizes[0], sizes[1]));
      Tensor b = test.tensor(test.batched(sizes[1], sizes[2]));
      test.check(a, b);
    }
  }

  private static long size(SplittableRandom random) {
    return SIZES[random.nextInt(SIZES.length)];
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "BOOL")
  default void shouldMultiplyVectors(DType type) {
    Products test = new Products(renewed(), new SplittableRandom(7), type);
    for (long inner : new long[] {1, 5, 33, 300}) {
      test.check(test.tensor(inner), test.tensor(inner));
      test.check(test.tensor(inner), test.tensor(inner, 45));
      test.check(test.tensor(45, inner), test.tensor(inner));
      test.check(test.tensor(inner), test.tensor(3, inner, 2));
      test.check(test.tensor(3, 1, 40, inner), test.tensor(inner));
    }
  }

  @Test
  default void shouldGiveZeroForNothingToSum() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.empty(DType.F32, 3, 0);
        Tensor b = gpu.empty(DType.F32, 0, 2);
        Tensor bias = gpu.tensor(new float[] {1, 2}, 2);
        Tensor sum = gpu.run(Operator.of("matmul(a, b) + bias"), a, b, bias);
        Tensor none = gpu.run(Operator.of("matmul(b, bias)"), b, bias)) {
      assertArrayEquals(new float[] {1, 2, 1, 2, 1, 2}, sum.toFloats());
      assertArrayEquals(new long[] {0}, none.shape());
    }
  }

  @Test
  default void shouldComputeWithTheProductInOneTask() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(3);
    for (DType type : List.of(DType.F32, DType.F64, DType.F16, DType.BF16, DType.I32)) {
      for (long rows : new long[] {1, 3, 20}) {
        Products test = new Products(gpu, random, type);
        Tensor x = test.tensor(2, rows, 19);
        Tensor w = test.tensor(30, 19).transpose(0, 1);
        Tensor bias = test.tensor(30);
        Tensor residual = test.tensor(2, rows, 30);
        Tensor result = gpu.run(Operator.of("relu(matmul(x, w) + b) - r"), x, w, bias, residual);
        double[] product = Products.product(x, w);
        double[] b = bias.toDoubles();
        double[] r = residual.toDoubles();
        double[] expected = new double[product.length];
        for (int i = 0; i < expected.length; i++) {
          expected[i] = test.rounded().applyAsDouble(Math.max(0, product[i] + b[i % 30]) - r[i]);
        }
        assertArrayEquals(expected, result.toDoubles(), type + ", rows=" + rows);
      }
    }
  }

  @Test
  default void shouldComputeLayersWithWeightsAsTheyLie() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(9);
    for (DType type : List.of(DType.F32, DType.F16, DType.I64)) {
      for (long rows : new long[] {1, 3, 8, 40}) {
        Products test = new Products(gpu, random, type);
        Tensor x = test.tensor(2, rows, 19);
        Tensor w = test.tensor(30, 19);
        Tensor b = test.tensor(30);
        double[] product = Products.product(x, w.transpose(0, 1));
        double[] bias = b.toDoubles();
        double[] layer = new double[product.length];
        Arrays.setAll(layer, i -> test.rounded().applyAsDouble(product[i] + bias[i % 30]));
        double[] sum = new double[product.length];
        Arrays.setAll(sum, i -> test.rounded().applyAsDouble(2 * bias[i % 30] - product[i]));
        String what = type + ", rows=" + rows;
        Tensor linear = gpu.run(Operator.of("linear(x, w, b)"), x, w, b);
        assertArrayEquals(layer, linear.toDoubles(), what);
        Operator addmm = Operator.of("addmm(b, x, y, beta=2, alpha=-1)");
        Tensor added = gpu.run(addmm, b, x, w.transpose(0, 1));
        assertArrayEquals(sum, added.toDoubles(), what);
      }
    }
    Tensor vector = gpu.tensor(new float[] {1, 2, 3}, 3);
    assertArrayEquals(new float[] {14}, gpu.run(Operator.of("linear(x, x)"), vector).toFloats());
  }

  /** What follows a recorded product is fused to it, and rounds where it did before. */
  @Test
  default void shouldComputeWithRecordedProductsInOneTask() {
    Gpuos gpu = shared();
    Operator matmul = Operator.of("matmul(a, b)");
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      double[] values = reals(new SplittableRandom(8), 45 * 33);
      Tensor x = gpu.tensor(type, Arrays.copyOf(values, 2 * 33), 2, 33);
      Tensor w = gpu.tensor(type, values, 45, 33).transpose(0, 1);
      Tensor bias = gpu.tensor(type, Arrays.copyOf(values, 45), 45);
      Tensor product = gpu.run(matmul, x, w);
      Tensor sum = gpu.run(Operator.of("a + b"), product, bias);
      double[] expected = gpu.run(Operator.of("a + gelu(b)"), sum, sum).toDoubles();
      try (Program program =
          gpu.record(
              scope -> {
                SymbolicTensor in = scope.input(x.layout());
                SymbolicTensor p = scope.apply(matmul, in, scope.use(w));
                SymbolicTensor s = scope.apply(Operator.of("a + b"), p, scope.use(bias));
                return List.of(scope.apply(Operator.of("a + gelu(b)"), s, s));
              })) {
        assertTrue(program.explain().contains("nodes=1, kernels=1"), program::explain);
        assertArrayEquals(expected, program.run(x).getFirst().toDoubles(), type.toString());
      }
    }
  }

  /** A residual is read and written at the same place by the kernel of the product. */
  @Test
  default void shouldAddProductsToTensorsInPlace() {
    Gpuos gpu = shared();
    Operator residual = Operator.of("r + matmul(a, b)");
    for (long rows : new long[] {1, 4, 40}) {
      Products test = new Products(gpu, new SplittableRandom(rows), DType.F32);
      Tensor a = test.tensor(3, rows, 50);
      Tensor b = test.tensor(50, 70);
      Tensor r = test.tensor(3, rows, 70);
      double[] expected = r.toDoubles();
      double[] product = Products.product(a, b);
      Arrays.setAll(expected, i -> expected[i] + product[i]);
      gpu.runInto(residual, r, r, a, b);
      assertArrayEquals(expected, r.toDoubles(), "rows=" + rows);
    }
  }

  @Test
  default void shouldMultiplyAndReduceWhatOtherStepsComputed() {
    Gpuos gpu = shared();
    Products test = new Products(gpu, new SplittableRandom(4), DType.F64);
    Tensor x = test.tensor(5, 7);
    Tensor w = test.tensor(7, 9);
    Tensor v = test.tensor(9, 6);
    Tensor result = gpu.run(Operator.of("sum(matmul(relu(matmul(x, w)), v + 1), axis=0)"), x, w, v);
    double[] hidden = Arrays.stream(Products.product(x, w)).map(h -> Math.max(0, h)).toArray();
    double[] expected = new double[6];
    for (int i = 0; i < 5 * 6 * 9; i++) {
      int n = i / 5 % 6;
      int k = i / 30;
      expected[n] += hidden[i % 5 * 9 + k] * (v.toDoubles()[k * 6 + n] + 1);
    }
    assertArrayEquals(expected, result.toDoubles());
  }

  /**
   * Attention, and a normalised layer: products, rows and what is fused to each, in one operator.
   */
  @Test
  default void shouldGoOverRowsOfProducts() {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(6);
    Tensor q = gpu.tensor(DType.F64, reals(random, 2 * 5 * 8), 2, 5, 8);
    Tensor k = gpu.tensor(DType.F64, reals(random, 2 * 8 * 11), 2, 8, 11);
    Tensor v = gpu.tensor(DType.F64, reals(random, 2 * 11 * 4), 2, 11, 4);
    Tensor attention =
        gpu.run(Operator.of("matmul(softmax(matmul(q, k) / 2 + 1, axis=-1), v)"), q, k, v);
    double[] scores = Products.product(q, k);
    double[] weights = new double[scores.length];
    for (int row = 0; row < 10; row++) {
      double sum = 0;
      for (int j = 0; j < 11; j++) {
        weights[row * 11 + j] = Math.exp(scores[row * 11 + j] / 2);
        sum += weights[row * 11 + j];
      }
      for (int j = 0; j < 11; j++) {
        weights[row * 11 + j] /= sum;
      }
    }
    Tensor w = gpu.tensor(DType.F64, weights, 2, 5, 11);
    assertArrayEquals(Products.product(w, v), attention.toDoubles(), 1e-12);

    Tensor bias = gpu.tensor(DType.F64, reals(random, 11), 11);
    Tensor layer =
        gpu.run(Operator.of("layer_norm(relu(matmul(q, k) + b) + 1, eps=0.5)"), q, k, bias);
    double[] b = bias.toDoubles();
    double[] expected = new double[scores.length];
    for (int row = 0; row < 10; row++) {
      double mean = 0;
      double square = 0;
      for (int j = 0; j < 11; j++) {
        double x = Math.max(0, scores[row * 11 + j] + b[j]);
        expected[row * 11 + j] = x;
        mean += x / 11;
        square += x * x / 11;
      }
      for (int j = 0; j < 11; j++) {
        double deviation = Math.sqrt(square - mean * mean + 0.5);
        expected[row * 11 + j] = (expected[row * 11 + j] - mean) / deviation;
      }
    }
    assertArrayEquals(expected, layer.toDoubles(), 1e-12);
  }

  private static double[] reals(SplittableRandom random, int count) {
    return random.doubles(count, -1, 1).toArray();
  }

  @Test
  default void shouldWriteTheProductToOutputsOfAnyLayout() {
    Gpuos gpu = shared();
    Operator matmul = Operator.of("matmul(a, b)");
    Products test = new Products(gpu, new SplittableRandom(5), DType.F32);
    Tensor a = test.tensor(6, 33, 21);
    Tensor b = test.tensor(6, 21, 40);
    double[] expected = Products.product(a, b);
    for (int[] order : new int[][] {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}}) {
      long[] shape = {6, 33, 40};
      long[] stored = Arrays.stream(order).mapToLong(d -> shape[d]).toArray();
      int[] back = new int[3];
      for (int d = 0; d < 3; d++) {
        back[order[d]] = d;
      }
      Tensor output = gpu.zeros(DType.F32, stored).permute(back);
      gpu.runInto(matmul, output, a, b);
      assertArrayEquals(expected, output.toDoubles(), Arrays.toString(order));
    }
    Tensor wide = gpu.zeros(DType.F64, 6, 33, 40);
    gpu.runInto(matmul, wide, a, b);
    assertArrayEquals(expected, wide.toDoubles());
  }

  /** Random tensors of whole numbers, and what their products are. */
  final class Products {

    private static final Operator MATMUL = Operator.of("matmul(a, b)");
    private final Gpuos gpu;
    private final SplittableRandom random;
    private final DType type;

    Products(Gpuos gpu, SplittableRandom random, DType type) {
      this.gpu = gpu;
      this.random = random;
      this.type = type;
    }

    /** A matrix, perhaps with a batch before it that broadcasts. */
    long[] batched(long rows, long columns) {
      return switch (random.nextInt(5)) {
        case 0, 1 -> new long[] {rows, columns};
        case 2 -> new long[] {3, rows, columns};
        case 3 -> new long[] {2, 1, rows, columns};
        default -> new long[] {1, 3, rows, columns};
      };
    }

    /** Of -2 to 2, or 0 to 4 without sign, transposed, sliced or reversed in memory. */
    Tensor tensor(long... shape) {
      int[] order = new int[shape.length];
      Arrays.setAll(order, d -> d);
      if (shape.length > 1 && random.nextBoolean()) {
        int other = random.nextInt(shape.length);
        order[shape.length - 1] = other;
        order[other] = shape.length - 1;
      }
      long[] stored = Arrays.stream(order).mapToLong(d -> shape[d]).toArray();
      int step = random.nextInt(3) == 0 ? 2 : 1;
      long[] wide = stored.clone();
      wide[shape.length - 1] *= step;
      double[] values = new double[(int) Arrays.stream(wide).reduce(1, (x, y) -> x * y)];
      Arrays.setAll(values, _ -> random.nextInt(5) - (type == DType.U8 ? 0 : 2));
      Tensor tensor =
          type.isFloating()
              ? gpu.tensor(type, values, wide)
              : gpu.tensor(type, Arrays.stream(values).mapToLong(v -> (long) v).toArray(), wide);
      if (step > 1) {
        tensor = tensor.slice(-1, 0, wide[shape.length - 1], 2);
      }
      tensor = tensor.permute(order);
      return random.nextInt(4) == 0 ? tensor.flip(0) : tensor;
    }

    void check(Tensor a, Tensor b) {
      double[] expected = Arrays.stream(product(a, b)).map(rounded()).toArray();
      Tensor result = gpu.run(MATMUL, a, b);
      assertEquals(type, result.dtype());
      assertArrayEquals(expected, result.toDoubles(), a + " x " + b);
    }

    /** To the type of the tensors: exact numbers are rounded once, integers wrap. */
    DoubleUnaryOperator rounded() {
      return switch (type) {
        case U8 -> value -> (long) value & 0xff;
        case I8 -> value -> (byte) (long) value;
        case I16 -> value -> (short) (long) value;
        case F16 -> value -> Float.float16ToFloat(Float.floatToFloat16((float) value));
        case BF16 ->
            value -> {
              int bits = Float.floatToRawIntBits((float) value);
              int rounded = bits + 0x7fff + (bits >>> 16 & 1);
              return Float.intBitsToFloat(rounded & 0xffff0000);
            };
        default -> value -> value;
      };
    }

    /** Row-major, by {@code torch.matmul}'s rules. */
    static double[] product(Tensor left, Tensor right) {
      Tensor a = left.rank() == 1 ? left.unsqueeze(0) : left;
      Tensor b = right.rank() == 1 ? right.unsqueeze(1) : right;
      int rank = Math.max(a.rank(), b.rank());
      long[] batch = new long[rank - 2];
      for (int d = 0; d < batch.length; d++) {
        batch[d] = Math.max(outer(a, d - rank), outer(b, d - rank));
      }
      int m = (int) a.size(-2);
      int inner = (int) a.size(-1);
      int n = (int) b.size(-1);
      double[] x = expanded(a, batch, m, inner).toDoubles();
      double[] y = expanded(b, batch, inner, n).toDoubles();
      double[] out = new double[(int) Arrays.stream(batch).reduce(1, (p, q) -> p * q) * m * n];
      for (int i = 0; i < out.length; i++) {
        int grid = i / (m * n);
        for (int k = 0; k < inner; k++) {
          out[i] += x[(i / n) * inner + k] * y[(grid * inner + k) * n + i % n];
        }
      }
      return out;
    }

    private static long outer(Tensor tensor, int dim) {
      return -dim > tensor.rank() ? 1 : tensor.size(dim);
    }

    private static Tensor expanded(Tensor tensor, long[] batch, long rows, long columns) {
      long[] shape = Arrays.copyOf(batch, batch.length + 2);
      shape[batch.length] = rows;
      shape[batch.length + 1] = columns;
      return tensor.expand(shape);
    }
  }
}

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
import java.util.Locale;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * Softmax, normalisations and the like, which are one kernel over rows, against the same in plain
 * double arithmetic.
 */
interface RowConformance extends Target {

  /** Lengths of rows that a thread, a warp, a block and none of these hold at once. */
  int[] LENGTHS = {1, 2, 7, 32, 100, 768, 1024, 3000, 10_001};

  @Test
  default void shouldComputeSoftmaxOfRowsOfAnyLength() {
    checkRows("softmax(x)", RowConformance::softmax);
  }

  @Test
  default void shouldComputeLogSoftmaxOfRowsOfAnyLength() {
    checkRows(
        "log_softmax(x)",
        row -> {
          double[] result = softmax(row);
          double max = max(row);
          double sum = 0;
          for (double x : row) {
            sum += Math.exp(x - max);
          }
          for (int i = 0; i < row.length; i++) {
            result[i] = row[i] - max - Math.log(sum);
          }
          return result;
        });
  }

  @Test
  default void shouldNormalizeRowsOfAnyLength() {
    checkRows("layer_norm(x)", row -> scaled(row, mean(row), Math.sqrt(variance(row) + 1e-5)));
    checkRows(
        "rms_norm(x)",
        row -> {
          double mean = mean(row);
          return scaled(row, 0, Math.sqrt(variance(row) + mean * mean + 1e-6));
        });
  }

  /** The result of a fold of half type is rounded to it, whether it is stored or not. */
  @Test
  default void shouldRoundFoldedResultsAsIfTheyWereStored() {
    Gpuos gpu = renewed();
    float[] values = new float[48];
    Random random = new Random(3);
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat() * 100;
    }
    for (DType type : new DType[] {DType.F16, DType.BF16}) {
      try (Tensor wide = gpu.tensor(values, 4, 12);
          Tensor x =
              gpu.run(Operator.of("cast(x, " + type.name().toLowerCase(Locale.ROOT) + ")"), wide);
          Tensor mean = gpu.run(Operator.of("mean(x, axis=-1, keepdim=true)"), x);
          Tensor expected = gpu.run(Operator.of("x - m"), x, mean);
          Tensor fused = gpu.run(Operator.of("x - mean(x, axis=-1, keepdim=true)"), x)) {
        assertArrayEquals(expected.toDoubles(), fused.toDoubles(), type::name);
      }
    }
  }

  /** Half types hold neither the square of 300 nor a power of e of 100. */
  @Test
  default void shouldNotOverflowWhereTheResultDoesNot() {
    Gpuos gpu = renewed();
    float[] values = {-600, 300, 0, 300};
    try (Tensor wide = gpu.tensor(values, 1, 4);
        Tensor x = gpu.run(Operator.of("cast(x, f16)"), wide);
        Tensor norm = gpu.run(Operator.of("layer_norm(x)"), x);
        Tensor rms = gpu.run(Operator.of("rms_norm(x)"), x);
        Tensor softmax = gpu.run(Operator.of("softmax(x)"), x)) {
      assertArrayEquals(new double[] {-1.633, 0.816, 0, 0.816}, norm.toDoubles(), 2e-3);
      assertArrayEquals(new double[] {-1.633, 0.816, 0, 0.816}, rms.toDoubles(), 2e-3);
      assertArrayEquals(new double[] {0, 0.5, 0, 0.5}, softmax.toDoubles());
    }
  }

  @Test
  default void shouldTakeInfinitiesAndNaNs() {
    Gpuos gpu = renewed();
    float inf = Float.POSITIVE_INFINITY;
    try (Tensor x = gpu.tensor(new float[] {-inf, -inf, inf, 0, Float.NaN, 1, 0, -inf}, 4, 2);
        Tensor softmax = gpu.run(Operator.of("softmax(x)"), x);
        Tensor logsumexp = gpu.run(Operator.of("logsumexp(x)"), x)) {
      double nan = Double.NaN;
      assertArrayEquals(new double[] {nan, nan, nan, nan, nan, nan, 1, 0}, softmax.toDoubles());
      assertArrayEquals(new double[] {-inf, inf, nan, 0}, logsumexp.toDoubles());
    }
  }

  @Test
  default void shouldGiveRowsWithoutElementsTheirResults() {
    Gpuos gpu = renewed();
    try (Tensor x = gpu.tensor(new float[0], 3, 0);
        Tensor sums = gpu.run(Operator.of("sum(x, axis=-1) * 2 + 1"), x);
        Tensor softmax = gpu.run(Operator.of("x / sum(x, axis=-1, keepdim=true)"), x)) {
      assertArrayEquals(new float[] {1, 1, 1}, sums.toFloats());
      assertArrayEquals(new long[] {3, 0}, softmax.shape());
    }
  }

  @Test
  default void shouldWriteOverWhatItReads() {
    Gpuos gpu = renewed();
    try (Tensor x = gpu.tensor(new float[] {0, 0, 5, 5, 5, 5}, 3, 2);
        Tensor b = gpu.tensor(new float[] {1, 2}, 2);
        Tensor square = gpu.tensor(new float[] {1, 2, 3, 4}, 2, 2)) {
      gpu.runInto(Operator.of("softmax(x)"), x, x);
      assertArrayEquals(new float[] {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, x.toFloats());
      assertThrows(
          OverlapException.class,
          () -> gpu.runInto(Operator.of("sum(x + b, axis=-1) * 2"), b, square, b));
    }
  }

  private void checkRows(String text, UnaryOperator<double[]> row) {
    Gpuos gpu = renewed();
    Operator operator = Operator.of(text);
    Operator across = Operator.of(text.replace("(x", "(x, axis=0"));
    for (int length : LENGTHS) {
      int rows = length > 2000 ? 3 : 37;
      double[] values = new double[rows * length];
      Random random = new Random(length);
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (random.nextGaussian() * 3);
      }
      double[] expected = new double[values.length];
      for (int r = 0; r < rows; r++) {
        double[] one = Arrays.copyOfRange(values, r * length, (r + 1) * length);
        System.arraycopy(row.apply(one), 0, expected, r * length, length);
      }
      try (Tensor x = gpu.tensor(DType.F32, values, rows, length);
          Tensor result = gpu.run(operator, x);
          Tensor turned = gpu.run(across, x.transpose(0, 1))) {
        assertClose(expected, result.toDoubles(), text + " of rows of " + length);
        assertClose(
            expected, turned.transpose(0, 1).toDoubles(), text + " across rows of " + length);
      }
    }
  }

  private static void assertClose(double[] expected, double[] actual, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(
          expected[i], actual[i], 2e-5 * Math.max(0.01, Math.abs(expected[i])) + 2e-6, what);
    }
  }

  private static double max(double[] row) {
    double max = Double.NEGATIVE_INFINITY;
    for (double x : row) {
      max = Math.max(max, x);
    }
    return max;
  }

  private static double mean(double[] row) {
    double sum = 0;
    for (double x : row) {
      sum += x;
    }
    return sum / row.length;
  }

  private static double variance(double[] row) {
    double mean = mean(row);
    double sum = 0;
    for (double x : row) {
      sum += (x - mean) * (x - mean);
    }
    return sum / row.length;
  }

  private static double[] scaled(double[] row, double shift, double divisor) {
    double[] result = new double[row.length];
    for (int i = 0; i < row.length; i++) {
      result[i] = (row[i] - shift) / divisor;
    }
    return result;
  }

  private static double[] softmax(double[] row) {
    double max = max(row);
    double[] result = new double[row.length];
    double sum = 0;
    for (int i = 0; i < row.length; i++) {
      result[i] = Math.exp(row[i] - max);
      sum += result[i];
    }
    for (int i = 0; i < row.length; i++) {
      result[i] /= sum;
    }
    return result;
  }
}

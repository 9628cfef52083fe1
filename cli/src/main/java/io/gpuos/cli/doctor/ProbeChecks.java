package io.gpuos.cli.doctor;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleUnaryOperator;

/**
 * The checks of the probe. All use operators with a name, which are never interpreted: what is
 * computed is computed by code that was brought in.
 */
final class ProbeChecks {

  private static final int ELEMENTS = 1000;

  /** Calls that are in flight together: enough that every worker has some. */
  private static final int ROWS = 1024;

  private static final int COLUMNS = 64;

  /** Generations of one operator, one after the other. */
  private static final int GENERATIONS = 32;

  private static final long COMPILE_SECONDS = 120;

  /** A function that keeps values in memory of its own, chosen by a number known only then. */
  static final CudaOperator STACK =
      CudaOperator.of(
          "probe_stack",
          """
          __device__ float probe_stack(float x) {
            float values[32];
            for (int k = 0; k < 32; ++k) {
              values[k] = x + k;
            }
            int place = static_cast<int>(x);
            for (int k = 0; k < 48; ++k) {
              place = (place * 5 + 3) & 31;
              values[place] = values[place] + values[(place + 7) & 31] * 0.5f;
            }
            return values[place];
          }
          """,
          "f32 probe_stack(f32 x)");

  private final Gpuos gpu;

  private ProbeChecks(Gpuos gpu) {
    this.gpu = gpu;
  }

  /**
   * One check.
   *
   * @param body throws {@link IllegalStateException} with one line if a result is wrong
   */
  record Check(String name, Runnable body) {}

  /** The checks for the device of {@code gpu}, to be run in order. */
  static List<Check> all(Gpuos gpu) {
    ProbeChecks checks = new ProbeChecks(gpu);
    List<Check> all = new ArrayList<>();
    all.add(new Check("plain", checks::plain));
    if (gpu.device().architecture().isPresent()) {
      all.add(new Check("stack", checks::stack));
    }
    all.add(new Check("tables and slow paths", checks::slowPaths));
    all.add(new Check("replaced and rolled back", checks::replaced));
    all.add(new Check("generations", checks::generations));
    return all;
  }

  private void plain() {
    LiveOperator plain = gpu.inject("probe_plain", "relu(a * b + 3)");
    try (Tensor a = numbers(-500);
        Tensor b = gpu.scalar(DType.F32, 2);
        Tensor y = gpu.run(plain.operator(), a, b)) {
      expect("relu(a * b + 3)", y, 0, k -> Math.max(0, (k - 500) * 2 + 3));
    }
  }

  private void stack() {
    LiveOperator stack = gpu.inject(STACK);
    try (Tensor x = numbers(0);
        Tensor y = gpu.run(stack.operator(), x)) {
      expect("probe_stack", y, 0, k -> stack((float) k));
    }
  }

  /** As {@link #STACK} computes it; products and sums round alike, since nothing is contracted. */
  private static float stack(float x) {
    float[] values = new float[32];
    for (int k = 0; k < 32; k++) {
      values[k] = x + k;
    }
    int place = (int) x;
    for (int k = 0; k < 48; k++) {
      place = (place * 5 + 3) & 31;
      values[place] = values[place] + values[(place + 7) & 31] * 0.5f;
    }
    return values[place];
  }

  /** Large arguments of the sine are reduced by a table. */
  private void slowPaths() {
    LiveOperator sine = gpu.inject("probe_sine", "sin(x * 98765)");
    try (Tensor x = numbers(1);
        Tensor y = gpu.run(sine.operator(), x)) {
      expect("sin(x * 98765), F32", y, 1e-5, k -> Math.sin((float) (k + 1) * 98765f));
    }
    double[] values = new double[ELEMENTS];
    for (int k = 0; k < ELEMENTS; k++) {
      values[k] = k + 0.25;
    }
    LiveOperator power = gpu.inject("probe_power", "pow(x, 1.75) + sin(x * 987654321)");
    try (Tensor x = gpu.tensor(values);
        Tensor y = gpu.run(power.operator(), x)) {
      expect(
          "pow(x, 1.75) + sin(x * 987654321), F64",
          y,
          1e-11,
          k -> Math.pow(k + 0.25, 1.75) + Math.sin((k + 0.25) * 987654321));
    }
  }

  private void replaced() {
    LiveOperator replaced = gpu.inject("probe_replaced", "x + 1");
    try (Tensor x = numbers(0);
        Tensor y = gpu.zeros(DType.F32, ELEMENTS);
        Call call = gpu.prepare(replaced.operator(), y, x)) {
      call.run();
      expect("x + 1", y, 0, k -> k + 1);
      gpu.inject("probe_replaced", "abs(x - 7) * 2");
      call.run();
      expect("abs(x - 7) * 2", y, 0, k -> Math.abs(k - 7) * 2);
      replaced.rollback();
      call.run();
      expect("x + 1, rolled back", y, 0, k -> k + 1);
    }
  }

  /** Every worker runs every generation: one that a worker's instruction cache hides shows. */
  private void generations() {
    double[] values = new double[ROWS * COLUMNS];
    for (int k = 0; k < values.length; k++) {
      values[k] = k % 1009;
    }
    LiveOperator live = gpu.inject("probe_generation", generation(0));
    try (Tensor x = gpu.tensor(DType.F32, values, ROWS, COLUMNS);
        Tensor y = gpu.zeros(DType.F32, ROWS, COLUMNS)) {
      compileAhead(x, y);
      List<Call> calls = new ArrayList<>();
      for (int row = 0; row < ROWS; row++) {
        try (Tensor from = x.select(0, row);
            Tensor to = y.select(0, row)) {
          calls.add(gpu.prepare(live.operator(), to, from));
        }
      }
      try (Batch all = gpu.batch(calls)) {
        for (int number = 0; number < GENERATIONS; number++) {
          if (number > 0) {
            gpu.inject("probe_generation", generation(number));
          }
          runGeneration(all, y, number);
        }
        live.rollback();
        runGeneration(all, y, GENERATIONS - 2);
      } finally {
        calls.forEach(Call::close);
      }
    }
  }

  private static String generation(int number) {
    return String.format(Locale.ROOT, "x * 3 + %d", number);
  }

  /** All at the same time, rather than one after the other when they are injected. */
  private void compileAhead(Tensor x, Tensor y) {
    for (int number = 1; number < GENERATIONS; number++) {
      gpu.prepare(Operator.of(generation(number)), y, x).close();
    }
    long limit = System.nanoTime() + TimeUnit.SECONDS.toNanos(COMPILE_SECONDS);
    if (!gpu.device().awaitCompiled(limit)) {
      throw new IllegalStateException(
          "not compiled: waited_s=" + COMPILE_SECONDS + ", expected=less");
    }
  }

  private void runGeneration(Batch all, Tensor y, int number) {
    all.submit();
    gpu.synchronize();
    expect("generation " + number, y, 0, k -> k % 1009 * 3 + number);
  }

  private Tensor numbers(int first) {
    double[] values = new double[ELEMENTS];
    for (int k = 0; k < ELEMENTS; k++) {
      values[k] = first + k;
    }
    return gpu.tensor(DType.F32, values, ELEMENTS);
  }

  private static void expect(
      String operation, Tensor found, double tolerance, DoubleUnaryOperator expected) {
    double[] values = found.toDoubles();
    for (int k = 0; k < values.length; k++) {
      double wanted = expected.applyAsDouble(k);
      if (!(Math.abs(values[k] - wanted) <= tolerance * Math.max(1, Math.abs(wanted)))) {
        throw new IllegalStateException(
            String.format(
                Locale.ROOT,
                "wrong result: operation=%s, element=%d, result=%s, expected=%s",
                operation,
                k,
                values[k],
                wanted));
      }
    }
  }
}

package io.gpuos.cli.doctor;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.GpuosException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Opens a device and computes an elementwise expression and a reduction there. */
final class FirstOperation {

  private static final int ROWS = 10;
  private static final int COLUMNS = 100;
  private static final long COMPILE_NANOS = 10_000_000_000L;

  private FirstOperation() {}

  static DoctorReport.Trial on(String device, DeviceSettings settings) {
    long begin = System.nanoTime();
    try (Gpuos gpu = Gpuos.open(device, settings)) {
      long opened = System.nanoTime();
      Optional<String> problem = problem(gpu);
      long computed = System.nanoTime();
      // Until then an operator may be interpreted, and its code not have come in.
      gpu.device().awaitCompiled(computed + COMPILE_NANOS);
      return new DoctorReport.Trial(
          device,
          true,
          problem.isEmpty(),
          Optional.of(gpu.device().description()),
          (opened - begin) / 1e6,
          gpu.device().openPhases(),
          (computed - opened) / 1e6,
          Optional.of(gpu.device().injection()),
          problem);
    } catch (RuntimeException e) {
      // Whatever it is: the account goes on.
      return new DoctorReport.Trial(
          device, false, false, Optional.empty(), 0, List.of(), 0, Optional.empty(), reason(e));
    }
  }

  private static Optional<String> problem(Gpuos gpu) {
    try {
      return compute(gpu);
    } catch (RuntimeException e) {
      return reason(e);
    }
  }

  private static Optional<String> reason(RuntimeException e) {
    String message = e instanceof GpuosException ? e.getMessage() : e.toString();
    return message.lines().findFirst();
  }

  /** What is wrong with the results; empty if nothing is. Every value is exact in F32. */
  private static Optional<String> compute(Gpuos gpu) {
    float[] a = new float[ROWS * COLUMNS];
    float[] b = new float[COLUMNS];
    for (int i = 0; i < a.length; i++) {
      a[i] = i % 37 - 18;
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = i % 11 - 5;
    }
    Operator operator = Operator.of("relu(a * b + 1)");
    try (Tensor x = gpu.tensor(a, ROWS, COLUMNS);
        Tensor y = gpu.tensor(b);
        Tensor result = gpu.run(operator, x, y);
        Tensor sums = gpu.run(Operator.of("sum(x, axis=1)"), result)) {
      return compare(a, b, result.toFloats(), sums.toFloats());
    }
  }

  private static Optional<String> compare(float[] a, float[] b, float[] result, float[] sums) {
    for (int row = 0; row < ROWS; row++) {
      float sum = 0;
      for (int column = 0; column < COLUMNS; column++) {
        int i = row * COLUMNS + column;
        float expected = Math.max(a[i] * b[column] + 1, 0);
        sum += expected;
        if (result[i] != expected) {
          return Optional.of(wrong("relu(a * b + 1)", i, result[i], expected));
        }
      }
      if (sums[row] != sum) {
        return Optional.of(wrong("sum(x, axis=1)", row, sums[row], sum));
      }
    }
    return Optional.empty();
  }

  private static String wrong(String operation, int element, float found, float expected) {
    return String.format(
        Locale.ROOT,
        "wrong result: operation=%s, element=%d, result=%s, expected=%s",
        operation,
        element,
        found,
        expected);
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.Arrays;

/**
 * How fast one large elementwise operation goes through memory, beside a copy by an operator and
 * the device's own copy. Each round is timed by the host, from submission to completion.
 */
final class BandwidthBenchmark {

  private static final int WARM_UP_ROUNDS = 3;

  private final Gpuos gpu;
  private final long elements;
  private final int rounds;

  BandwidthBenchmark(Gpuos gpu, long elements, int rounds) {
    this.gpu = gpu;
    this.elements = elements;
    this.rounds = rounds;
  }

  MicroReport.Bandwidth run() {
    long bytes = elements * Float.BYTES;
    try (Tensor a = gpu.empty(DType.F32, elements);
        Tensor b = gpu.empty(DType.F32, elements);
        Tensor out = gpu.empty(DType.F32, elements)) {
      fill(a, 1);
      fill(b, 2);
      MicroReport.Moved add = operator(Operator.of("a + b"), 3 * bytes, 3, out, a, b);
      MicroReport.Moved copy = operator(Operator.of("+a"), 2 * bytes, 1, out, a);
      fill(out, Float.NaN);
      MicroReport.Moved own =
          measure(2 * bytes, () -> gpu.device().copy(out.address(), b.address(), bytes));
      check("device copy", out, 2);
      return new MicroReport.Bandwidth(elements, add, copy, own, add.medianGbS() / own.medianGbS());
    }
  }

  private MicroReport.Moved operator(
      Operator operator, long bytes, float expected, Tensor out, Tensor... inputs) {
    fill(out, Float.NaN);
    try (Call call = gpu.prepare(operator, out, inputs)) {
      MicroReport.Moved moved = measure(bytes, call::run);
      check(operator.toString(), out, expected);
      return moved;
    }
  }

  private MicroReport.Moved measure(long bytes, Runnable work) {
    double[] rates = new double[rounds];
    for (int k = -WARM_UP_ROUNDS; k < rounds; k++) {
      long begin = System.nanoTime();
      work.run();
      long end = System.nanoTime();
      if (k >= 0) {
        rates[k] = (double) bytes / (end - begin);
      }
    }
    return new MicroReport.Moved(bytes, Rounds.median(rates), Rounds.most(rates), rates);
  }

  /** Sets every element; the device does the work. */
  private void fill(Tensor tensor, float value) {
    try (Tensor scalar = gpu.tensor(new float[] {value})) {
      gpu.runInto(Operator.of("+a"), tensor, scalar.expand(elements));
    }
  }

  private void check(String what, Tensor tensor, float expected) {
    float[] found = tensor.toFloats();
    float[] all = new float[found.length];
    Arrays.fill(all, expected);
    int differs = Arrays.mismatch(found, all);
    if (differs >= 0) {
      throw new WrongResult(
          "wrong result: operation=%s, elements=%d, element=%d, result=%s, expected=%s"
              .formatted(what, elements, differs, found[differs], expected));
    }
  }
}

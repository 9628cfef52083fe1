package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Independent additions of F32 tensors, prepared: each has an output of its own; the inputs are
 * {@value #PAIRS} pairs, taken in turn. One thread.
 */
final class Adds implements AutoCloseable {

  static final int PAIRS = 64;

  private static final Operator ADD = Operator.of("a + b");

  private final int size;
  private final MemorySegment poison;
  private final MemorySegment found;
  private final List<MemorySegment> expected = new ArrayList<>();
  private final List<Tensor> inputs = new ArrayList<>();
  private final List<Tensor> outputs = new ArrayList<>();
  private final Call[] calls;

  /**
   * @param count of additions
   * @param size elements of each
   */
  Adds(Gpuos gpu, int count, int size, SplittableRandom random) {
    this.size = size;
    float[] nan = new float[size];
    Arrays.fill(nan, Float.NaN);
    this.poison = MemorySegment.ofArray(nan);
    this.found = MemorySegment.ofArray(new float[size]);
    for (int k = 0; k < Math.min(PAIRS, count); k++) {
      float[] a = values(random);
      float[] b = values(random);
      inputs.add(gpu.tensor(a));
      inputs.add(gpu.tensor(b));
      expected.add(MemorySegment.ofArray(sum(a, b)));
    }
    this.calls = new Call[count];
    for (int k = 0; k < count; k++) {
      Tensor output = gpu.empty(DType.F32, size);
      outputs.add(output);
      int pair = k % PAIRS;
      calls[k] = gpu.prepare(ADD, output, inputs.get(2 * pair), inputs.get(2 * pair + 1));
    }
  }

  private float[] values(SplittableRandom random) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = random.nextFloat(-1, 1);
    }
    return values;
  }

  private static float[] sum(float[] a, float[] b) {
    float[] sum = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      sum[i] = a[i] + b[i];
    }
    return sum;
  }

  Call[] calls() {
    return calls;
  }

  /** Fills every output with NaN. */
  void poison() {
    Layout layout = Layout.contiguous(DType.F32, size);
    outputs.forEach(output -> output.write(poison, 0, layout));
  }

  /**
   * Compares every output, bit for bit.
   *
   * @throws WrongResult if one differs
   */
  void check() {
    for (int k = 0; k < outputs.size(); k++) {
      outputs.get(k).read(found);
      long differs = found.mismatch(expected.get(k % PAIRS));
      if (differs >= 0) {
        throw new WrongResult(
            "wrong result: operation=a + b, size=%d, output=%d, element=%d, expected=the sum"
                .formatted(size, k, differs / Float.BYTES));
      }
    }
  }

  @Override
  public void close() {
    Arrays.stream(calls).forEach(Call::close);
    inputs.forEach(Tensor::close);
    outputs.forEach(Tensor::close);
  }
}

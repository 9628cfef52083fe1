package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Independent additions of F32 tensors, prepared: each has an output of its own; the inputs are
 * {@value #PAIRS} pairs, taken in turn. One thread.
 *
 * <p>Outputs are rows of a few large tensors, so that poisoning and checking them takes a few
 * transfers and not one for each.
 */
final class Adds implements AutoCloseable {

  static final int PAIRS = 64;

  private static final int ROWS = 512;
  private static final byte NAN = (byte) 0xff;
  private static final Operator ADD = Operator.of("a + b");

  private final Gpuos gpu;
  private final int size;
  private final SplittableRandom random;
  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Tensor> inputs = new ArrayList<>();
  private final List<Tensor> blocks = new ArrayList<>();
  private final List<MemorySegment> expected = new ArrayList<>();
  private final Call[] calls;

  /**
   * @param count of additions
   * @param size elements of each
   */
  Adds(Gpuos gpu, int count, int size, SplittableRandom random) {
    this.gpu = gpu;
    this.size = size;
    this.random = random;
    for (int k = 0; k < PAIRS; k++) {
      addPair();
    }
    this.calls = new Call[count];
    for (int k = 0; k < count; k++) {
      if (k % ROWS == 0) {
        blocks.add(keep(gpu.empty(DType.F32, Math.min(ROWS, count - k), size)));
      }
      Tensor output = keep(blocks.getLast().select(0, k % ROWS));
      int pair = k % PAIRS;
      calls[k] = gpu.prepare(ADD, output, inputs.get(2 * pair), inputs.get(2 * pair + 1));
    }
  }

  private Tensor keep(Tensor tensor) {
    tensors.add(tensor);
    return tensor;
  }

  private void addPair() {
    float[] a = values();
    float[] b = values();
    float[] sum = new float[size];
    for (int i = 0; i < size; i++) {
      sum[i] = a[i] + b[i];
    }
    inputs.add(keep(gpu.tensor(a)));
    inputs.add(keep(gpu.tensor(b)));
    expected.add(MemorySegment.ofArray(sum));
  }

  private float[] values() {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = random.nextFloat(-1, 1);
    }
    return values;
  }

  Call[] calls() {
    return calls;
  }

  /** Fills every output with NaN. */
  void poison() {
    for (Tensor block : blocks) {
      MemorySegment nan = MemorySegment.ofArray(new float[(int) block.elements()]).fill(NAN);
      block.write(nan, 0, block.layout());
    }
  }

  /**
   * Compares every output, bit for bit.
   *
   * @throws WrongResult if one differs
   */
  void check() {
    long bytes = (long) size * Float.BYTES;
    for (int k = 0; k < blocks.size(); k++) {
      Tensor block = blocks.get(k);
      MemorySegment found = MemorySegment.ofArray(new float[(int) block.elements()]);
      block.read(found);
      for (int row = 0; row < block.size(0); row++) {
        check(k * ROWS + row, found.asSlice(row * bytes, bytes));
      }
    }
  }

  private void check(int operation, MemorySegment found) {
    long differs = found.mismatch(expected.get(operation % PAIRS));
    if (differs >= 0) {
      throw new WrongResult(
          "wrong result: operation=a + b, size=%d, number=%d, element=%d, expected=the sum"
              .formatted(size, operation, differs / Float.BYTES));
    }
  }

  @Override
  public void close() {
    Arrays.stream(calls).forEach(Call::close);
    tensors.forEach(Tensor::close);
  }
}

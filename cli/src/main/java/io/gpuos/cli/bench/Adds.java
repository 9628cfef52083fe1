package io.gpuos.cli.bench;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Independent additions of F32 tensors, prepared: each has inputs and an output of its own. All
 * values are small integers, so that sums are exact. One thread.
 */
final class Adds implements AutoCloseable {

  /** Where the tensors lie. */
  enum Storage {
    /** Each operand is a row of one large tensor, as a framework's allocator would place them. */
    SLAB,
    /** Each operand is a tensor by itself. */
    SEPARATE
  }

  private static final int LARGEST_VALUE = 1 << 15;
  private static final int CHUNK_ELEMENTS = 4 << 20;
  private static final Operator ADD = Operator.of("a + b");
  private static final Operator SHIFTED = Operator.of("base + row");
  private static final Operator COPY = Operator.of("+value");

  private final Gpuos gpu;
  private final int count;
  private final int size;
  private final float[] sums;
  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Tensor> outputs;
  private final Call[] calls;
  private final Batch batch;
  private final List<Call> poisoning = new ArrayList<>();
  private final Batch poison;

  /**
   * Makes and fills the tensors; waits until that is done.
   *
   * @param count of additions
   * @param size elements of each
   */
  Adds(Gpuos gpu, int count, int size, Storage storage, SplittableRandom random) {
    this.gpu = gpu;
    this.count = count;
    this.size = size;
    float[] a = values(random);
    float[] b = values(random);
    this.sums = new float[size];
    for (int k = 0; k < size; k++) {
      sums[k] = a[k] + b[k];
    }
    float[] numbers = new float[count];
    for (int k = 0; k < count; k++) {
      numbers[k] = k;
    }
    Tensor rows = keep(gpu.tensor(numbers, count, 1));
    Tensor zeros = keep(gpu.zeros(DType.F32, count, 1));
    List<Tensor> left = blocks(storage);
    List<Tensor> right = blocks(storage);
    this.outputs = blocks(storage);
    fill(left, keep(gpu.tensor(a)), rows);
    fill(right, keep(gpu.tensor(b)), zeros);
    this.calls = prepare(rows(left), rows(right), rows(outputs));
    this.batch = gpu.batch(List.of(calls));
    Tensor nan = keep(gpu.tensor(new float[] {Float.NaN}));
    for (Tensor output : outputs) {
      poisoning.add(gpu.prepare(COPY, output, keep(nan.expand(output.shape()))));
    }
    this.poison = gpu.batch(poisoning);
  }

  private Tensor keep(Tensor tensor) {
    tensors.add(tensor);
    return tensor;
  }

  private float[] values(SplittableRandom random) {
    float[] values = new float[size];
    for (int k = 0; k < size; k++) {
      values[k] = random.nextInt(LARGEST_VALUE);
    }
    return values;
  }

  /** Memory for one operand of each addition: tensors of one or of all rows. */
  private List<Tensor> blocks(Storage storage) {
    if (storage == Storage.SLAB) {
      return List.of(keep(gpu.empty(DType.F32, count, size)));
    }
    List<Tensor> blocks = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      blocks.add(keep(gpu.empty(DType.F32, 1, size)));
    }
    return blocks;
  }

  /** Row {@code k} becomes {@code base + shift[k]}. */
  private void fill(List<Tensor> blocks, Tensor base, Tensor shift) {
    long row = 0;
    for (Tensor block : blocks) {
      Tensor part = keep(shift.narrow(0, row, block.size(0)));
      gpu.submitInto(SHIFTED, block, base, part);
      row += block.size(0);
    }
    gpu.synchronize();
  }

  private List<Tensor> rows(List<Tensor> blocks) {
    List<Tensor> rows = new ArrayList<>();
    for (Tensor block : blocks) {
      for (long k = 0; k < block.size(0); k++) {
        rows.add(keep(block.select(0, k)));
      }
    }
    return rows;
  }

  private Call[] prepare(List<Tensor> a, List<Tensor> b, List<Tensor> sum) {
    Call[] prepared = new Call[count];
    for (int k = 0; k < count; k++) {
      prepared[k] = gpu.prepare(ADD, sum.get(k), a.get(k), b.get(k));
    }
    return prepared;
  }

  /** The additions, in the order of their rows. */
  Call[] calls() {
    return calls;
  }

  /** Submits each addition by itself, {@code times} times over. */
  void submitOneByOne(int times) {
    for (int k = 0; k < times; k++) {
      for (Call call : calls) {
        call.submit();
      }
    }
  }

  /** Submits all additions as one batch; returns the sequence of the last. */
  long submitBatch() {
    return batch.submit();
  }

  /** Fills every output with NaN, by operators, and waits for that. */
  void poison() {
    poison.submit();
    gpu.synchronize();
  }

  /**
   * Compares every element of every output with the host's sum.
   *
   * @throws WrongResult if one differs
   */
  void check() {
    int chunk = Math.clamp(CHUNK_ELEMENTS / size, 1, count);
    float[] found = new float[chunk * size];
    int row = 0;
    for (Tensor output : outputs) {
      for (long from = 0; from < output.size(0); from += chunk) {
        int length = (int) Math.min(chunk, output.size(0) - from);
        try (Tensor part = output.narrow(0, from, length)) {
          part.read(MemorySegment.ofArray(found).asSlice(0, (long) length * size * Float.BYTES));
        }
        for (int k = 0; k < length; k++) {
          check(row++, found, k * size);
        }
      }
    }
  }

  private void check(int row, float[] found, int offset) {
    for (int k = 0; k < size; k++) {
      if (found[offset + k] != sums[k] + row) {
        throw new WrongResult(
            String.format(
                Locale.ROOT,
                "wrong result: operation=a + b, size=%d, number=%d, element=%d, result=%s, expected=%s",
                size,
                row,
                k,
                found[offset + k],
                sums[k] + row));
      }
    }
  }

  @Override
  public void close() {
    poison.close();
    batch.close();
    poisoning.forEach(Call::close);
    for (Call call : calls) {
      call.close();
    }
    tensors.reversed().forEach(Tensor::close);
  }
}

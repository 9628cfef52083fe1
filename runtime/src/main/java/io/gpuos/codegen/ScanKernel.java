package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.List;

/**
 * Sums along rows: the values of as many rows as a chunk holds are staged, or of one longer row
 * chunk by chunk, each is replaced by the sum so far, and the chunk is written. Floating types are
 * summed in {@code double}.
 */
final class ScanKernel implements CpuKernel {

  private final OperandPort[] inputs;
  private final OperandPort output;
  private final Chunk chunk;
  private final int temporaries;
  private final boolean exclusive;

  /**
   * @param chunk leaves the values to sum in the output's slot
   * @param temporaries number of temporary slots the chunk uses
   */
  ScanKernel(Kernel.Scan kernel, Chunk chunk, int temporaries) {
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.output = OperandPort.of(kernel, Kernel.Role.OUTPUT)[0];
    this.chunk = chunk;
    this.temporaries = temporaries;
    this.exclusive = kernel.exclusive();
  }

  /** The expression of the values. */
  static Kernel.Elementwise values(Kernel.Scan kernel) {
    int last = kernel.operands().size() - 1;
    return new Kernel.Elementwise(
        kernel.operands(), kernel.nodes(), List.of(new Kernel.Store(last, kernel.value())));
  }

  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    long length = space.reducedCount();
    if (length == 0) {
      return;
    }
    long whole = 0;
    double real = 0;
    long end = (first + count) * length;
    long most = length < CpuScratch.CHUNK ? CpuScratch.CHUNK / length * length : CpuScratch.CHUNK;
    for (long element = first * length; element < end; ) {
      long inRow = length <= CpuScratch.CHUNK ? end - element : length - element % length;
      int n = (int) Math.min(most, inRow);
      stage(operands, space, element, n, scratch);
      for (int at = 0; at < n; ) {
        long place = (element + at) % length;
        whole = place == 0 ? 0 : whole;
        real = place == 0 ? 0 : real;
        int to = (int) Math.min(n, at + length - place);
        if (output.type() == DType.I64) {
          whole = sum(scratch.longs[output.operand()], at, to, whole);
        } else {
          real = sum(scratch, at, to, real);
        }
        at = to;
      }
      output.store(operands, space, space.rank(), element, n, scratch);
      element += n;
    }
  }

  /** Computes {@code n} values, {@code element} counting all dimensions row-major. */
  private void stage(
      long[] operands, IterationSpace space, long element, int n, CpuScratch scratch) {
    scratch.walk.seek(space, 0, space.rank(), element);
    for (OperandPort input : inputs) {
      input.load(operands, space, space.rank(), element, n, scratch);
    }
    chunk.apply(n, scratch, operands);
  }

  private long sum(long[] values, int from, int to, long before) {
    long sum = before;
    for (int i = from; i < to; i++) {
      long next = sum + values[i];
      values[i] = exclusive ? sum : next;
      sum = next;
    }
    return sum;
  }

  private double sum(CpuScratch scratch, int from, int to, double before) {
    double sum = before;
    if (output.type() == DType.F64) {
      double[] values = scratch.doubles[output.operand()];
      for (int i = from; i < to; i++) {
        sum += values[i];
        values[i] = sum;
      }
    } else {
      float[] values = scratch.floats[output.operand()];
      for (int i = from; i < to; i++) {
        sum += values[i];
        values[i] = (float) sum;
      }
    }
    return sum;
  }
}

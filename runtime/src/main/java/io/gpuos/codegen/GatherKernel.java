package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.List;

/**
 * Runs a kernel on picked elements, a chunk of positions at a time: stage the index, read the
 * source where it says, and from there on as an elementwise kernel. Elements of the source that lie
 * one step apart for neighbouring positions, such as a row of a table, move together.
 */
final class GatherKernel implements CpuKernel {

  private static final int SOURCE = Kernel.Gather.PICKED;
  private static final int INDEX = 1;

  /** Slot of the picked elements' offsets, in elements; such a kernel has no other use for it. */
  private static final int OFFSETS = CpuScratch.STATE;

  /** Stands for an index that is out of range. */
  private static final long NOWHERE = Long.MIN_VALUE;

  private final Staging source;
  private final boolean longIndex;
  private final OperandPort[] inputs;
  private final OperandPort output;
  private final Chunk chunk;
  private final int temporaries;

  /**
   * @param chunk computes the output's slot from that of the source and those of the other inputs
   * @param temporaries number of temporary slots the chunk uses
   */
  GatherKernel(Kernel.Gather kernel, Chunk chunk, int temporaries) {
    this.source = new Staging(kernel.operands().get(SOURCE).type());
    this.longIndex = kernel.operands().get(INDEX).type() == DType.I64;
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.output = OperandPort.of(kernel, Kernel.Role.OUTPUT)[0];
    this.chunk = chunk;
    this.temporaries = temporaries;
  }

  /** The expression of the picked elements, which are in the slot of operand 0. */
  static Kernel.Elementwise epilogue(Kernel.Gather kernel) {
    int last = kernel.operands().size() - 1;
    return new Kernel.Elementwise(
        kernel.operands(), kernel.nodes(), List.of(new Kernel.Store(last, kernel.value())));
  }

  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    long end = first + count;
    for (long position = first; position < end; position += CpuScratch.CHUNK) {
      int n = (int) Math.min(CpuScratch.CHUNK, end - position);
      runChunk(operands, space, position, n, scratch);
    }
  }

  private void runChunk(
      long[] operands, IterationSpace space, long position, int n, CpuScratch scratch) {
    int dims = space.kept();
    scratch.walk.seek(space, 0, dims, position);
    for (OperandPort input : inputs) {
      if (input.operand() != SOURCE) {
        input.load(operands, space, dims, position, n, scratch);
      }
    }
    locate(space, n, scratch);
    long step = dims == 0 ? 0 : space.stride(SOURCE, dims - 1);
    source.loadPicked(scratch, SOURCE, operands[SOURCE], OFFSETS, step, n);
    chunk.apply(n, scratch, operands);
    output.store(operands, space, dims, position, n, scratch);
  }

  /** Leaves the offset of each picked element in its slot, or that there is none. */
  private void locate(IterationSpace space, int n, CpuScratch scratch) {
    int dims = space.kept();
    long[] offsets = scratch.longs[OFFSETS];
    if (dims == 0) {
      offsets[0] = 0;
    } else {
      scratch.walk.trace(space, SOURCE, dims, n);
      scratch.walk.offsets(offsets);
    }
    long size = space.size(dims);
    long stride = space.stride(SOURCE, dims);
    for (int i = 0; i < n; i++) {
      long index = longIndex ? scratch.longs[INDEX][i] : scratch.ints[INDEX][i];
      boolean inside = index >= 0 && index < size;
      offsets[i] = inside ? offsets[i] + index * stride : NOWHERE;
    }
  }

  /** Whether {@link #locate} found no element. */
  static boolean isNowhere(long offset) {
    return offset == NOWHERE;
  }
}

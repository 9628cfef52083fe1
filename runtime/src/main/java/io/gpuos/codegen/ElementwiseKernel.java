package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.IterationSpace;

/** Runs an elementwise kernel: stage the inputs of a chunk, compute it, write its outputs. */
final class ElementwiseKernel implements CpuKernel {

  private final OperandPort[] inputs;
  private final OperandPort[] outputs;
  private final Chunk chunk;
  private final int temporaries;

  /**
   * @param chunk leaves each output's elements in the output's slot
   * @param temporaries number of temporary slots the chunk uses
   */
  ElementwiseKernel(Kernel.Elementwise kernel, Chunk chunk, int temporaries) {
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.outputs = OperandPort.of(kernel, Kernel.Role.OUTPUT);
    this.chunk = chunk;
    this.temporaries = temporaries;
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
    int dims = space.rank();
    if (dims > 1) {
      scratch.walk.seek(space, 0, dims, position);
    }
    for (OperandPort input : inputs) {
      input.load(operands, space, dims, position, n, scratch);
    }
    chunk.apply(n, scratch, operands);
    for (OperandPort output : outputs) {
      output.store(operands, space, dims, position, n, scratch);
    }
  }
}

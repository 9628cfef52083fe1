package io.gpuos.codegen;

import io.gpuos.layout.IterationSpace;

/**
 * A kernel compiled for the CPU device. Immutable: one instance serves any number of threads, each
 * with its own {@link CpuScratch}. The compiled code is unloaded when nobody refers to the kernel.
 */
public interface CpuKernel {

  /**
   * Computes the positions {@code [first, first + count)} of the space. Allocates nothing, except
   * that a scratch grows at the first run of a deeper expression than it has seen.
   *
   * <p>For a matrix product these are blocks, as {@link io.gpuos.layout.ContractionSpace} numbers
   * them, each of them a chunk.
   *
   * <p>Positions are computed in ascending order, in chunks: a chunk's inputs are all read before
   * its outputs are written. An output may therefore be the very memory of an input that has the
   * same strides; any other overlap of an output is the caller's to exclude. Which range a position
   * is computed in does not change its value.
   *
   * @param operands in the kernel's order: for INPUT and OUTPUT the native address of the element
   *     at position 0, of any alignment, valid for every position asked for; for SCALAR the bits
   *     that {@code Kernel.Role} describes. Not modified
   * @param space the loop nest; has the kernel's operands, and reduced dimensions if and only if
   *     the kernel is a reduction or a product
   * @param first first position, not negative
   * @param count number of positions; 0 does nothing
   * @param scratch used by no other thread meanwhile
   */
  void run(long[] operands, IterationSpace space, long first, long count, CpuScratch scratch);
}

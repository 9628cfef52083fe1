package io.gpuos.codegen;

/** What a generated class implements: the expression over one staged chunk. Stateless. */
interface Chunk {

  /**
   * Reads elements {@code [0, n)} of the slots of the kernel's inputs and writes the same of its
   * stores' slots.
   *
   * @param n at most {@link CpuScratch#CHUNK}
   * @param scratch with enough temporaries reserved
   * @param operands for the bits of SCALAR operands
   */
  void apply(int n, CpuScratch scratch, long[] operands);
}

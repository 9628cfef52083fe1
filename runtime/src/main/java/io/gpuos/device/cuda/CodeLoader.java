package io.gpuos.device.cuda;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.device.InjectionStatus;

/**
 * Brings an operator's machine code to where the workers of the running kernel can call it. What it
 * brings in stays until it is closed, at the same address. Thread-safe; called with the context
 * current.
 */
interface CodeLoader extends AutoCloseable {

  /** Name of the function that workers call. */
  String ENTRY = CudaGenerator.ENTRY;

  /**
   * Brings in one operator.
   *
   * @param name for messages
   * @param cubin relocatable, with the function {@link #ENTRY}
   * @return the address to call
   * @throws io.gpuos.error.GpuosException if the code is refused, with the reason
   */
  long load(String name, byte[] cubin);

  /**
   * How it does that.
   *
   * @param reason why this way was chosen
   */
  InjectionStatus status(String reason);

  /** Frees the code. No worker may be resident. */
  @Override
  void close();
}

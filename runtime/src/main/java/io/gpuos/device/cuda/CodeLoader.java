package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.jit.CompileRequest;

/**
 * Brings an operator's machine code to where the workers of the running kernel can call it. What it
 * brings in stays until it is closed. Thread-safe; called with the context current.
 */
interface CodeLoader extends AutoCloseable {

  /** What is to be compiled for {@link #load}, from a source that defines {@code gpuos_op}. */
  CompileRequest request(String source, String architecture);

  /**
   * Brings in one operator.
   *
   * @param source as given to {@link #request}
   * @param cubin what that was compiled to
   * @return the function to call
   * @throws io.gpuos.error.GpuosException if the code is refused, with the reason
   */
  Code.Function load(String source, byte[] cubin);

  /** Whether loading is a matter of microseconds, and no task waits for it. */
  boolean immediate();

  /**
   * How it does that.
   *
   * @param reason why this way was chosen
   */
  InjectionStatus status(String reason);

  /** Lets go of everything but live code, which stays. No worker may be resident. */
  @Override
  void close();
}

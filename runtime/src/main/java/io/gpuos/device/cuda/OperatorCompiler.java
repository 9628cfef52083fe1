package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.codegen.CudaGenerator;
import io.gpuos.driver.Cuda;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.ir.Kernel;
import io.gpuos.jit.CompileService;

/** Compiles operators as a CUDA device would, with or without one. Thread-safe. */
public final class OperatorCompiler {

  private OperatorCompiler() {}

  /**
   * Machine code of {@code kernel}, which is what a device of that architecture would bring in.
   *
   * @param architecture such as {@code sm_90}
   * @throws io.gpuos.error.CompileException if the compiler refuses it; the message names the file
   *     and the line, and carries the log
   * @throws DeviceUnavailableException if there is no compiler
   */
  public static byte[] compile(Kernel kernel, String architecture) {
    try (CompileService compiler = CompileService.open(driverVersion(), CudaHeader.ABI_VERSION)) {
      return CudaOperators.join(
          compiler.compile(
              CudaOperators.operatorRequest(
                  CudaGenerator.render(kernel), DeviceSources.headers(), architecture)));
    }
  }

  /** That of this machine, so that a device finds in the cache what was compiled here. */
  private static int driverVersion() {
    try {
      return Cuda.open().driverVersion();
    } catch (DeviceUnavailableException _) {
      return 0;
    }
  }
}

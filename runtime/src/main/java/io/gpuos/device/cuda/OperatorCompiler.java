package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.codegen.CudaGenerator;
import io.gpuos.driver.Cuda;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.inject.Injector;
import io.gpuos.ir.Kernel;
import io.gpuos.jit.CompileService;

/** Compiles and verifies operators as a CUDA device would, with or without one. Thread-safe. */
public final class OperatorCompiler {

  private OperatorCompiler() {}

  /**
   * Machine code of {@code kernel}, which is what a device of that architecture would bring in.
   *
   * @param architecture such as {@code sm_90}
   * @throws io.gpuos.error.CompileException if the compiler refuses it; the message names the file
   *     and the line, and carries the log
   * @throws io.gpuos.error.InjectionException if the code may not run in the resident kernel
   * @throws DeviceUnavailableException if there is no compiler
   */
  public static byte[] compile(Kernel kernel, String architecture) {
    try (CompileService compiler = CompileService.open(driverVersion(), CudaHeader.ABI_VERSION)) {
      byte[] cubin =
          CompileService.join(
              compiler.compile(
                  CudaOperators.operatorRequest(CudaGenerator.render(kernel), architecture)));
      Injector.verify(cubin, CudaGenerator.ENTRY, WorkerKernel.limits(architecture));
      return cubin;
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

package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.driver.Nvrtc;
import io.gpuos.inject.Injector;
import io.gpuos.jit.CompileRequest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compiles the interpreter for real, as operators are; needs NVRTC, no GPU. */
class InterpreterSourceTest {

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileToCodeThatARunningKernelCanTake(String architecture) {
    CompileRequest request =
        CudaOperators.operatorRequest(DeviceSources.interpreter(), architecture);
    Nvrtc.Compiled compiled =
        Nvrtc.open()
            .compile(
                request.source(),
                request.name(),
                request.headers(),
                request.allOptions(),
                Nvrtc.Target.CUBIN);
    assertEquals("", compiled.log().strip());
    Injector.verify(compiled.code(), CudaGenerator.ENTRY, WorkerKernel.limits(architecture));
  }
}

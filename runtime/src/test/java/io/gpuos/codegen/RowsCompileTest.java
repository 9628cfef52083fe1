package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.driver.Nvrtc;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows kernels through the real compiler, and past the check of what comes into a kernel. */
class RowsCompileTest {

  private static final int REGISTERS = 64;
  private static final int STACK_BYTES = 1024;

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileToWhatTheVerifierAccepts(String architecture) {
    List<String> failures = new ArrayList<>();
    RowKernels.expressions()
        .forEach(
            (name, text) -> {
              for (DType type : List.of(DType.F32, DType.BF16, DType.F64)) {
                boolean norm = name.equals("layer_norm");
                if (norm || type == DType.F32 && architecture.equals("sm_90")) {
                  check(name + " " + type, kernel(text, type), architecture, failures);
                }
              }
            });
    assertEquals(List.of(), failures);
  }

  private static Kernel kernel(String text, DType type) {
    long[] row = {64};
    long[] rows = {4};
    return RowKernels.step(text, type, new long[] {4, 64}, row, rows).kernel();
  }

  private static void check(
      String name, Kernel kernel, String architecture, List<String> failures) {
    Nvrtc.Compiled compiled =
        Nvrtc.open()
            .compile(
                CudaGenerator.render(kernel),
                "rows.cu",
                DeviceSources.headers(),
                List.of(
                    "--gpu-architecture=" + architecture,
                    "--std=c++17",
                    "--relocatable-device-code=true",
                    "--fmad=false",
                    "--maxrregcount=" + REGISTERS,
                    Injector.COMPILE_OPTIONS.getFirst()),
                Nvrtc.Target.CUBIN);
    if (!compiled.log().isEmpty()) {
      failures.add(name + ": " + compiled.log());
    }
    try {
      Injector.verify(
          compiled.code(), CudaGenerator.ENTRY, new Limits(architecture, REGISTERS, STACK_BYTES));
    } catch (RuntimeException refused) {
      failures.add(name + ": " + refused.getMessage());
    }
  }
}

package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.codegen.Kernels;
import io.gpuos.driver.Nvrtc;
import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Compiles the interpreter for real, as operators are, and looks at the machine code for what
 * cannot be brought into a running kernel; needs NVRTC, no GPU.
 */
class InterpreterSourceTest {

  /** Of a thread's stack, in bytes: most of it for cells. */
  private static final int STACK = 768;

  private static CubinView compile(String source, String architecture) {
    List<String> options = new ArrayList<>(OperatorLoader.OPTIONS);
    options.add("--gpu-architecture=" + architecture);
    options.add("--maxrregcount=" + WorkerKernel.REGISTERS);
    Nvrtc.Compiled compiled =
        Nvrtc.open()
            .compile(source, "operator.cu", DeviceSources.headers(), options, Nvrtc.Target.CUBIN);
    assertEquals("", compiled.log().strip());
    return new CubinView(compiled.code());
  }

  /** A generated operator that computes in double, with calls into the mathematical library. */
  private static Kernel generated() {
    Kernels k = new Kernels();
    int x = k.input(DType.F64);
    int y = k.input(DType.F64);
    int power = k.apply(Function.POW, k.apply(Function.SIN, x), y);
    return k.store(k.apply(Function.LGAMMA, power));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileToCodeThatARunningKernelCanTake(String architecture) {
    CubinView interpreter = compile(DeviceSources.interpreter(), architecture);
    CubinView operator = compile(CudaGenerator.render(generated()), architecture);

    assertTrue(interpreter.registers() > 0);
    assertTrue(
        interpreter.registers() <= WorkerKernel.REGISTERS, "registers=" + interpreter.registers());
    assertEquals(operator.undefined(), interpreter.undefined());
    Set<String> sections = new TreeSet<>(interpreter.sectionKinds());
    sections.removeAll(operator.sectionKinds());
    assertEquals(Set.of(), sections, "sections that no generated operator has");
    assertTrue(
        interpreter.sectionKinds().stream().noneMatch(kind -> kind.startsWith(".nv.shared")));
    // There doubles that appear in code lie in constant banks; generated operators have them too.
    if (!architecture.equals("sm_80")) {
      assertTrue(
          interpreter.sectionKinds().stream().noneMatch(kind -> kind.startsWith(".nv.constant")),
          interpreter.sectionKinds()::toString);
    }

    int depth = interpreter.stackDepth(CudaGenerator.ENTRY);
    assertTrue(depth > 512 && depth <= STACK, "stack=" + depth);
    assertEquals(0, interpreter.indirectCalls());
  }

  /**
   * The product that ends gelu and the sum that begins hardsigmoid must stay two roundings, as they
   * are when the interpreter runs one after the other.
   */
  @Test
  void shouldNotContractAcrossFunctions() {
    String function =
        """
        #include "gpuos_math.cuh"
        extern "C" __device__ float %s(float x) { return %s; }
        """;
    CubinView gelu = compile(function.formatted("f", "gpuos::gelu(x)"), "sm_90");
    CubinView both =
        compile(function.formatted("f", "gpuos::hardsigmoid(gpuos::gelu(x))"), "sm_90");
    assertTrue(gelu.fusedMultiplyAdds() > 0);
    assertEquals(gelu.fusedMultiplyAdds(), both.fusedMultiplyAdds());
  }
}

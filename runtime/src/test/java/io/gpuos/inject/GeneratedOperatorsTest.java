package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.DeviceAttention;
import io.gpuos.codegen.DeviceGathers;
import io.gpuos.codegen.DeviceKernels;
import io.gpuos.codegen.DeviceProducts;
import io.gpuos.codegen.DeviceScans;
import io.gpuos.ir.Kernel;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Operators as the runtime generates and compiles them pass the verifier, and are linked to what
 * NVIDIA's linker makes of them. A sample; {@code -Dgpuos.inject.all=true} takes every function and
 * conversion in every type, and every reduction.
 */
class GeneratedOperatorsTest {

  private static final long BASE = 0x7f12_3456_7000L;

  /** One kernel in so many is taken, another for each architecture, and each of {@link #ALWAYS}. */
  private static final int SAMPLE = 120;

  /** Those with helpers out of line, tables, literals in constant banks, shuffles and stack. */
  private static final Set<String> ALWAYS =
      Set.of(
          "pow_f64",
          "hypot_f64",
          "lgamma_f64",
          "div_f32",
          "floor_divide_i64",
          "std_f64",
          "linear_relu_f32",
          "matmul_f64",
          "linear_relu_bf16",
          "gather_i64_f32",
          "gather_i32_bool",
          "gather_add_f16",
          "cumsum_f32",
          "cumsum_u8",
          "cumsum_f64",
          "cumsum_products_f16",
          "positions",
          "scatter_i64_bf16",
          "scatter_add_i32_f32",
          "scatter_add_i32_bool",
          "index_put_add_i64_f64",
          "matmul_i64",
          "attention_f32",
          "attention_biased_bf16",
          "attention_add_f16");

  private static Map<String, Kernel> kernels() {
    Map<String, Kernel> kernels = new LinkedHashMap<>(DeviceKernels.functions());
    kernels.putAll(DeviceKernels.conversions());
    kernels.putAll(DeviceKernels.composites());
    kernels.putAll(DeviceKernels.reductions());
    kernels.putAll(DeviceProducts.all());
    kernels.putAll(DeviceGathers.all());
    kernels.putAll(DeviceAttention.all());
    kernels.putAll(DeviceScans.all());
    return kernels;
  }

  private static Map<String, Kernel> sample(String architecture) {
    Map<String, Kernel> sample = new TreeMap<>();
    int index = Cubins.ARCHITECTURES.indexOf(architecture);
    for (var kernel : kernels().entrySet()) {
      boolean chosen = index++ % SAMPLE == 0 || ALWAYS.contains(kernel.getKey());
      if (chosen || Boolean.getBoolean("gpuos.inject.all")) {
        sample.put(kernel.getKey(), kernel.getValue());
      }
    }
    return sample;
  }

  @Test
  void shouldKnowTheKernelsThatAreAlwaysTaken() {
    assertTrue(kernels().keySet().containsAll(ALWAYS));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldVerifyAndLinkToWhatNvidiasLinkerMakes(String architecture) {
    Map<String, String> failures = new ConcurrentSkipListMap<>();
    sample(architecture).entrySet().parallelStream()
        .forEach(
            kernel -> {
              try {
                check(kernel.getValue(), architecture);
              } catch (RuntimeException | AssertionError e) {
                failures.put(kernel.getKey(), e.toString());
              }
            });
    assertEquals(Map.of(), failures);
  }

  private static void check(Kernel kernel, String architecture) {
    byte[] cubin = Cubins.operator(kernel, architecture);
    VerifiedCubin operator = Cubins.verify(cubin, architecture);
    CubinLinker linker = new CubinLinker(operator);
    CodeImage image = linker.link(BASE);
    new LinkedByNvidia(cubin, architecture).assertSame(operator, linker, image);
    assertTrue(operator.stackBytes() <= Cubins.STACK_BYTES / 2, "stack=" + operator.stackBytes());
  }
}

package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.driver.Nvrtc;
import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * All device code of operators through the real compiler, for each generation of GPU, with the
 * register budget of the resident kernel: no warnings, no register too many.
 */
class DeviceCodeCompileTest {

  private static final int REGISTERS = 64;
  private static final int TAG_REGISTERS = 0x2f; // EIATTR_REGCOUNT
  private static final int FORMAT_SIZED = 4; // a record with a payload, its size before it

  /** One of each computed type; the others of its class differ in loads and stores only. */
  private static final List<DType> COMPUTED =
      List.of(DType.F32, DType.F64, DType.I32, DType.I64, DType.BOOL);

  private static byte[] compile(String name, String source, String architecture) {
    Nvrtc.Compiled compiled =
        Nvrtc.open()
            .compile(
                source,
                name + ".cu",
                DeviceSources.headers(),
                List.of(
                    "--gpu-architecture=" + architecture,
                    "--std=c++17",
                    "--relocatable-device-code=true",
                    "--fmad=false",
                    "--maxrregcount=" + REGISTERS),
                Nvrtc.Target.CUBIN);
    assertEquals("", compiled.log(), name + " for " + architecture);
    return compiled.code();
  }

  private static void compileAll(Map<String, Kernel> kernels, String architecture) {
    kernels.entrySet().parallelStream()
        .forEach(
            entry -> {
              String source = CudaGenerator.render(entry.getValue());
              byte[] cubin = compile(entry.getKey(), source, architecture);
              int registers = mostRegisters(cubin);
              assertTrue(
                  registers > 0 && registers <= REGISTERS,
                  entry.getKey() + " for " + architecture + ": registers=" + registers);
            });
  }

  /** Every function in the fewest kernels: their results are added up. */
  private static Map<String, Kernel> functions() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : COMPUTED) {
      List<Function> functions = new ArrayList<>();
      for (Function function : Function.values()) {
        if (function.typeRule().accepts(type)) {
          functions.add(function);
        }
      }
      kernels.put("functions_" + DeviceKernels.lower(type), DeviceKernels.all(functions, type));
    }
    return kernels;
  }

  private static Map<String, Kernel> reductions() {
    Map<String, Kernel> kernels = DeviceKernels.reductions();
    kernels
        .keySet()
        .removeIf(
            name -> COMPUTED.stream().noneMatch(t -> name.endsWith("_" + DeviceKernels.lower(t))));
    return kernels;
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileEveryFunction(String architecture) {
    compileAll(functions(), architecture);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileConversionsAndFusedKernels(String architecture) {
    Map<String, Kernel> kernels = DeviceKernels.composites();
    if (!architecture.equals("sm_90")) {
      kernels.keySet().removeIf(name -> name.matches("random_([4-9]|1.)"));
    }
    for (DType from : DType.values()) {
      kernels.put("from_" + DeviceKernels.lower(from), DeviceKernels.conversionsFrom(from));
    }
    compileAll(kernels, architecture);
  }

  @Test
  void shouldCompileEveryReduction() {
    compileAll(reductions(), "sm_90");
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_100"})
  void shouldCompileEachSortOfReductionForOtherArchitectures(String architecture) {
    Map<String, Kernel> kernels = reductions();
    kernels
        .keySet()
        .retainAll(List.of("sum_i64", "mean_f32", "argmax_f64", "norm_3p5_f32", "std_f32"));
    assertEquals(5, kernels.size());
    compileAll(kernels, architecture);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileMatrixProducts(String architecture) {
    compileAll(DeviceProducts.all(), architecture);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileAttention(String architecture) {
    compileAll(DeviceAttention.all(), architecture);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileIndexedReads(String architecture) {
    compileAll(DeviceGathers.all(), architecture);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileSumsAndIndexedWrites(String architecture) {
    compileAll(DeviceScans.all(), architecture);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gpuos_ptx",
        "gpuos_types",
        "gpuos_math",
        "gpuos_operands",
        "gpuos_reducers",
        "gpuos_block",
        "gpuos_tiles",
        "gpuos_thin",
        "gpuos_matmul",
        "gpuos_query",
        "gpuos_attention_runs",
        "gpuos_attention",
        "gpuos_gather",
        "gpuos_scan",
        "gpuos_scatter"
      })
  void shouldCompileEachHeaderByItself(String header) {
    compile(header, "#include \"" + header + ".cuh\"\n", "sm_90");
  }

  /** The largest register count of any function in the machine code. */
  private static int mostRegisters(byte[] cubin) {
    ByteBuffer elf = ByteBuffer.wrap(cubin).order(ByteOrder.LITTLE_ENDIAN);
    int sections = (int) elf.getLong(0x28);
    int count = elf.getShort(0x3c);
    int names = (int) elf.getLong(sections + 64 * elf.getShort(0x3e) + 0x18);
    int most = 0;
    for (int i = 0; i < count; i++) {
      int header = sections + 64 * i;
      if (text(elf, names + elf.getInt(header)).equals(".nv.info")) {
        int at = (int) elf.getLong(header + 0x18);
        int end = at + (int) elf.getLong(header + 0x20);
        while (at < end) {
          int size = elf.get(at) == FORMAT_SIZED ? elf.getShort(at + 2) : 0;
          if (elf.get(at + 1) == TAG_REGISTERS) {
            most = Math.max(most, elf.getInt(at + 8));
          }
          at += 4 + size;
        }
      }
    }
    return most;
  }

  private static String text(ByteBuffer elf, int at) {
    StringBuilder out = new StringBuilder();
    for (int i = at; elf.get(i) != 0; i++) {
      out.append((char) elf.get(i));
    }
    return out.toString();
  }
}

package io.gpuos.inject;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.driver.Nvrtc;
import io.gpuos.ir.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Compiles what the tests of this package look at, with the real compiler, once each. */
final class Cubins {

  static final List<String> ARCHITECTURES = List.of("sm_80", "sm_90", "sm_100");
  static final String ENTRY = CudaGenerator.ENTRY;

  /** As {@code GPUOS_CALLED} of the device headers. */
  static final String CALLED = "_Pragma(\"nv_abi preserve_n_data(2)\")";

  static final int REGISTERS = 64;
  static final int STACK_BYTES = 1024;

  private static final Map<List<String>, byte[]> COMPILED = new ConcurrentHashMap<>();

  private Cubins() {}

  /** Machine code of {@code source} with the options of operators. */
  static byte[] compile(String source, String architecture) {
    List<String> options = new ArrayList<>(List.of("--maxrregcount=" + REGISTERS));
    options.addAll(Injector.COMPILE_OPTIONS);
    return compile(source, architecture, options);
  }

  /** Machine code of {@code source} with {@code options}. */
  static byte[] compile(String source, String architecture, List<String> options) {
    List<String> all = new ArrayList<>();
    all.add("--gpu-architecture=" + architecture);
    all.add("--std=c++17");
    all.add("--relocatable-device-code=true");
    all.add("--device-as-default-execution-space");
    all.addAll(options);
    List<String> key = new ArrayList<>(all);
    key.add(source);
    return COMPILED
        .computeIfAbsent(
            key,
            _ ->
                Nvrtc.open()
                    .compile(
                        source, "operator.cu", DeviceSources.headers(), all, Nvrtc.Target.CUBIN)
                    .code())
        .clone();
  }

  /** Machine code of a generated operator, as the runtime compiles it. */
  static byte[] operator(Kernel kernel, String architecture) {
    return compile(CudaGenerator.render(kernel), architecture);
  }

  static Limits limits(String architecture) {
    return new Limits(architecture, REGISTERS, STACK_BYTES);
  }

  /** Reads and verifies {@code cubin} with its entry and the limits of the resident kernel. */
  static VerifiedCubin verify(byte[] cubin, String architecture) {
    return CubinVerifier.verify(CubinReader.read(cubin), ENTRY, limits(architecture));
  }

  /** An operator with the statements {@code body}, over {@code float* x} and {@code int n}. */
  static String operator(String body) {
    return operator("", body);
  }

  /** The same, behind further declarations. */
  static String operator(String declarations, String body) {
    String parameters = "float* x, long long given, char* scratch, unsigned long long";
    return "%s%n%s extern \"C\" __device__ void %s(%s) {%n  const int n = given;%n  %s%n}%n"
        .formatted(declarations, CALLED, ENTRY, parameters, body);
  }
}

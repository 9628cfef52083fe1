package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.codegen.DeviceCheckSources.Check;
import io.gpuos.ir.Kernel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs generated kernels and the interpreter without a GPU: a C++ compiler makes the device code
 * host code, and fibers play the threads of a block. The checks are those of {@code bench/device}:
 * every function and conversion is interpreted, and a part of them also compiled. Skipped where
 * there is no {@code g++}.
 */
class DeviceOnHostTest {

  private static final Path CHECKS = Path.of("../bench/device").toAbsolutePath().normalize();

  private static final List<String> SINGLES =
      List.of(
          "add_f16",
          "add_u8",
          "gelu_f32",
          "pow_i32",
          "sin_f64",
          "where_bool",
          "floor_divide_i64",
          "f32_to_i8",
          "f64_to_i64",
          "f32_to_bf16",
          "u8_to_bool",
          "sum_f32",
          "sum_i16",
          "mean_bf16",
          "prod_f64",
          "max_f16",
          "min_bool",
          "argmax_f32",
          "argmin_i8",
          "any_u8",
          "all_f32",
          "norm_2p0_f32",
          "norm_3p5_f64",
          "var_f16",
          "std_f64");

  @Test
  void shouldComputeWhatTheReferenceDoes(@TempDir Path folder)
      throws IOException, InterruptedException {
    assumeTrue(isInstalled("g++"), "no g++ to make device code host code with");
    Map<String, Kernel> kernels = kernels();
    Map<String, Check> checks = new HashMap<>();
    DeviceKernels.mixed().keySet().forEach(name -> checks.put(name, Check.WITHOUT_REFERENCE));
    notCompiled(kernels).forEach(name -> checks.put(name, Check.WITHOUT_COMPILING));
    DeviceCheckSources.write(folder, kernels, checks);
    String build = run(List.of(CHECKS.resolve("check_ops.sh").toString(), "host", folder + ""));
    assertTrue(Files.isExecutable(folder.resolve("check_ops")), build);
    String results = run(List.of(folder.resolve("check_ops").toString(), "1"));
    List<String> failures = results.lines().filter(line -> !line.startsWith("ok ")).toList();
    assertEquals(List.of(kernels.size() + " passed, 0 failed"), failures);
  }

  private static Map<String, Kernel> kernels() {
    Map<String, Kernel> kernels = DeviceKernels.composites();
    kernels.putAll(DeviceKernels.mixed());
    kernels.putAll(DeviceKernels.functions());
    kernels.putAll(DeviceKernels.conversions());
    DeviceKernels.reductions().entrySet().stream()
        .filter(entry -> SINGLES.contains(entry.getKey()))
        .forEach(entry -> kernels.put(entry.getKey(), entry.getValue()));
    return kernels;
  }

  /** Single functions and conversions, but for some, are interpreted only. */
  private static Set<String> notCompiled(Map<String, Kernel> kernels) {
    Set<String> names = new HashSet<>(kernels.keySet());
    names.removeAll(DeviceKernels.composites().keySet());
    names.removeAll(DeviceKernels.mixed().keySet());
    SINGLES.forEach(names::remove);
    return names;
  }

  private static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":"))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }
}

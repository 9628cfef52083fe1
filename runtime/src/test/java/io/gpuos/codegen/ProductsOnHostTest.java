package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs the device code of matrix products and attention without a GPU, as {@link DeviceOnHostTest}
 * does, in every way a block is computed. Skipped where there is no {@code g++}.
 */
class ProductsOnHostTest {

  private static final Path CHECKS = Path.of("../bench/device").toAbsolutePath().normalize();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "attention_f32",
        "attention_bf16",
        "attention_causal_f32",
        "attention_masked_f32",
        "attention_biased_f16",
        "attention_add_f16"
      })
  void shouldAttend(String name, @TempDir Path folder) throws IOException, InterruptedException {
    check(DeviceAttention.all().get(name), "check_attention.h", "36 passed, 0 failed\n", folder);
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "I64", "I8", "U8"})
  void shouldComputeEveryBlock(DType type, @TempDir Path folder)
      throws IOException, InterruptedException {
    check(DeviceProducts.linearRelu(type), "check_matmul.h", "192 passed, 0 failed\n", folder);
  }

  /** Compiles the kernel with one of the checks behind it, and runs that. */
  private static void check(Kernel kernel, String check, String expected, Path folder)
      throws IOException, InterruptedException {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(path -> Files.isExecutable(Path.of(path, "g++"))),
        "no g++ to make device code host code with");
    for (Map.Entry<String, String> header : DeviceSources.headers().entrySet()) {
      if (!header.getKey().equals("gpuos_ptx.cuh")) {
        Files.writeString(folder.resolve(header.getKey()), header.getValue());
      }
    }
    String source = CudaGenerator.render(kernel);
    Files.writeString(folder.resolve("check.cpp"), source + "#include \"" + check + "\"\n");
    Path host = CHECKS.resolve("host");
    String log =
        run(
            folder,
            List.of(
                "g++",
                "-std=c++17",
                "-O1",
                "-w",
                "-fno-strict-aliasing",
                "-ffp-contract=off",
                "-I.",
                "-I" + CHECKS,
                "-I" + host,
                "-include",
                "host_device.h",
                "-include",
                host.resolve("gpuos_ptx.cuh").toString(),
                "check.cpp",
                host.resolve("host_device.cpp").toString(),
                "-o",
                "check"));
    assertEquals("", log);
    assertEquals(expected, run(folder, List.of("./check")));
  }

  private static String run(Path folder, List<String> command)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }
}

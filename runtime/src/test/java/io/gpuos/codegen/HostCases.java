package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Runs kernels as CUDA code, made host code by a C++ compiler as in {@link DeviceOnHostTest}, and
 * compares what they leave in memory with what the same kernels leave on the CPU device.
 */
final class HostCases {

  private static final Path CHECKS = Path.of("../bench/device").toAbsolutePath().normalize();

  private HostCases() {}

  /**
   * A kernel, and what it runs on.
   *
   * @param number of its source
   * @param tile positions of a tile
   */
  record Case(
      String name,
      int number,
      Kernel kernel,
      IterationSpace space,
      List<TestTensor> tensors,
      long tile) {

    private void runOnCpu() {
      long[] operands = tensors.stream().mapToLong(TestTensor::address).toArray();
      JvmGenerator.compile(kernel).run(operands, space, 0, space.count(), new CpuScratch());
    }

    /** As {@code run_rows.h} reads it. */
    private ByteBuffer bytes() {
      int size = 8 * (14 + tensors.size() * 10);
      for (TestTensor tensor : tensors) {
        size += (int) tensor.memory().byteSize();
      }
      ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
      out.putLong(number).putLong(space.rank()).putLong(space.reduced());
      for (int d = 0; d < 8; d++) {
        out.putLong(d < space.rank() ? space.size(d) : 0);
      }
      out.putLong(space.count()).putLong(tile).putLong(tensors.size());
      for (int k = 0; k < tensors.size(); k++) {
        for (int d = 0; d < 8; d++) {
          out.putLong(d < space.rank() ? space.stride(k, d) : 0);
        }
        TestTensor tensor = tensors.get(k);
        out.putLong(tensor.memory().byteSize()).putLong(tensor.origin());
        out.put(tensor.memory().toArray(ValueLayout.JAVA_BYTE));
      }
      return out.flip();
    }
  }

  /** Skips the test where there is no compiler. */
  static void requireCompiler() {
    assumeTrue(isInstalled("g++"), "no g++ to make device code host code with");
  }

  /**
   * Compiles the sources, runs the cases and compares.
   *
   * @param folder an empty one
   */
  static void check(Path folder, List<String> sources, List<Case> cases)
      throws IOException, InterruptedException {
    build(folder, sources);
    try (var out = Files.newOutputStream(folder.resolve("cases"))) {
      for (Case test : cases) {
        out.write(test.bytes().array());
      }
    }
    String log = run(folder, List.of(folder.resolve("run_rows").toString(), "cases", "results"));
    assertEquals("", log);
    ByteBuffer results = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("results")));
    for (Case test : cases) {
      compare(test, results);
    }
    assertEquals(0, results.remaining());
  }

  private static void compare(Case test, ByteBuffer results) {
    List<ByteBuffer> found = new ArrayList<>();
    for (TestTensor tensor : test.tensors) {
      byte[] bytes = new byte[(int) tensor.memory().byteSize()];
      results.get(bytes);
      found.add(ByteBuffer.wrap(bytes));
    }
    test.runOnCpu();
    for (int k = 0; k < test.tensors.size(); k++) {
      TestTensor expected = test.tensors.get(k);
      List<Object> values = values(expected);
      expected.memory().asByteBuffer().put(found.get(k));
      List<Object> actual = values(expected);
      double tolerance = expected.type == DType.F64 ? 1e6 : expected.type == DType.F32 ? 200 : 4;
      for (int i = 0; i < values.size(); i++) {
        KernelRunner.checkValue(
            expected.type,
            values.get(i),
            actual.get(i),
            tolerance,
            test.name + ", operand " + k + " element " + i);
      }
      boolean output = test.kernel.operands().get(k).role() == Kernel.Role.OUTPUT;
      assertTrue(!output || expected.isUntouchedElsewhere(), () -> "wrote beside: " + test.name);
    }
  }

  private static List<Object> values(TestTensor tensor) {
    List<Object> values = new ArrayList<>();
    TestTensor.Index index = new TestTensor.Index(tensor.shape);
    do {
      values.add(tensor.get(index.values()));
    } while (index.next());
    return values;
  }

  private static void build(Path folder, List<String> sources)
      throws IOException, InterruptedException {
    for (var header : DeviceSources.headers().entrySet()) {
      Files.writeString(folder.resolve(header.getKey()), header.getValue());
    }
    StringBuilder out =
        new StringBuilder(
            """
            #include "gpuos_rows.cuh"
            #include "gpuos_scan.cuh"
            #include "gpuos_scatter.cuh"
            #include "run_rows.h"
            """);
    for (int i = 0; i < sources.size(); i++) {
      out.append(
          String.format(
              Locale.ROOT,
              "#define gpuos_op gpuos_op_%d\nnamespace op_%d {\n%s}\n#undef gpuos_op\n",
              i,
              i,
              sources.get(i)));
    }
    out.append("static gpuos_operator kernels[] = {");
    for (int i = 0; i < sources.size(); i++) {
      out.append(String.format(Locale.ROOT, "op_%d::gpuos_op_%d, ", i, i));
    }
    out.append(
        "};\nint main(int, char** names) { return run_rows(names[1], names[2], kernels); }\n");
    Files.writeString(folder.resolve("run_rows.cu"), out);
    String log =
        run(
            folder,
            List.of(
                "g++",
                "-std=c++17",
                "-O1",
                "-w",
                "-I.",
                "-I" + CHECKS,
                "-I" + CHECKS.resolve("host"),
                "-x",
                "c++",
                "-fno-strict-aliasing",
                "-ffp-contract=off",
                "-include",
                "host_device.h",
                "-include",
                CHECKS.resolve("host/gpuos_ptx.cuh").toString(),
                "run_rows.cu",
                CHECKS.resolve("host/host_device.cpp").toString(),
                "-o",
                "run_rows"));
    assertTrue(Files.isExecutable(folder.resolve("run_rows")), log);
  }

  private static boolean isInstalled(String program) {
    return Stream.of(System.getenv("PATH").split(":"))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
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

package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Rows kernels as CUDA code, made host code by a C++ compiler as in {@link DeviceOnHostTest},
 * against the same kernels on the CPU device: over rows that fit a thread, a warp, a block, and
 * none of these, side by side and across, aligned and not, whole and in tiles. Skipped where there
 * is no {@code g++}.
 */
class RowsOnHostTest {

  private static final Path CHECKS = Path.of("../bench/device").toAbsolutePath().normalize();

  /** Shapes of x; rows lie along the last axis. */
  private static final long[][] SHAPES = {
    {3, 1}, {5, 8}, {37, 7}, {9, 64}, {2, 260}, {3, 1024}, {2, 4100}, {70, 33}, {1, 9001}
  };

  private record Case(
      String name,
      int number,
      Kernel.Rows kernel,
      IterationSpace space,
      List<TestTensor> tensors,
      long tile) {

    void runOnCpu() {
      long[] operands = tensors.stream().mapToLong(TestTensor::address).toArray();
      JvmGenerator.compile(kernel).run(operands, space, 0, space.count(), new CpuScratch());
    }

    /** As {@code run_rows.h} reads it. */
    ByteBuffer bytes() {
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

  @Test
  void shouldComputeWhatTheCpuDoes(@TempDir Path folder) throws IOException, InterruptedException {
    assumeTrue(isInstalled("g++"), "no g++ to make device code host code with");
    List<String> sources = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      List<Case> cases = cases(arena, sources);
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
  }

  private static List<Case> cases(Arena arena, List<String> sources) {
    Random random = new Random(11);
    List<Case> cases = new ArrayList<>();
    RowKernels.expressions()
        .forEach(
            (name, text) -> {
              for (DType type : List.of(DType.F32, DType.BF16, DType.F64)) {
                for (long[] shape : SHAPES) {
                  cases.add(oneCase(name + " " + type, text, type, shape, arena, random, sources));
                }
              }
            });
    return cases;
  }

  private static Case oneCase(
      String name,
      String text,
      DType type,
      long[] shape,
      Arena arena,
      Random random,
      List<String> sources) {
    ExpressionPlan.Step step =
        RowKernels.step(text, type, shape, new long[] {shape[1]}, new long[] {shape[0]});
    Kernel.Rows kernel = (Kernel.Rows) step.kernel();
    String source = CudaGenerator.render(kernel);
    if (!sources.contains(source)) {
      sources.add(source);
    }
    boolean across = random.nextInt(3) == 0;
    int skew = random.nextInt(3) == 0 ? type.bytes() : 0;
    List<TestTensor> tensors = new ArrayList<>();
    List<Layout> layouts = new ArrayList<>();
    for (int k = 0; k < kernel.operands().size(); k++) {
      long[] own = shape(kernel, k, step, shape);
      int[] order =
          own.length == 2 && across
              ? new int[] {1, 0}
              : own.length == 2 ? new int[] {0, 1} : new int[] {0};
      TestTensor tensor =
          TestTensor.allocate(
              arena,
              kernel.operands().get(k).type(),
              own,
              order,
              1,
              skew == 0 ? 0 : kernel.operands().get(k).type().bytes());
      if (kernel.operands().get(k).role() == Kernel.Role.INPUT) {
        moderate(tensor, random);
      }
      tensors.add(tensor);
      layouts.add(tensor.layout());
    }
    int[] axes = step.axes().stream().mapToInt(Integer::intValue).toArray();
    IterationSpace space =
        IterationSpace.rows(shape, axes, layouts, step.squeezed(), text.contains("arg"));
    long tile = random.nextBoolean() ? Math.max(1, shape[0]) : 1 + random.nextInt((int) shape[0]);
    return new Case(
        name
            + " of ["
            + shape[0]
            + ", "
            + shape[1]
            + "]"
            + (across ? " across" : "")
            + (skew > 0 ? " unaligned" : ""),
        sources.indexOf(source),
        kernel,
        space,
        tensors,
        tile);
  }

  private static long[] shape(Kernel.Rows kernel, int operand, ExpressionPlan.Step step, long[] x) {
    if (step.squeezed().contains(operand)) {
      return new long[] {x[0]};
    }
    if (kernel.perRow().contains(operand)) {
      boolean input = kernel.operands().get(operand).role() == Kernel.Role.INPUT;
      return x[1] == 1
              && input
              && step.operands().get(operand).equals(new ExpressionPlan.Source.Input(1))
          ? new long[] {1}
          : new long[] {x[0], 1};
    }
    boolean weight = step.operands().get(operand).equals(new ExpressionPlan.Source.Input(1));
    return weight ? new long[] {x[1]} : x;
  }

  private static void moderate(TestTensor tensor, Random random) {
    TestTensor.Index index = new TestTensor.Index(tensor.shape);
    do {
      tensor.set(index.values(), random.nextGaussian() * 3);
    } while (index.next());
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
    StringBuilder out = new StringBuilder("#include \"gpuos_rows.cuh\"\n#include \"run_rows.h\"\n");
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

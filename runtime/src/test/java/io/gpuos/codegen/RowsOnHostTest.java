package io.gpuos.codegen;

import io.gpuos.codegen.HostCases.Case;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Rows kernels as CUDA code, made host code by a C++ compiler as in {@link DeviceOnHostTest},
 * against the same kernels on the CPU device: over rows that fit a thread, a warp, a block, and
 * none of these, side by side and across, aligned and not, whole and in tiles. Skipped where there
 * is no {@code g++}.
 */
class RowsOnHostTest {

  /** Shapes of x; rows lie along the last axis. */
  private static final long[][] SHAPES = {
    {3, 1}, {5, 8}, {37, 7}, {9, 64}, {2, 260}, {3, 1024}, {2, 4100}, {70, 33}, {1, 9001}
  };

  @Test
  void shouldComputeWhatTheCpuDoes(@TempDir Path folder) throws IOException, InterruptedException {
    HostCases.requireCompiler();
    List<String> sources = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      List<Case> cases = cases(arena, sources);
      HostCases.check(folder, sources, cases);
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
}

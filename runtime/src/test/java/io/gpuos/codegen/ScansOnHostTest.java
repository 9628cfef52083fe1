package io.gpuos.codegen;

import io.gpuos.codegen.HostCases.Case;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import io.gpuos.layout.ScatterSpace;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sums along rows, and indexed writes, as CUDA code on a host, against the CPU device: rows summed
 * by threads, warps and blocks, writes by one thread a line and by many, in whole and in tiles.
 */
class ScansOnHostTest {

  private static final long[][] ROWS = {
    {3, 0}, {300, 3}, {5, 8}, {3, 9}, {40, 31}, {9, 128}, {2, 129}, {33, 257}, {1, 700}, {270, 20}
  };

  /** Lines, places on the axis, and elements written to each line. */
  private static final int[][] WRITES = {
    {1, 1, 40},
    {1, 40, 300},
    {3, 5, 100},
    {100, 7, 20},
    {128, 3, 9},
    {129, 4, 9},
    {300, 2, 5},
    {5, 0, 4},
    {5, 4, 0}
  };

  private final Random random = new Random(5);
  private final List<String> sources = new ArrayList<>();
  private final List<Case> cases = new ArrayList<>();

  @Test
  void shouldLeaveWhatTheCpuDoes(@TempDir Path folder) throws IOException, InterruptedException {
    HostCases.requireCompiler();
    try (Arena arena = Arena.ofConfined()) {
      for (DType type :
          List.of(DType.F32, DType.BF16, DType.F64, DType.I64, DType.U8, DType.BOOL)) {
        for (long[] shape : ROWS) {
          addSums(arena, DeviceScans.sums(type), shape);
        }
        for (int[] sizes : WRITES) {
          boolean adds = random.nextBoolean();
          boolean wraps = random.nextBoolean();
          DType index = random.nextBoolean() ? DType.I64 : DType.I32;
          addWrites(arena, DeviceScans.scatter(type, index, adds, wraps), sizes);
        }
      }
      for (long[] shape : ROWS) {
        addSums(arena, DeviceScans.positions(), shape);
        addSums(arena, DeviceScans.products(DType.F16), shape);
      }
      HostCases.check(folder, sources, cases);
    }
  }

  private void addSums(Arena arena, Kernel kernel, long[] shape) {
    boolean across = random.nextInt(3) == 0;
    List<TestTensor> tensors = new ArrayList<>();
    for (Kernel.Operand operand : kernel.operands()) {
      tensors.add(tensor(arena, operand, across, shape));
    }
    List<Layout> layouts = tensors.stream().map(TestTensor::layout).toList();
    IterationSpace space = IterationSpace.rows(shape, new int[] {1}, layouts, Set.of(), true);
    add(kernel, space, tensors);
  }

  private void addWrites(Arena arena, Kernel kernel, int[] sizes) {
    boolean across = random.nextInt(3) == 0;
    Kernel.Operand index = kernel.operands().get(0);
    TestTensor places =
        TestTensor.allocate(arena, index.type(), new long[] {sizes[2]}, new int[] {0}, 1, 0);
    for (int k = 0; k < sizes[2]; k++) {
      places.set(new long[] {k}, random.nextInt(sizes[1] + 3) - 1);
    }
    TestTensor elements = tensor(arena, kernel.operands().get(1), across, sizes[0], sizes[2]);
    TestTensor output = tensor(arena, kernel.operands().get(2), !across, sizes[0], sizes[1]);
    List<TestTensor> tensors = List.of(places, elements, output);
    IterationSpace space = ScatterSpace.of(tensors.stream().map(TestTensor::layout).toList(), 1);
    add(kernel, space, tensors);
  }

  private TestTensor tensor(Arena arena, Kernel.Operand operand, boolean across, long... shape) {
    int[] order = across ? new int[] {1, 0} : new int[] {0, 1};
    TestTensor tensor = TestTensor.allocate(arena, operand.type(), shape, order, 1, 0);
    if (shape[0] * shape[1] > 0) {
      TestTensor.Index index = new TestTensor.Index(tensor.shape);
      do {
        boolean number = operand.role() == Role.INPUT || shape[0] > 0;
        tensor.set(index.values(), number ? random.nextInt(4) : 0);
      } while (index.next());
    }
    return tensor;
  }

  private void add(Kernel kernel, IterationSpace space, List<TestTensor> tensors) {
    String source = CudaGenerator.render(kernel);
    if (!sources.contains(source)) {
      sources.add(source);
    }
    long tile =
        random.nextBoolean()
            ? Math.max(1, space.count())
            : 1 + random.nextLong(Math.max(1, space.count()));
    String name = kernel + " over " + space + " by " + tile;
    cases.add(new Case(name, sources.indexOf(source), kernel, space, tensors, tile));
  }
}

package io.gpuos.codegen;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ElementwiseKernelTest {

  private final CpuScratch scratch = new CpuScratch();

  @Test
  void shouldWalkAnyLayout() {
    for (int seed = 0; seed < 150; seed++) {
      RandomCases cases = new RandomCases(seed);
      checkRandom(cases, cases.shape(), 1 + cases.random().nextInt(4), 12);
    }
  }

  @Test
  void shouldComputeAnyExpression() {
    for (int seed = 1000; seed < 1150; seed++) {
      RandomCases cases = new RandomCases(seed);
      checkRandom(cases, new long[] {40}, cases.random().nextInt(9), 60);
    }
  }

  @Test
  void shouldComputeDeepExpressionsInSeveralLoops() {
    for (int seed = 2000; seed < 2010; seed++) {
      checkRandom(new RandomCases(seed), new long[] {1030}, 8, 256);
    }
  }

  private void checkRandom(RandomCases cases, long[] shape, int inputs, int nodes) {
    int scalars = cases.random().nextInt(9 - inputs);
    Kernel.Elementwise kernel = cases.elementwise(inputs, scalars, nodes + inputs + scalars);
    if (kernel.operands().size() > Kernel.MAX_OPERANDS) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      List<TestTensor> tensors = new ArrayList<>();
      for (Kernel.Operand operand : kernel.operands()) {
        switch (operand.role()) {
          case INPUT -> {
            long[] own = cases.broadcast(shape);
            tensors.add(cases.tensor(arena, operand.type(), own).fill(cases.random()));
          }
          case OUTPUT -> tensors.add(cases.tensor(arena, operand.type(), shape));
          case SCALAR -> {}
        }
      }
      KernelRunner runner =
          new KernelRunner(kernel, shape, tensors, scalarBits(kernel, cases.random()));
      runner.run(scratch);
      runner.check(0);
    }
  }

  private static long[] scalarBits(Kernel kernel, Random random) {
    return kernel.operands().stream()
        .filter(operand -> operand.role() == Role.SCALAR)
        .mapToLong(
            operand ->
                switch (operand.type()) {
                  case F64, F32, F16, BF16 ->
                      Double.doubleToRawLongBits((float) random.nextGaussian());
                  case I64, I32, I16, I8 -> random.nextInt(-100, 100);
                  case U8 -> random.nextInt(256);
                  case BOOL -> random.nextInt(2);
                })
        .toArray();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 15, 16, 1023, 1024, 1025, 2048, 3001})
  void shouldStopAtAnyCount(long count) {
    try (Arena arena = Arena.ofConfined()) {
      for (DType type : DType.values()) {
        TestTensor a = TestTensor.contiguous(arena, type, count);
        TestTensor b = TestTensor.contiguous(arena, type, count);
        TestTensor out = TestTensor.contiguous(arena, type, count);
        if (count > 0) {
          a.fill(new Random(1));
          b.fill(new Random(2));
        }
        KernelRunner runner = new KernelRunner(sum(type), new long[] {count}, List.of(a, b, out));
        runner.run(scratch);
        runner.check(0);
      }
    }
  }

  private static Kernel.Elementwise sum(DType type) {
    Kernels kernels = new Kernels();
    int a = kernels.input(type);
    return kernels.store(kernels.apply(Function.ADD, a, kernels.input(type)));
  }

  @Test
  void shouldComputeTheRangeAskedForAndNothingElse() {
    long[][] shapes = {{5000}, {50, 100}, {7, 3, 5, 11}};
    for (long[] shape : shapes) {
      try (Arena arena = Arena.ofConfined()) {
        TestTensor a = TestTensor.contiguous(arena, DType.F32, shape).fill(new Random(1));
        long[] lastOnly = shape.clone();
        lastOnly[0] = 1;
        TestTensor b = TestTensor.contiguous(arena, DType.F32, lastOnly).fill(new Random(2));
        TestTensor out = TestTensor.contiguous(arena, DType.F32, shape);
        KernelRunner runner = new KernelRunner(sum(DType.F32), shape, List.of(a, b, out));
        long first = 301;
        long count = 777;
        runner.run(first, count, scratch);
        List<Object> expected = runner.expected().getFirst();
        TestTensor.Index index = new TestTensor.Index(shape);
        for (long position = 0; position < expected.size(); position++, index.next()) {
          if (position >= first && position < first + count) {
            Object value = out.get(index.values());
            KernelRunner.checkValue(
                DType.F32, expected.get((int) position), value, 0, "position " + position);
          } else {
            assertTrue(out.isUntouched(index.values()), "position " + position);
          }
        }
      }
    }
  }

  @Test
  void shouldGiveTheSameInTiles() {
    for (int seed = 3000; seed < 3040; seed++) {
      RandomCases cases = new RandomCases(seed);
      long[] shape = cases.shape();
      try (Arena arena = Arena.ofConfined()) {
        TestTensor a = cases.tensor(arena, DType.I16, shape).fill(cases.random());
        TestTensor b = cases.tensor(arena, DType.I16, shape).fill(cases.random());
        TestTensor out = cases.tensor(arena, DType.I16, shape);
        KernelRunner runner = new KernelRunner(sum(DType.I16), shape, List.of(a, b, out));
        long count = runner.space.count();
        for (long first = 0; first < count; ) {
          long tile = Math.min(count - first, cases.random().nextLong(1, 700));
          runner.run(first, tile, scratch);
          first += tile;
        }
        runner.check(0);
      }
    }
  }

  @Test
  void shouldWorkInPlace() {
    long[] shape = {60, 50};
    int[][] orders = {{0, 1}, {1, 0}};
    for (int[] order : orders) {
      for (long stretch : new long[] {1, 2, -1}) {
        try (Arena arena = Arena.ofConfined()) {
          TestTensor a = TestTensor.allocate(arena, DType.F16, shape, order, stretch, 0);
          TestTensor b = TestTensor.contiguous(arena, DType.F16, shape).fill(new Random(2));
          a.fill(new Random(1));
          KernelRunner runner = new KernelRunner(sum(DType.F16), shape, List.of(a, b, a));
          List<List<Object>> expected = runner.expected();
          runner.run(scratch);
          runner.checkAgainst(expected, 0);
        }
      }
    }
  }

  @Test
  void shouldSwapTwoTensors() {
    Kernels kernels = new Kernels();
    int a = kernels.input(DType.I64);
    int b = kernels.input(DType.I64);
    Kernel.Elementwise swap = kernels.store(b, a);
    try (Arena arena = Arena.ofConfined()) {
      TestTensor x = TestTensor.contiguous(arena, DType.I64, 2500).fill(new Random(1));
      TestTensor y = TestTensor.contiguous(arena, DType.I64, 2500).fill(new Random(2));
      KernelRunner runner = new KernelRunner(swap, new long[] {2500}, List.of(x, y, x, y));
      List<List<Object>> expected = runner.expected();
      runner.run(scratch);
      runner.checkAgainst(expected, 0);
    }
  }

  @Test
  void shouldReachElementsBeyond32BitOffsets(@TempDir Path directory) throws IOException {
    long stride = (1L << 32) / 3;
    Kernels kernels = new Kernels();
    Kernel.Elementwise copy = kernels.store(kernels.input(DType.F32));
    try (Arena arena = Arena.ofConfined();
        FileChannel sparse = FileChannel.open(directory.resolve("sparse"), CREATE, READ, WRITE)) {
      MemorySegment memory = sparse.map(MapMode.READ_WRITE, 0, 4 * (2 * stride + 3), arena);
      TestTensor out = TestTensor.contiguous(arena, DType.F32, 3, 3);
      Layout far = Layout.of(DType.F32, new long[] {3, 3}, new long[] {stride, 1});
      IterationSpace space =
          IterationSpace.elementwise(new long[] {3, 3}, List.of(far, out.layout()));
      TestTensor.Index index = new TestTensor.Index(3, 3);
      do {
        long at = index.values()[0] * stride + index.values()[1];
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, at);
      } while (index.next());
      long[] operands = {memory.address(), out.address()};
      JvmGenerator.compile(copy).run(operands, space, 0, 9, scratch);
      do {
        float expected = index.values()[0] * stride + index.values()[1];
        assertEquals((double) expected, out.get(index.values()));
      } while (index.next());
    }
  }

  @Test
  void shouldTakeAnyByteButZeroForTrue() {
    Kernels kernels = new Kernels();
    int bool = kernels.input(DType.BOOL);
    Kernel.Elementwise kernel = kernels.store(kernels.convert(DType.I32, bool), bool);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment in = arena.allocate(256);
      MemorySegment ints = arena.allocate(1024, 4);
      MemorySegment bools = arena.allocate(256);
      for (int b = 0; b < 256; b++) {
        in.set(ValueLayout.JAVA_BYTE, b, (byte) b);
      }
      IterationSpace space =
          IterationSpace.elementwise(
              new long[] {256},
              List.of(
                  Layout.contiguous(DType.BOOL, 256),
                  Layout.contiguous(DType.I32, 256),
                  Layout.contiguous(DType.BOOL, 256)));
      long[] operands = {in.address(), ints.address(), bools.address()};
      JvmGenerator.compile(kernel).run(operands, space, 0, 256, scratch);
      for (int b = 0; b < 256; b++) {
        assertEquals(b == 0 ? 0 : 1, ints.getAtIndex(ValueLayout.JAVA_INT, b));
        assertEquals(b == 0 ? 0 : 1, bools.get(ValueLayout.JAVA_BYTE, b));
      }
    }
  }

  @Test
  void shouldRunInSeveralThreadsAtOnce() throws Exception {
    RandomCases cases = new RandomCases(7);
    Kernel.Elementwise kernel = cases.elementwise(3, 0, 120);
    CpuKernel compiled = JvmGenerator.compile(kernel);
    long[] shape = {9000};
    try (Arena arena = Arena.ofShared();
        ExecutorService executor = Executors.newFixedThreadPool(2)) {
      List<TestTensor> tensors = new ArrayList<>();
      for (Kernel.Operand operand : kernel.operands()) {
        TestTensor tensor = TestTensor.contiguous(arena, operand.type(), shape);
        tensors.add(operand.role() == Role.INPUT ? tensor.fill(cases.random()) : tensor);
      }
      KernelRunner runner = new KernelRunner(kernel, shape, tensors);
      List<Future<?>> halves = new ArrayList<>();
      for (long first : new long[] {0, 4500}) {
        CpuScratch own = new CpuScratch();
        halves.add(
            executor.submit(
                () -> {
                  for (int i = 0; i < 50; i++) {
                    compiled.run(runner.operands, runner.space, first, 4500, own);
                  }
                }));
      }
      for (Future<?> half : halves) {
        half.get();
      }
      runner.check(0);
    }
  }
}

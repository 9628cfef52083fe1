package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReductionKernelTest {

  private final CpuScratch scratch = new CpuScratch();

  @ParameterizedTest
  @EnumSource
  void shouldReduceAnyLayoutInEveryType(Reducer reducer) {
    for (DType type : DType.values()) {
      if (reducer.accepts(type)) {
        for (int seed = 0; seed < 12; seed++) {
          RandomCases cases = new RandomCases(100 * type.ordinal() + seed);
          long[] shape = cases.shape();
          check(cases, reducer, type, parameter(reducer, seed), shape, axes(cases, shape.length));
        }
      }
    }
  }

  /** Results are rounded once from double; only a result in double shows the order of summation. */
  private static double tolerance(Reducer reducer, DType type) {
    return type == DType.F64 || reducer == Reducer.PROD ? 100 : 4;
  }

  private static double parameter(Reducer reducer, int seed) {
    double[] orders = {2, 1, 0, 3, 0.5, 1 / 0.0, -1 / 0.0, -1, 2.5};
    return switch (reducer) {
      case NORM -> orders[seed % orders.length];
      case VAR, STD -> seed % 3 - 1 + 0.5 * (seed % 2);
      default -> 0;
    };
  }

  private static int[] axes(RandomCases cases, int rank) {
    return IntStream.range(0, rank).filter(_ -> cases.random().nextBoolean()).toArray();
  }

  @ParameterizedTest
  @EnumSource
  void shouldReduceLongRowsAndBlocks(Reducer reducer) {
    long[][] shapes = {{3, 2500}, {2500, 3}, {1, 1024}, {2, 1025}, {1500, 40}, {30, 70, 2}};
    int[][] axes = {{1}, {0}, {0, 1}, {0, 2}};
    for (long[] shape : shapes) {
      for (int[] reduced : axes) {
        if (Arrays.stream(reduced).max().getAsInt() < shape.length) {
          RandomCases cases = new RandomCases(shape[0]);
          check(cases, reducer, DType.F32, parameter(reducer, 0), shape, reduced);
        }
      }
    }
  }

  private void check(
      RandomCases cases, Reducer reducer, DType type, double parameter, long[] shape, int[] axes) {
    Kernels kernels = new Kernels();
    int input = kernels.input(type);
    DType value = reducer.valueType(type);
    int node = value == type ? input : kernels.convert(value, input);
    DType result = reducer.resultType(value);
    Kernel.Reduction kernel = kernels.reduce(reducer, node, parameter, result);
    try (Arena arena = Arena.ofConfined()) {
      TestTensor in = cases.tensor(arena, type, cases.broadcast(shape)).fill(cases.random());
      long[] kept = shape.clone();
      Arrays.stream(axes).forEach(axis -> kept[axis] = 1);
      TestTensor out = cases.tensor(arena, result, kept);
      Case tested = new Case(kernel, shape, axes, in, out);
      tested.run(scratch);
      tested.check(tolerance(reducer, type));
    }
  }

  /** One reduction of one tensor; its output keeps the reduced dimensions. */
  private record Case(
      Kernel.Reduction kernel, long[] shape, int[] axes, TestTensor in, TestTensor out) {

    IterationSpace space() {
      boolean ordered = kernel.reducer() == Reducer.ARGMAX || kernel.reducer() == Reducer.ARGMIN;
      return IterationSpace.reduction(shape, axes, List.of(in.layout()), out.layout(), ordered);
    }

    void run(CpuScratch scratch) {
      run(0, space().count(), scratch);
    }

    void run(long first, long count, CpuScratch scratch) {
      long[] operands = {in.address(), out.address()};
      JvmGenerator.compile(kernel).run(operands, space(), first, count, scratch);
    }

    void check(double tolerance) {
      TestTensor.Index kept = new TestTensor.Index(out.shape);
      if (!kept.isValid()) {
        return;
      }
      do {
        Object expected =
            NaiveReduction.reduce(kernel.reducer(), kernel.parameter(), values(kept.values()));
        KernelRunner.checkValue(
            out.type,
            NaiveKernel.convert(out.type, expected),
            out.get(kept.values()),
            tolerance,
            "%s of %s over %s of %s"
                .formatted(
                    kernel.reducer(), in.type, Arrays.toString(axes), Arrays.toString(shape)));
      } while (kept.next());
    }

    /** The values of one kept position, row-major over the reduced axes. */
    private List<Object> values(long[] kept) {
      long[] reduced = new long[shape.length];
      Arrays.fill(reduced, 1);
      Arrays.stream(axes).forEach(axis -> reduced[axis] = shape[axis]);
      TestTensor.Index inner = new TestTensor.Index(reduced);
      List<Object> values = new ArrayList<>();
      if (inner.isValid()) {
        do {
          long[] index = kept.clone();
          Arrays.stream(axes).forEach(axis -> index[axis] = inner.values()[axis]);
          values.add(NaiveKernel.evaluate(kernel, kernel.value(), _ -> in.get(index)));
        } while (inner.next());
      }
      return values;
    }
  }

  @Test
  void shouldGiveTheSameBitsInTiles() {
    long[][] shapes = {{2000, 3}, {3, 2000}, {50, 40}, {40, 50, 6}};
    for (Reducer reducer : new Reducer[] {Reducer.SUM, Reducer.VAR, Reducer.ARGMIN}) {
      for (long[] shape : shapes) {
        for (int axis = 0; axis < shape.length; axis++) {
          checkTiles(reducer, shape, axis);
        }
      }
    }
  }

  private void checkTiles(Reducer reducer, long[] shape, int axis) {
    Kernels kernels = new Kernels();
    int input = kernels.input(DType.F64);
    DType type = reducer.resultType(DType.F64);
    Kernel.Reduction kernel = kernels.reduce(reducer, input, 0, type);
    long[] kept = shape.clone();
    kept[axis] = 1;
    try (Arena arena = Arena.ofConfined()) {
      TestTensor in = TestTensor.contiguous(arena, DType.F64, shape);
      TestTensor.Index index = new TestTensor.Index(shape);
      Random random = new Random(1);
      do {
        in.set(index.values(), random.nextGaussian());
      } while (index.next());
      TestTensor whole = TestTensor.contiguous(arena, type, kept);
      TestTensor tiled = TestTensor.contiguous(arena, type, kept);
      new Case(kernel, shape, new int[] {axis}, in, whole).run(scratch);
      Case tiles = new Case(kernel, shape, new int[] {axis}, in, tiled);
      long count = tiles.space().count();
      for (long first = 0; first < count; ) {
        long tile = Math.min(count - first, random.nextLong(1, 60));
        tiles.run(first, tile, scratch);
        first += tile;
      }
      TestTensor.Index each = new TestTensor.Index(kept);
      do {
        assertEquals(whole.get(each.values()), tiled.get(each.values()));
      } while (each.next());
    }
  }

  @Test
  void shouldFoldAnExpressionOfSeveralInputs() {
    Kernels kernels = new Kernels();
    int a = kernels.input(DType.F32);
    int b = kernels.input(DType.F32);
    int scale = kernels.scalar(DType.F32);
    int product = kernels.apply(Function.MUL, kernels.apply(Function.MUL, a, b), scale);
    Kernel.Reduction kernel = kernels.reduce(Reducer.SUM, product, 0, DType.F32);
    long[] shape = {300, 20};
    for (int axis = 0; axis < 2; axis++) {
      long[] kept = shape.clone();
      kept[axis] = 1;
      try (Arena arena = Arena.ofConfined()) {
        TestTensor left = TestTensor.contiguous(arena, DType.F32, shape);
        TestTensor right = TestTensor.contiguous(arena, DType.F32, 20);
        TestTensor out = TestTensor.contiguous(arena, DType.F32, kept);
        TestTensor.Index index = new TestTensor.Index(shape);
        double[] expected = new double[300];
        do {
          long i = index.values()[0];
          long j = index.values()[1];
          left.set(index.values(), (double) (i % 7 - 3));
          right.set(new long[] {j}, (double) j);
          expected[(int) (axis == 0 ? j : i)] += 0.5 * (i % 7 - 3) * j;
        } while (index.next());
        IterationSpace space =
            IterationSpace.reduction(
                shape,
                new int[] {axis},
                Arrays.asList(left.layout(), right.layout(), IterationSpace.SCALAR),
                out.layout());
        long[] operands = {
          left.address(), right.address(), Double.doubleToRawLongBits(0.5), out.address()
        };
        JvmGenerator.compile(kernel).run(operands, space, 0, space.count(), scratch);
        TestTensor.Index each = new TestTensor.Index(kept);
        for (int position = 0; position < space.count(); position++, each.next()) {
          assertEquals(expected[position], out.get(each.values()));
        }
      }
    }
  }

  @Test
  void shouldGiveTheValueOfNoElements() {
    double nan = Double.NaN;
    assertEquals(0.0, reduceNothing(Reducer.SUM, DType.F32, 0));
    assertEquals(0L, reduceNothing(Reducer.SUM, DType.I64, 0));
    assertEquals(1.0, reduceNothing(Reducer.PROD, DType.F32, 0));
    assertEquals(1L, reduceNothing(Reducer.PROD, DType.I64, 0));
    assertEquals(nan, reduceNothing(Reducer.MEAN, DType.F32, 0));
    assertEquals(0L, reduceNothing(Reducer.ANY, DType.BOOL, 0));
    assertEquals(1L, reduceNothing(Reducer.ALL, DType.BOOL, 0));
    assertEquals(nan, reduceNothing(Reducer.VAR, DType.F64, 1));
    assertEquals(nan, reduceNothing(Reducer.STD, DType.F64, 0));
    for (double order : new double[] {0, 0.5, 1, 2, 3, Double.POSITIVE_INFINITY}) {
      assertEquals(0.0, reduceNothing(Reducer.NORM, DType.F32, order));
    }
  }

  /** Reduces the second axis of [2000, 0]; all results must be the same. */
  private Object reduceNothing(Reducer reducer, DType type, double parameter) {
    Kernels kernels = new Kernels();
    DType result = reducer.resultType(type);
    Kernel.Reduction kernel = kernels.reduce(reducer, kernels.input(type), parameter, result);
    try (Arena arena = Arena.ofConfined()) {
      TestTensor in = TestTensor.contiguous(arena, type, 2000, 0);
      TestTensor out = TestTensor.contiguous(arena, result, 2000, 1);
      new Case(kernel, new long[] {2000, 0}, new int[] {1}, in, out).run(scratch);
      for (long i = 0; i < 2000; i++) {
        assertEquals(out.get(new long[] {0, 0}), out.get(new long[] {i, 0}));
      }
      return out.get(new long[] {0, 0});
    }
  }

  @Test
  void shouldDoNothingForNoPositions() {
    Kernels kernels = new Kernels();
    Kernel.Reduction kernel = kernels.reduce(Reducer.SUM, kernels.input(DType.F32), 0, DType.F32);
    Layout none = Layout.contiguous(DType.F32, 0, 5);
    IterationSpace space =
        IterationSpace.reduction(
            new long[] {0, 5}, new int[] {1}, List.of(none), Layout.contiguous(DType.F32, 0));
    JvmGenerator.compile(kernel).run(new long[2], space, 0, space.count(), scratch);
  }

  @Test
  void shouldLetNanWin() {
    for (Reducer reducer : List.of(Reducer.MAX, Reducer.MIN, Reducer.ARGMAX, Reducer.ARGMIN)) {
      Object expected = reducer.resultType(DType.F32) == DType.I64 ? (Object) 1234L : Double.NaN;
      assertEquals(expected, reduceWith(reducer, 3000, 1234, Double.NaN));
    }
  }

  @Test
  void shouldFindTheFirstOfEqualExtremes() {
    assertEquals(0L, reduceWith(Reducer.ARGMAX, 3000, 17, 1));
    assertEquals(17L, reduceWith(Reducer.ARGMAX, 3000, 17, 2));
    assertEquals(2999L, reduceWith(Reducer.ARGMIN, 3000, 2999, -1));
    assertEquals(1L, reduceWith(Reducer.ARGMAX, 3000, 0, Double.NEGATIVE_INFINITY));
    assertEquals(0L, reduceWith(Reducer.ARGMAX, 1, 0, Double.NEGATIVE_INFINITY));
  }

  /** Reduces ones, among which {@code special} stands at one index. */
  private Object reduceWith(Reducer reducer, long count, long at, double special) {
    Kernels kernels = new Kernels();
    DType type = reducer.resultType(DType.F32);
    Kernel.Reduction kernel = kernels.reduce(reducer, kernels.input(DType.F32), 0, type);
    try (Arena arena = Arena.ofConfined()) {
      TestTensor in = TestTensor.contiguous(arena, DType.F32, count);
      for (long i = 0; i < count; i++) {
        in.set(new long[] {i}, i == at ? special : 1.0);
      }
      TestTensor out = TestTensor.contiguous(arena, type, 1);
      new Case(kernel, new long[] {count}, new int[] {0}, in, out).run(scratch);
      return out.get(new long[] {0});
    }
  }

  @Test
  void shouldFindNoVarianceInEqualValues() {
    for (Reducer reducer : List.of(Reducer.VAR, Reducer.STD)) {
      assertEquals(0.0, reduceEqual(reducer, DType.F64, 3000, 0.1));
    }
  }

  @Test
  void shouldSumFloatsInDouble() {
    // A running sum in float would stop growing at 2^24.
    assertEquals(0x1p24 + 100, reduceEqual(Reducer.SUM, DType.F32, (1 << 24) + 100, 1));
  }

  /** Reduces one element broadcast to many. */
  private Object reduceEqual(Reducer reducer, DType type, long count, double value) {
    Kernels kernels = new Kernels();
    Kernel.Reduction kernel = kernels.reduce(reducer, kernels.input(type), 0, type);
    try (Arena arena = Arena.ofConfined()) {
      TestTensor one = TestTensor.contiguous(arena, type, 1);
      one.set(new long[] {0}, value);
      TestTensor out = TestTensor.contiguous(arena, type, 1);
      new Case(kernel, new long[] {count}, new int[] {0}, one, out).run(scratch);
      return out.get(new long[] {0});
    }
  }
}

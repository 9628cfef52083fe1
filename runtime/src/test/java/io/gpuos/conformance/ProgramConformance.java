package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.ProgramTrace;
import io.gpuos.RecordedFunction;
import io.gpuos.Submission;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** Recorded programs compute what the operations compute one by one. */
interface ProgramConformance extends Target {

  Operator SCALE = Operator.of("a * 2");
  Operator ADD = Operator.of("a + b");

  @Test
  default void shouldReplayRandomGraphsAsTheOracleSays() {
    DType[] types = {DType.F32, DType.I32, DType.F16, DType.I64, DType.BF16, DType.U8, DType.F64};
    Gpuos gpu = renewed();
    int count = Settings.graphs(graphs());
    for (int k = 0; k < count; k++) {
      long seed = Settings.seed() + k;
      RandomGraph graph = new RandomGraph(seed, types[k % types.length], 4 + k % 12);
      check(gpu, graph, seed, k % 4 != 3);
    }
  }

  private static void check(Gpuos gpu, RandomGraph graph, long seed, boolean fuse) {
    List<OracleTensor> first = graph.values(seed);
    List<OracleTensor> second = graph.values(seed + 1_000_003);
    String origin = String.format(Locale.ROOT, "seed=%d, fuse=%b%n%s", seed, fuse, graph);
    same("one by one", graph.byOracle(first), graph.oneByOne(gpu, first), origin);
    try (Tensor held = new TensorCase(first.getLast(), List.of()).upload(gpu);
        Program program = graph.record(gpu, held, fuse)) {
      String plan = origin + program.explain();
      same("replay 1", graph.byOracle(first), graph.replay(gpu, program, held, first), plan);
      same("replay 2", graph.byOracle(second), graph.replay(gpu, program, held, second), plan);
      same("replay 3", graph.byOracle(first), graph.replay(gpu, program, held, first), plan);
    }
  }

  private static void same(
      String what, List<OracleTensor> expected, List<OracleTensor> actual, String origin) {
    assertEquals(expected.size(), actual.size(), what);
    for (int k = 0; k < expected.size(); k++) {
      OracleTensor a = expected.get(k);
      OracleTensor b = actual.get(k);
      boolean same = a.dtype() == b.dtype() && a.count() == b.count();
      for (int i = 0; same && i < a.count(); i++) {
        // Zeros of either sign are equal: the oracle takes the maximum of them in its own way.
        same =
            a.doubleAt(i) == b.doubleAt(i)
                || a.doubleAt(i) != a.doubleAt(i) && b.doubleAt(i) != b.doubleAt(i);
      }
      if (!same) {
        fail(
            String.format(
                Locale.ROOT, "%s, tensor %d: %s%nexpected %s%n%s", what, k, b, a, origin));
      }
    }
  }

  @Test
  default void shouldFuseAChainIntoOneKernel() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(new float[] {1, -2, 3});
        Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F32, 3);
                  SymbolicTensor y = scope.apply(SCALE, x);
                  SymbolicTensor z = scope.apply(Operator.of("relu(a + 1)"), y);
                  scope.apply(ADD, x, y); // nobody asks for it
                  return List.of(scope.apply(Operator.of("sum(a)"), z));
                })) {
      assertTrue(
          program.explain().startsWith("program: recorded=4, dead=1, nodes=1, kernels=1"),
          program::explain);
      try (Tensor sum = program.run(a).getFirst()) {
        assertArrayEquals(new float[] {10}, sum.toFloats());
      }
    }
  }

  @Test
  default void shouldTellWhenEachNodeRan() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(new float[] {1, 2, 3, 4});
        Tensor y = gpu.empty(DType.F32, 4);
        Program program =
            gpu.record(
                scope -> {
                  scope.fusion(false);
                  SymbolicTensor x = scope.input(DType.F32, 4);
                  for (int k = 0; k < 6; k++) {
                    x = scope.apply(SCALE, x);
                  }
                  return List.of(x);
                })) {
      ProgramTrace trace = program.trace(List.of(y), a);
      assertArrayEquals(new float[] {64, 128, 192, 256}, y.toFloats());
      assertEquals(6, trace.nodes().size());
      double before = 0;
      for (int k = 0; k < 6; k++) {
        ProgramTrace.Node node = trace.nodes().get(k);
        assertEquals(k, node.operation());
        assertTrue(node.expressions().contains("2"), node.expressions());
        assertTrue(node.beginNanos() >= before, trace::toString);
        assertTrue(node.endNanos() >= node.beginNanos(), trace::toString);
        before = node.beginNanos();
      }
      assertTrue(trace.nanos() > 0, trace::toString);
    }
  }

  /** A fused intermediate of a half type is rounded as if it had been stored. */
  @Test
  default void shouldRoundHalvesBetweenFusedOperations() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(DType.F16, new double[] {1025.0 / 1024});
        Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F16, 1);
                  SymbolicTensor y = scope.apply(Operator.of("a * a"), x);
                  return List.of(scope.apply(Operator.of("(b - 1.001953125) * 32768"), y));
                });
        Tensor square = gpu.run(Operator.of("a * a"), a);
        Tensor expected = gpu.run(Operator.of("(b - 1.001953125) * 32768"), square);
        Tensor actual = program.run(a).getFirst()) {
      assertTrue(program.explain().contains("nodes=1"), program::explain);
      assertArrayEquals(expected.toDoubles(), actual.toDoubles());
    }
  }

  /** Replays share temporaries; none may see another's. */
  @Test
  default void shouldKeepReplaysInFlightApart() {
    Gpuos gpu = shared();
    List<Tensor> inputs = new ArrayList<>();
    List<Submission> replays = new ArrayList<>();
    try (Program program =
        gpu.record(
            scope -> {
              SymbolicTensor x = scope.input(DType.I64, 500);
              SymbolicTensor sum = scope.apply(Operator.of("sum(a)"), x);
              SymbolicTensor most = scope.apply(Operator.of("max(a)"), x);
              return List.of(scope.apply(Operator.of("a * 1000 + b"), sum, most));
            })) {
      for (int k = 0; k < 200; k++) {
        long[] values = new long[500];
        values[k] = k;
        inputs.add(gpu.tensor(values));
        replays.add(program.submit(inputs.getLast()));
      }
      for (int k = 0; k < replays.size(); k++) {
        assertEquals(k * 1001, replays.get(k).await().toLongs()[0]);
        replays.get(k).await().close();
      }
      inputs.forEach(Tensor::close);
    }
  }

  @Test
  default void shouldKeepStateBetweenReplays() {
    Gpuos gpu = shared();
    try (Tensor state = gpu.zeros(DType.I64, 4);
        Tensor three = gpu.tensor(new long[] {3, 3});
        Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor every = scope.use(state).slice(0, 1, 4, 2);
                  scope.applyInto(every, ADD, every, scope.input(DType.I64, 2));
                  return List.of();
                })) {
      for (int k = 0; k < 5; k++) {
        program.submit(three);
      }
      program.runInto(List.of(), three);
      assertArrayEquals(new long[] {0, 18, 0, 18}, state.toLongs());
    }
  }

  @Test
  default void shouldReplayIntoGivenOutputs() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(new float[] {1, 2});
        Tensor b = gpu.tensor(new float[] {5, 6});
        Tensor y = gpu.empty(DType.F32, 2);
        Program program = gpu.record(s -> List.of(s.apply(SCALE, s.input(DType.F32, 2))))) {
      for (int k = 0; k < 6; k++) {
        program.runInto(List.of(y), k % 2 == 0 ? a : b);
        assertArrayEquals(k % 2 == 0 ? new float[] {2, 4} : new float[] {10, 12}, y.toFloats());
      }
    }
  }

  @Test
  default void shouldRunThePublishedGenerationOfALiveOperator() {
    Gpuos gpu = shared();
    LiveOperator live = gpu.inject("program_step", "x + 1");
    try (Tensor a = gpu.tensor(new float[] {1});
        Program program =
            gpu.record(
                s -> List.of(s.apply(live.operator(), s.apply(SCALE, s.input(DType.F32, 1)))));
        Tensor before = program.run(a).getFirst()) {
      gpu.inject("program_step", "x + 10");
      try (Tensor after = program.run(a).getFirst()) {
        assertArrayEquals(new float[] {3}, before.toFloats());
        assertArrayEquals(new float[] {12}, after.toFloats());
      }
    }
  }

  @Test
  default void shouldRefuseOperandsThatDoNotFitTheRecording() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 2, 2);
        Tensor integers = gpu.tensor(new long[] {1, 2, 3, 4}, 2, 2);
        Tensor turned = a.transpose(0, 1);
        Tensor row = a.select(0, 0);
        Tensor y = gpu.empty(DType.F32, 2, 2);
        Program program = gpu.record(s -> List.of(s.apply(SCALE, s.input(DType.F32, 2, 2))))) {
      Refusals.refused(InvalidInputException.class, () -> program.submit(), "inputs=0");
      Refusals.refused(DTypeException.class, () -> program.submit(integers), "input=0");
      Refusals.refused(ShapeException.class, () -> program.submit(turned), "strides");
      Refusals.refused(ShapeException.class, () -> program.submit(row), "shape");
      Refusals.refused(
          OverlapException.class, () -> program.submitInto(List.of(a), a), "out0", "in0");
      Refusals.refused(
          InvalidInputException.class, () -> program.submitInto(List.of(), a), "outputs=0");
      program.runInto(List.of(y), a);
      program.close();
      Refusals.refused(ClosedException.class, () -> program.submit(a), "program closed");
      Refusals.goesOn(gpu);
    }
  }

  @Test
  default void shouldRefuseWhatIsNotOfTheRecording() {
    Gpuos gpu = shared();
    List<SymbolicTensor> escaped = new ArrayList<>();
    gpu.record(
            scope -> {
              escaped.add(scope.input(DType.F32, 2, 2));
              return List.of();
            })
        .close();
    Refusals.refused(
        InvalidInputException.class,
        () -> gpu.record(scope -> List.of(scope.apply(SCALE, escaped.getFirst()))),
        "another recording");
    Refusals.refused(
        OverlapException.class,
        () ->
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F32, 2, 2);
                  scope.applyInto(x, SCALE, x.transpose(0, 1));
                  return List.of();
                }),
        "input=a");
    Refusals.goesOn(gpu);
  }

  @Test
  default void shouldRecordAFunctionOnceForEachShape() {
    Gpuos gpu = shared();
    try (RecordedFunction function =
            gpu.function((scope, args) -> List.of(scope.apply(ADD, args.get(0), args.get(1))));
        Tensor a = gpu.tensor(new float[] {1, 2});
        Tensor b = gpu.tensor(new float[] {10, 20});
        Tensor c = gpu.tensor(new float[] {5})) {
      for (int k = 0; k < 3; k++) {
        assertArrayEquals(new float[] {11, 22}, function.run(a, b).getFirst().toFloats());
        assertArrayEquals(new float[] {2, 4}, function.run(a, a).getFirst().toFloats());
        assertArrayEquals(new float[] {6, 7}, function.run(a, c).getFirst().toFloats());
      }
      assertEquals(3, function.recordings());
    }
  }
}

package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.error.ClosedException;
import io.gpuos.error.OverlapException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Programs and recorded functions on the CPU device: their memory, caches and threads. */
class ProgramTest {

  private static final Operator INCREMENT = Operator.of("a + 1");

  private Gpuos gpu;

  @BeforeEach
  void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterEach
  void close() {
    gpu.close();
  }

  private RecordedFunction increment(int maxPrograms, Consumer<String> log) {
    return new RecordedFunction(
        gpu, (scope, args) -> List.of(scope.apply(INCREMENT, args.getFirst())), maxPrograms, log);
  }

  private void call(RecordedFunction function, long size) {
    try (Tensor a = gpu.zeros(DType.I64, size);
        Tensor result = function.run(a).getFirst()) {
      assertEquals(1, result.toLongs()[0]);
    }
  }

  /** Kernels of every kind, one behind the other, replayed with other inputs. */
  @Test
  void shouldReplayAModelOfSeveralKindsOfKernels() {
    try (Tensor table = gpu.tensor(DType.F64, new double[] {1, 2, 3, 4, 5, 7}, 3, 2);
        Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor token = scope.input(DType.I64, 2);
                  SymbolicTensor weights = scope.input(DType.F64, 2, 2);
                  SymbolicTensor e =
                      scope.apply(Operator.of("embedding(i, w)"), token, scope.use(table));
                  SymbolicTensor h = scope.apply(Operator.of("relu(matmul(x, w))"), e, weights);
                  SymbolicTensor s =
                      scope.apply(Operator.of("h - max(h, axis=-1, keepdim=true)"), h);
                  return List.of(scope.apply(Operator.of("sum(s, axis=0)"), s));
                });
        Tensor swap = gpu.tensor(DType.F64, new double[] {0, 1, 1, 0}, 2, 2);
        Tensor twice = gpu.tensor(DType.F64, new double[] {2, 0, 0, 2}, 2, 2);
        Tensor first = gpu.tensor(DType.I64, new long[] {0, 2}, 2);
        Tensor second = gpu.tensor(DType.I64, new long[] {1, 1}, 2)) {
      // Rows (1 2) and (5 7): swapped (2 1) and (7 5), less their greatest (0 -1) and (0 -2).
      assertArrayEquals(new double[] {0, -3}, program.run(first, swap).getFirst().toDoubles());
      // Twice (3 4) doubled: (6 8), less 8: (-2 0).
      assertArrayEquals(new double[] {-4, 0}, program.run(second, twice).getFirst().toDoubles());
    }
  }

  @Test
  void shouldForgetTheProgramUsedLeastRecently() {
    try (RecordedFunction function = increment(2, _ -> {})) {
      call(function, 1);
      call(function, 2);
      call(function, 1);
      call(function, 3); // forgets the one for 2
      assertEquals(3, function.recordings());
      call(function, 1);
      assertEquals(3, function.recordings());
      call(function, 2);
      assertEquals(4, function.recordings());
    }
  }

  @Test
  void shouldWarnOnceOfAFunctionThatKeepsRecording() {
    List<String> lines = new ArrayList<>();
    try (RecordedFunction function = increment(4, lines::add)) {
      for (int k = 0; k < RecordedFunction.MANY_RECORDINGS; k++) {
        call(function, k + 1);
      }
      assertEquals(List.of(), lines);
      call(function, 100);
      call(function, 101);
      assertEquals(1, lines.size());
    }
  }

  @Test
  void shouldHoldTheMemoryOfTensorsInUse() {
    Tensor weights = gpu.tensor(new float[] {2, 3});
    try (Tensor a = gpu.tensor(new float[] {1, 1});
        Program program =
            gpu.record(
                s ->
                    List.of(
                        s.apply(Operator.of("a * b"), s.input(DType.F32, 2), s.use(weights))))) {
      weights.close();
      try (Tensor other = gpu.tensor(new float[] {9, 9});
          Tensor result = program.run(a).getFirst()) {
        assertEquals(9, other.toFloats()[0]);
        assertArrayEquals(new float[] {2, 3}, result.toFloats());
      }
    }
  }

  @Test
  void shouldWriteRowsInPlaceAsCallsDo() {
    Operator softmax = Operator.of("softmax(x)");
    try (Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F32, 2, 3);
                  scope.applyInto(x, softmax, x);
                  return List.of();
                });
        Tensor recorded = gpu.tensor(new float[] {1, 2, 3, 3, 2, 1}, 2, 3);
        Tensor called = gpu.tensor(new float[] {1, 2, 3, 3, 2, 1}, 2, 3)) {
      program.run(recorded);
      gpu.runInto(softmax, called, called);
      assertArrayEquals(called.toFloats(), recorded.toFloats());
      assertEquals(
          1, recorded.toFloats()[0] + recorded.toFloats()[1] + recorded.toFloats()[2], 1e-6);
    }
  }

  @Test
  void shouldRefuseToRecordAWriteBesideReads() {
    for (String text : List.of("matmul(x, x)", "x + sum(x, axis=0)", "softmax(x) + max(x)")) {
      Operator operator = Operator.of(text);
      assertThrows(
          OverlapException.class,
          () ->
              gpu.record(
                  scope -> {
                    SymbolicTensor x = scope.input(DType.F32, 3, 3);
                    scope.applyInto(x.slice(0, 0, 3), operator, x.flip(0));
                    return List.of();
                  }),
          text);
    }
    assertThrows(
        OverlapException.class,
        () ->
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F32, 3, 3);
                  scope.applyInto(x, Operator.of("matmul(x, x)"), x);
                  return List.of();
                }));
  }

  @Test
  void shouldRefuseToRecordAfterTheBodyReturned() {
    List<Recording> escaped = new ArrayList<>();
    gpu.record(
            scope -> {
              escaped.add(scope);
              return List.of();
            })
        .close();
    assertThrows(ClosedException.class, () -> escaped.getFirst().input(DType.F32, 1));
  }

  @Test
  void shouldReplayFromSeveralThreads() throws Exception {
    try (Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.I64, 300);
                  SymbolicTensor sum = scope.apply(Operator.of("sum(a)"), x);
                  SymbolicTensor most = scope.apply(Operator.of("max(a)"), x);
                  return List.of(scope.apply(Operator.of("a * 1000 + b"), sum, most));
                });
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<Integer>> wrong = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        int thread = t;
        wrong.add(threads.submit(() -> wrongReplays(program, thread)));
      }
      for (Future<Integer> future : wrong) {
        assertEquals(0, future.get());
      }
    }
  }

  private int wrongReplays(Program program, int thread) {
    int wrong = 0;
    for (int k = 0; k < 300; k++) {
      long[] values = new long[300];
      values[7] = 1000L * thread + k;
      try (Tensor input = gpu.tensor(values);
          Tensor result = program.run(input).getFirst()) {
        wrong += result.toLongs()[0] == values[7] * 1001 ? 0 : 1;
      }
    }
    return wrong;
  }
}

package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.layout.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Results equal sequential execution, whatever the interleaving: one thread that submits without
 * waiting, on the smallest ring, with workers that park all the time, across counter wraps.
 */
interface OrderingConformance extends Target {

  @ParameterizedTest
  @MethodSource("io.gpuos.conformance.Settings#firstSequences")
  default void shouldEqualSequentialExecution(long firstSequence) {
    DType[] types = {DType.I32, DType.F32, DType.I64, DType.U8};
    int round = 0;
    for (int workers : new int[] {1, 2, 3, 8}) {
      long seed = Settings.seed() + 1_000 * round + firstSequence;
      DeviceSettings settings = DeviceSettings.defaults().withWorkers(workers);
      RandomProgram program;
      ProgramRunner.Outcome expected;
      // As many workers as below: the CUDA device cuts work by them, and a sum's last bit by tiles.
      try (Gpuos reference = open(settings)) {
        program = new RandomProgram(seed, types[round++ % types.length], 250, reference);
        expected = ProgramRunner.oneByOne(reference, program);
      }
      try (Gpuos gpu = open(Settings.restless(workers).withFirstSequence(firstSequence))) {
        check(program, expected, gpu, seed);
      }
      try (Gpuos gpu = open(settings.withFirstSequence(firstSequence))) {
        check(program, expected, gpu, seed + 1);
      }
    }
  }

  private static void check(
      RandomProgram program, ProgramRunner.Outcome expected, Gpuos gpu, long seed) {
    String difference = expected.difference(ProgramRunner.allAtOnce(gpu, program, seed));
    if (!difference.isEmpty()) {
      fail(
          String.format(
              Locale.ROOT,
              "%s%n  device=%s, workers=%d, seed=%d%n%s",
              difference,
              gpu.device().name(),
              gpu.device().workers(),
              seed,
              program));
    }
  }

  /** Every lap of a ring of 64 records crosses the same wrap again and again in a long chain. */
  @ParameterizedTest
  @MethodSource("io.gpuos.conformance.Settings#firstSequences")
  default void shouldCountAcrossWraps(long firstSequence) {
    try (Gpuos gpu = open(Settings.restless(2).withFirstSequence(firstSequence));
        Tensor counter = gpu.zeros(DType.I64, 1);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
      for (int i = 1; i <= 1_000; i++) {
        long sequence = increment.submit();
        assertEquals(firstSequence + i - 1, sequence);
        if (i % 100 == 0) {
          gpu.await(sequence);
          assertEquals(i, counter.toLongs()[0]);
        }
      }
    }
  }

  @Test
  default void shouldWaitForEarlierTasksToo() {
    DeviceSettings settings = DeviceSettings.defaults().withWorkers(2);
    Operator slow = Operator.of("sum(exp(a) + lgamma(a) * tan(a), axis=0)");
    Operator quick = Operator.of("b + 1");
    try (Gpuos gpu = open(settings);
        Tensor a = gpu.zeros(DType.F64, 100_000);
        Tensor sum = gpu.zeros(DType.F64);
        Tensor b = gpu.zeros(DType.F32, 1);
        Call slowCall = gpu.prepare(slow, sum, a);
        Call quickCall = gpu.prepare(quick, b, b)) {
      slowCall.run();
      quickCall.run();
      for (int i = 0; i < 50; i++) {
        long first = slowCall.submit();
        long last = quickCall.submit();
        gpu.await(last);
        assertTrue(gpu.device().completions().isComplete(first), "an earlier task still runs");
      }
    }
  }

  @Test
  default void shouldTellWhatIsDone() throws Exception {
    Operator increment = Operator.of("a + 1");
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor a = gpu.zeros(DType.F32, 4)) {
      gpu.run(increment, a).close();
      Submission pending;
      try (Hold _ = Hold.of(gpu)) {
        pending = gpu.submit(increment, a);
        assertFalse(pending.isDone());
        assertFalse(pending.await(Duration.ofMillis(5)));
        assertThrows(TimeoutException.class, () -> pending.get(5, TimeUnit.MILLISECONDS));
        assertFalse(pending.cancel(true));
        assertFalse(pending.isCancelled());
      }
      assertTrue(pending.await(Duration.ofSeconds(Long.MAX_VALUE)));
      assertTrue(pending.isDone());
      pending.get(Long.MAX_VALUE, TimeUnit.DAYS);
      try (Tensor result = pending.get()) {
        assertArrayEquals(new float[] {1, 1, 1, 1}, result.toFloats());
      }
    }
  }

  /** Each wait is followed by a pause about as long as the workers linger. */
  @Test
  default void shouldComeBackForEachOfManyPauses() throws Exception {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor counter = gpu.zeros(DType.I64, 1);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
      for (int i = 0; i < 500; i++) {
        increment.run();
        TimeUnit.MICROSECONDS.sleep(i % 60);
      }
      assertEquals(500, counter.toLongs()[0]);
      assertTrue(gpu.device().lease().launches() > 5, "the workers never parked");
    }
  }

  @Test
  default void shouldComeBackAfterEachYield() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor counter = gpu.zeros(DType.I64, 1);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
      for (int i = 0; i < 300; i++) {
        increment.submit();
        gpu.device().lease().yieldWorkers();
        increment.submit();
      }
      gpu.synchronize();
      assertEquals(600, counter.toLongs()[0]);
    }
  }

  /** Without any wait on the host's side, work goes on through the ends of leases. */
  @Test
  default void shouldFinishWithoutAnybodyWaiting() throws Exception {
    try (Gpuos gpu = open(Settings.restless(2).withRingCapacity(4_096));
        Tensor counter = gpu.zeros(DType.I64, 20_000);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
      long last = 0;
      for (int i = 0; i < 500; i++) {
        last = increment.submit();
      }
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (!gpu.device().completions().isComplete(last)) {
        assertTrue(System.nanoTime() < deadline, "the workers left work behind");
        Thread.sleep(1);
      }
      assertEquals(500, counter.toLongs()[19_999]);
    }
  }

  @Test
  default void shouldSubmitBatchesOfAnySize() {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor a = gpu.tensor(new long[] {1, 1});
        Tensor b = gpu.tensor(new long[] {0, 1})) {
      try (Call add = gpu.prepare(Operator.of("a + b"), a, a, b);
          Call copy = gpu.prepare(Operator.of("a + 0"), b, a)) {
        long[] expected = {1, 1, 0, 1};
        for (int size : new int[] {1, 2, 3, 63, 64, 65, 130, 1_000}) {
          List<Call> calls = new ArrayList<>();
          for (int i = 0; i < size; i++) {
            calls.add(i % 2 == 0 ? add : copy);
          }
          Batch batch = gpu.batch(calls);
          for (int repeat = 0; repeat < 4; repeat++) {
            batch.submit();
            for (int i = 0; i < size; i++) {
              boolean adds = i % 2 == 0;
              expected[adds ? 0 : 2] = expected[0] + (adds ? expected[2] : 0);
              expected[adds ? 1 : 3] = expected[1] + (adds ? expected[3] : 0);
            }
            if (repeat == 1) {
              gpu.synchronize();
            }
          }
          assertArrayEquals(new long[] {expected[0], expected[1]}, a.toLongs(), "batch of " + size);
          assertArrayEquals(new long[] {expected[2], expected[3]}, b.toLongs(), "batch of " + size);
        }
        gpu.batch(List.of()).submit();
        gpu.synchronize();
      }
    }
  }

  @Test
  default void shouldDoNothingForEmptyTensors() {
    Gpuos gpu = shared();
    try (Tensor empty = gpu.zeros(DType.F32, 0, 3);
        Tensor row = gpu.tensor(new float[] {1, 2, 3});
        Tensor sum = gpu.run(Operator.of("a + b"), empty, row);
        Tensor total = gpu.run(Operator.of("sum(a, axis=0)"), empty);
        Call call = gpu.prepare(Operator.of("a * 2"), empty, empty)) {
      assertArrayEquals(new long[] {0, 3}, sum.shape());
      assertEquals(0, sum.toFloats().length);
      assertArrayEquals(new float[3], total.toFloats());
      call.run();
      assertTrue(call.trySubmit());
      gpu.await(call.submit());
      gpu.batch(List.of(call, call)).submit();
      assertTrue(gpu.submit(Operator.of("a + 1"), empty).isDone());
      empty.write(new float[0]);
    }
  }
}

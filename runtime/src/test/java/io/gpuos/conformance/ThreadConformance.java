package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Many threads submit to one runtime; whatever the interleaving, some serial order explains it. */
interface ThreadConformance extends Target {

  int THREADS = 6;

  /** Runs {@code threads} pieces of work at the same time; fails with the first failure. */
  private static void inParallel(int threads, IntWork work) throws Exception {
    try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      run(executor, threads, work);
    }
  }

  private static void run(ExecutorService executor, int threads, IntWork work) throws Exception {
    List<Callable<Void>> pieces = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      int number = t;
      pieces.add(
          () -> {
            work.run(number);
            return null;
          });
    }
    for (Future<Void> future : executor.invokeAll(pieces)) {
      future.get();
    }
  }

  /** Something a numbered thread does. */
  @FunctionalInterface
  interface IntWork {
    void run(int thread) throws Exception;
  }

  @ParameterizedTest
  @MethodSource("io.gpuos.conformance.Settings#firstSequences")
  default void shouldLoseNoIncrement(long firstSequence) throws Exception {
    for (int workers : new int[] {1, 2, 8}) {
      try (Gpuos gpu = open(Settings.restless(workers).withFirstSequence(firstSequence));
          Tensor counter = gpu.zeros(DType.I64, 700);
          Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
        inParallel(
            THREADS,
            thread -> {
              for (int i = 0; i < 150; i++) {
                if (thread % 2 == 0 || !increment.trySubmit()) {
                  increment.submit();
                }
                if (i % 50 == thread) {
                  gpu.synchronize();
                }
              }
            });
        assertTrue(
            Arrays.stream(counter.toLongs()).allMatch(count -> count == THREADS * 150),
            () ->
                String.format(
                    Locale.ROOT, "workers=%d: %s", workers, Arrays.toString(counter.toLongs())));
      }
    }
  }

  /**
   * Each thread appends its digits to a number, in order; the number then tells the order in which
   * all tasks ran.
   */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  default void shouldRunTasksOfAThreadInItsOrder(int workers) throws Exception {
    int rounds = 150;
    int digits = 5;
    try (Gpuos gpu = open(Settings.restless(workers))) {
      List<Operator> append =
          IntStream.rangeClosed(1, 2 * digits)
              .mapToObj(digit -> Operator.of("a * 64 + " + digit))
              .toList();
      List<Tensor> numbers = new ArrayList<>();
      for (int round = 0; round < rounds; round++) {
        numbers.add(gpu.zeros(DType.I64));
      }
      inParallel(
          2,
          thread -> {
            for (Tensor number : numbers) {
              for (int i = 0; i < digits; i++) {
                gpu.submitInto(append.get(2 * i + thread), number, number);
              }
            }
          });
      for (Tensor number : numbers) {
        requireInterleaving(number.toLongs()[0], digits);
        number.close();
      }
    }
  }

  private static void requireInterleaving(long number, int digits) {
    int[] last = new int[2];
    for (int i = 2 * digits - 1; i >= 0; i--) {
      int digit = (int) (number >> 6 * i & 63);
      int thread = (digit + 1) % 2;
      assertTrue(
          digit > last[thread] && digit <= 2 * digits,
          () -> "no serial order gives " + Long.toString(number, 8));
      last[thread] = digit;
    }
    assertArrayEquals(new int[] {2 * digits - 1, 2 * digits}, last);
  }

  /** Moves money between accounts; every look at all of them must find the same sum. */
  @Test
  default void shouldLookAtOneMomentInTime() throws Exception {
    Operator transfer = Operator.of("a - 5, b + 5");
    Operator total = Operator.of("a + b + c + d");
    try (Gpuos gpu = open(Settings.restless(3));
        Tensor accounts = gpu.tensor(new long[] {1_000, 1_000, 1_000, 1_000})) {
      Tensor[] each = new Tensor[4];
      for (int i = 0; i < 4; i++) {
        each[i] = accounts.narrow(0, i, 1);
      }
      inParallel(
          4,
          thread -> {
            List<Tensor> totals = new ArrayList<>();
            for (int i = 0; i < 150; i++) {
              Tensor from = each[(thread + i) % 4];
              Tensor to = each[(thread + i + 1 + i % 3) % 4];
              gpu.submitInto(transfer, List.of(from, to), from, to);
              totals.addAll(gpu.submit(total, each).results());
            }
            for (Tensor tensor : totals) {
              assertEquals(4_000, tensor.toLongs()[0]);
              tensor.close();
            }
          });
      assertEquals(4_000, Arrays.stream(accounts.toLongs()).sum());
      Arrays.stream(each).forEach(Tensor::close);
    }
  }

  /**
   * Programs of several threads, each on memory of its own, as if each had the device to itself.
   */
  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  default void shouldKeepProgramsApart(int workers) throws Exception {
    DType[] types = {DType.I32, DType.F32, DType.I64, DType.U8};
    RandomProgram[] programs = new RandomProgram[4];
    ProgramRunner.Outcome[] expected = new ProgramRunner.Outcome[4];
    try (Gpuos reference = open(DeviceSettings.defaults().withWorkers(1))) {
      for (int t = 0; t < programs.length; t++) {
        programs[t] =
            new RandomProgram(Settings.seed() + 77 * t + workers, types[t], 120, reference);
        expected[t] = ProgramRunner.oneByOne(reference, programs[t]);
      }
    }
    try (Gpuos gpu = open(Settings.restless(workers))) {
      inParallel(
          programs.length,
          thread ->
              assertEquals(
                  "",
                  expected[thread].difference(
                      ProgramRunner.allAtOnce(gpu, programs[thread], Settings.seed() + thread)),
                  () -> programs[thread].toString()));
    }
  }

  /** Threads own slices of one tensor, make ever new views of them and read them back. */
  @Test
  default void shouldKeepSlicesOfOneTensorApart() throws Exception {
    int width = 1_000;
    try (Gpuos gpu = open(Settings.restless(4));
        Tensor all = gpu.zeros(DType.I32, THREADS * width)) {
      Operator add = Operator.of("a + 1");
      inParallel(
          THREADS,
          thread -> {
            try (Tensor mine = all.narrow(0, (long) thread * width, width)) {
              for (int i = 0; i < 100; i++) {
                try (Tensor part = mine.slice(0, i, width - i, 1 + i % 3)) {
                  gpu.submitInto(add, part, part);
                }
                if (i % 20 == 0) {
                  try (Tensor middle = mine.select(0, width / 2)) {
                    assertTrue(middle.toLongs()[0] <= i + 1);
                  }
                }
              }
            }
          });
      assertArrayEquals(sliceCounts(width), all.toLongs());
    }
  }

  /** The host writes every other element; what lies between belongs to tasks. */
  @Test
  default void shouldWriteBetweenWhatTasksWrite() throws Exception {
    int rounds = 300;
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor all = gpu.zeros(DType.I64, 2_000);
        Tensor even = all.slice(0, 0, 2_000, 2);
        Tensor odd = all.slice(0, 1, 2_000, 2);
        Call increment = gpu.prepare(Operator.of("a + 1"), odd, odd)) {
      long[] values = new long[1_000];
      inParallel(
          2,
          thread -> {
            for (int i = 1; i <= rounds; i++) {
              if (thread == 0) {
                Arrays.fill(values, -i);
                even.write(values);
              } else {
                increment.run();
              }
            }
          });
      long[] expected = new long[1_000];
      Arrays.fill(expected, rounds);
      assertArrayEquals(expected, odd.toLongs(), "elements that tasks wrote");
      Arrays.fill(expected, -rounds);
      assertArrayEquals(expected, even.toLongs(), "elements that the host wrote");
    }
  }

  private static long[] sliceCounts(int width) {
    long[] counts = new long[THREADS * width];
    for (int thread = 0; thread < THREADS; thread++) {
      for (int i = 0; i < 100; i++) {
        for (int k = i; k < width - i; k += 1 + i % 3) {
          counts[thread * width + k]++;
        }
      }
    }
    return counts;
  }

  /** One call with temporaries, submitted by all threads: its submissions must not mix. */
  @Test
  default void shouldShareACallWithTemporaries() throws Exception {
    Operator operator = Operator.of("a - max(a, axis=1, keepdim=true) + sum(a * 0) + b");
    try (Gpuos gpu = open(Settings.restless(4));
        Tensor a = gpu.tensor(new long[] {1, 5, 3, 9, 7, 8}, 2, 3);
        Tensor b = gpu.zeros(DType.I64, 2, 3);
        Call call = gpu.prepare(operator, b, a, b)) {
      inParallel(
          THREADS,
          thread -> {
            for (int i = 0; i < 50; i++) {
              call.submit();
            }
          });
      long times = THREADS * 50;
      long[] expected = {-4 * times, 0, -2 * times, 0, -2 * times, -times};
      assertArrayEquals(expected, b.toLongs());
    }
  }

  /** Threads that use one operator for the first time at the same time. */
  @Test
  default void shouldCompileAnOperatorOnceForAllThreads() throws Exception {
    Gpuos gpu = renewed();
    Operator operator = Operator.of("a * 3 + 7 - a / 2");
    try (Tensor a = gpu.tensor(new double[] {2, 4})) {
      inParallel(
          THREADS,
          thread -> {
            for (String type : List.of("f64", "f32")) {
              try (Tensor input = gpu.run(Operator.of("cast(a, " + type + ")"), a);
                  Tensor result = gpu.run(operator, input)) {
                assertArrayEquals(new double[] {12, 17}, result.toDoubles());
              }
            }
          });
    }
  }

  @Test
  default void shouldServeVirtualThreads() throws Exception {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor counter = gpu.zeros(DType.I64, 1);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter);
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Operator twice = Operator.of("a * 2");
      run(
          executor,
          50,
          thread -> {
            for (int i = 0; i < 20; i++) {
              increment.run();
            }
            try (Tensor a = gpu.tensor(new long[] {thread, thread});
                Tensor doubled = gpu.run(twice, a)) {
              assertArrayEquals(new long[] {2 * thread, 2 * thread}, doubled.toLongs());
            }
          });
      assertEquals(1_000, counter.toLongs()[0]);
    }
  }

  /** An interrupt neither ends a wait nor gets lost. */
  @Test
  default void shouldKeepAnInterruptForTheCaller() {
    try (Gpuos gpu = open(Settings.restless(1));
        Tensor a = gpu.zeros(DType.I64, 50_000)) {
      Operator increment = Operator.of("a + 1");
      Thread.currentThread().interrupt();
      try {
        for (int i = 0; i < 100; i++) {
          gpu.submitInto(increment, a, a).await();
        }
        gpu.synchronize();
        assertEquals(100, a.toLongs()[49_999]);
        assertTrue(Thread.currentThread().isInterrupted());
      } finally {
        Thread.interrupted();
      }
    }
  }

  /** Threads that wait and threads that submit when the runtime closes all come back. */
  @Test
  default void shouldCloseUnderThreadsThatUseIt() throws Exception {
    for (int round = 0; round < Math.min(20, openings()); round++) {
      Gpuos gpu = open(Settings.restless(2));
      Operator increment = Operator.of("a + 1");
      AtomicBoolean closing = new AtomicBoolean();
      try (ExecutorService executor = Executors.newFixedThreadPool(4)) {
        List<Future<?>> users = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
          users.add(executor.submit(() -> useUntilClosed(gpu, increment, closing)));
        }
        TimeUnit.MILLISECONDS.sleep(5);
        closing.set(true);
        gpu.close();
        for (Future<?> user : users) {
          user.get(60, TimeUnit.SECONDS);
        }
      }
    }
  }

  private static void useUntilClosed(Gpuos gpu, Operator increment, AtomicBoolean closing) {
    try {
      Tensor a = gpu.zeros(DType.I64, 10);
      while (true) {
        Submission submission = gpu.submitInto(increment, a, a);
        submission.isDone();
        gpu.synchronize();
        a.toLongs();
      }
    } catch (ClosedException closed) {
      assertTrue(closing.get(), closed::toString);
    }
  }
}

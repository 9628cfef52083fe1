package io.gpuos.conformance;

import static io.gpuos.conformance.LiveConformance.LONG;
import static io.gpuos.conformance.LiveConformance.first;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.TransitionException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Operators that are replaced while many threads use them, and very often. */
interface LiveThreadConformance extends Target {

  @ParameterizedTest
  @MethodSource("io.gpuos.conformance.Settings#firstSequences")
  default void shouldReplaceUnderLoad(long firstSequence) throws Exception {
    int users = 4;
    AtomicInteger published = new AtomicInteger(1);
    AtomicInteger begun = new AtomicInteger(1);
    AtomicBoolean done = new AtomicBoolean();
    try (Gpuos gpu = open(Settings.restless(3).withFirstSequence(firstSequence));
        ExecutorService executor = Executors.newFixedThreadPool(users)) {
      LiveOperator operator = gpu.inject("f", "x * 0 + 1");
      List<Future<Integer>> results = new ArrayList<>();
      for (int t = 0; t < users; t++) {
        int user = t;
        results.add(executor.submit(() -> use(gpu, operator, user, published, begun, done)));
      }
      try {
        for (int generation = 2; generation <= 40; generation++) {
          begun.set(generation);
          gpu.inject("f", "x * 0 + " + generation);
          published.set(generation);
          assertEquals(generation, operator.generation());
          Thread.sleep(generation % 3);
        }
      } finally {
        done.set(true);
      }
      for (Future<Integer> checked : results) {
        assertTrue(checked.get() > 0, "a thread checked nothing");
      }
      assertTrue(operator.awaitDrained(LONG));
    }
  }

  /** Every element of every result is of one generation, and of none that was over before. */
  private static int use(
      Gpuos gpu,
      LiveOperator operator,
      int user,
      AtomicInteger published,
      AtomicInteger begun,
      AtomicBoolean done) {
    int checked = 0;
    try (Tensor x = gpu.zeros(DType.F32, 300);
        Tensor y = gpu.empty(DType.F32, 300);
        Call call = gpu.prepare(operator.operator(), y, x)) {
      Batch batch = gpu.batch(List.of(call));
      while (!done.get() || checked == 0) {
        int least = published.get();
        switch (user) {
          case 0 -> gpu.runInto(operator.operator(), y, x);
          case 1 -> call.run();
          default -> gpu.await(batch.submit());
        }
        float[] values = y.toFloats();
        int most = begun.get();
        float value = values[0];
        assertTrue(
            value >= least && value <= most && value == (int) value,
            () ->
                String.format(Locale.ROOT, "generation=%s, expected=%d to %d", value, least, most));
        for (float other : values) {
          assertEquals(value, other, "two generations in one task");
        }
        checked++;
      }
    }
    return checked;
  }

  /** Publishing and rolling back from several threads: some order explains what is left. */
  @Test
  default void shouldPublishAndRollBackFromManyThreads() throws Exception {
    int threads = 4;
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor x = gpu.tensor(new float[] {0});
        ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      LiveOperator operator = gpu.inject("f", "x + 1");
      assertEquals(1, first(gpu, operator.operator(), x));
      List<Future<?>> work = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int thread = t;
        work.add(
            executor.submit(
                () -> {
                  for (int i = 0; i < 40; i++) {
                    if (thread == 0) {
                      try {
                        operator.rollback();
                      } catch (TransitionException nothing) {
                        assertTrue(nothing.getMessage().contains("nothing to roll back"));
                      }
                    } else if (thread == 1) {
                      float value = first(gpu, operator.operator(), x);
                      assertTrue(value >= 1 && value < 2000, () -> "value=" + value);
                    } else {
                      gpu.inject("f", "x + " + (thread * 100 + i));
                    }
                  }
                }));
      }
      for (Future<?> future : work) {
        future.get();
      }
      String last = operator.origin();
      assertEquals(Integer.parseInt(last.substring(4)), first(gpu, operator.operator(), x), last);
      assertTrue(operator.awaitDrained(LONG));
    }
  }

  @Test
  default void shouldPublishThousandsOfGenerations() {
    int generations = generations();
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new long[] {0});
        Tensor y = gpu.empty(DType.I64, 1)) {
      LiveOperator operator = gpu.inject("f", "x + 1");
      try (Call call = gpu.prepare(operator.operator(), y, x)) {
        for (int k = 2; k <= generations; k++) {
          gpu.inject("f", "x + " + k);
          if (k % 97 == 0 || k == generations) {
            call.run();
            assertEquals(k, y.toLongs()[0]);
          }
        }
      }
      assertEquals(generations, operator.generation());
    }
  }

  @Test
  default void shouldServeVirtualThreadsThatReplaceOperators() throws Exception {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor x = gpu.tensor(new float[] {0});
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> work = new ArrayList<>();
      for (int t = 0; t < 20; t++) {
        String name = "f" + t % 4;
        work.add(
            executor.submit(
                () -> {
                  LiveOperator mine = gpu.inject(name, "x + 1");
                  float value = first(gpu, mine.operator(), x);
                  assertTrue(value == 1 || value == 2, () -> "value=" + value);
                  gpu.inject(name, "x + 2");
                }));
      }
      for (Future<?> future : work) {
        future.get();
      }
      assertEquals(4, gpu.liveOperators().size());
    }
  }

  /**
   * While workers are away nothing drains: the third generation has to wait, a rollback has not.
   */
  @Test
  default void shouldRefuseAThirdGenerationWhileTheFirstMayRun() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {1});
        ExecutorService executor = Executors.newSingleThreadExecutor()) {
      LiveOperator f = gpu.inject("f", "x + 1");
      assertEquals(2, first(gpu, f.operator(), x));
      Future<LiveOperator> third;
      try (Hold _ = Hold.of(gpu)) {
        Submission queued = gpu.submit(f.operator(), x);
        gpu.inject("f", "x + 2");
        third = executor.submit(() -> gpu.inject("f", "x + 3"));
        Thread.sleep(50);
        assertFalse(third.isDone(), "published over a generation that is not drained");
        assertEquals(2, f.generation());
        assertFalse(queued.isDone());
      }
      third.get();
      assertEquals(3, f.generation());
      assertEquals(4, first(gpu, f.operator(), x));
      assertEquals(Arrays.asList(2, 3), List.of(f.rollback(), 3));
    }
  }
}

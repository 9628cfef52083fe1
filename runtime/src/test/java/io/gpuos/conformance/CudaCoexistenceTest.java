package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.driver.Cuda;
import io.gpuos.driver.CudaContext;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.layout.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.Timeout;

/**
 * What the rest of a process may do with the GPU while the ring is fed without pause: calls that
 * wait for all kernels return when the lease ends, and nothing goes wrong by them. Skipped by name
 * where there is no GPU.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CudaCoexistenceTest {

  private static final Duration MAX_RESIDENCY = Duration.ofMillis(20);

  /** Beyond the lease: for the tasks under way, the workers' leaving, and the call itself. */
  private static final Duration GRACE = Duration.ofMillis(5);

  /** Rounds of all four kinds of call: 1,000 calls. */
  private static final int ROUNDS = 250;

  private static final int TOTALS = 256;
  private static final int ELEMENTS = 256;

  /** Enough to submit before the first is complete, little enough to be done within the grace. */
  private static final int BATCHES_UNDER_WAY = 4;

  @Test
  void shouldLetOthersUseTheGpuWhileTheRingIsFed(TestReporter reporter) throws Exception {
    assumeTrue(hasGpu(), "needs an NVIDIA GPU and driver");
    DeviceSettings settings =
        DeviceSettings.defaults().withMaxResidency(MAX_RESIDENCY).withRingCapacity(4096);
    try (Gpuos gpu = Gpuos.open("cuda:0", settings);
        CudaContext context = Cuda.open().device(0).retainPrimaryContext();
        Neighbour neighbour = new Neighbour(context);
        Additions additions = new Additions(gpu)) {
      AtomicBoolean enough = new AtomicBoolean();
      CompletableFuture<Long> feeding = new CompletableFuture<>();
      Thread feeder = new Thread(() -> additions.feed(enough, feeding), "feeder");
      feeder.start();
      long launchesBefore = gpu.device().lease().launches();
      try {
        neighbour.call(ROUNDS);
      } finally {
        enough.set(true);
        feeder.join();
      }
      long launches = gpu.device().lease().launches() - launchesBefore;
      long batches = feeding.get();
      neighbour.longestMillis().forEach((kind, millis) -> publish(reporter, kind, millis));
      reporter.publishEntry("batches", Long.toString(batches));
      reporter.publishEntry("launches", Long.toString(launches));
      additions.check(batches);
      neighbour.check();
      assertTrue(batches > ROUNDS, "batches=" + batches + ", expected=a ring that is fed");
      double limit = (MAX_RESIDENCY.toNanos() + GRACE.toNanos()) / 1e6;
      neighbour
          .longestMillis()
          .forEach(
              (kind, millis) ->
                  assertTrue(
                      millis <= limit,
                      String.format(
                          Locale.ROOT, "%s: ms=%.3f, expected=at most %.1f", kind, millis, limit)));
    }
  }

  /** What the neighbour launches, so that a machine without a GPU can tell that it compiles. */
  @Test
  void shouldCompileWhatTheNeighbourLaunches() {
    assertTrue(Neighbour.compile("sm_90").length > 0);
  }

  private static void publish(TestReporter reporter, String kind, double millis) {
    reporter.publishEntry("longest " + kind, String.format(Locale.ROOT, "%.3f ms", millis));
  }

  private static boolean hasGpu() {
    try {
      return Cuda.open().deviceCount() > 0;
    } catch (DeviceUnavailableException _) {
      return false;
    }
  }

  /** Totals that grow by a known number with each batch, so that no addition can be lost. */
  private static final class Additions implements AutoCloseable {

    private final Gpuos gpu;
    private final List<Tensor> tensors = new ArrayList<>();
    private final List<Tensor> totals = new ArrayList<>();
    private final List<Call> calls = new ArrayList<>();
    private final Batch batch;

    Additions(Gpuos gpu) {
      this.gpu = gpu;
      Operator add = Operator.of("total + summand");
      for (int k = 0; k < TOTALS; k++) {
        long[] values = new long[ELEMENTS];
        Arrays.fill(values, k + 1);
        Tensor summand = gpu.tensor(values);
        Tensor total = gpu.zeros(DType.I64, ELEMENTS);
        tensors.addAll(List.of(summand, total));
        totals.add(total);
        calls.add(gpu.prepare(add, total, total, summand));
      }
      batch = gpu.batch(calls);
      assertTrue(gpu.device().awaitCompiled(System.nanoTime() + Duration.ofMinutes(2).toNanos()));
    }

    /** Submits until told otherwise and completes {@code batches} with their number. */
    void feed(AtomicBoolean enough, CompletableFuture<Long> batches) {
      try {
        long count = 0;
        long[] last = new long[BATCHES_UNDER_WAY];
        while (!enough.get()) {
          int place = (int) (count % BATCHES_UNDER_WAY);
          if (count >= BATCHES_UNDER_WAY) {
            gpu.await(last[place]);
          }
          last[place] = batch.submit();
          count++;
        }
        gpu.synchronize();
        batches.complete(count);
      } catch (Throwable failure) {
        batches.completeExceptionally(failure);
      }
    }

    void check(long batches) {
      for (int k = 0; k < TOTALS; k++) {
        long[] expected = new long[ELEMENTS];
        Arrays.fill(expected, batches * (k + 1));
        assertArrayEquals(expected, totals.get(k).toLongs(), "total " + k);
      }
    }

    @Override
    public void close() {
      batch.close();
      calls.forEach(Call::close);
      tensors.forEach(Tensor::close);
    }
  }
}

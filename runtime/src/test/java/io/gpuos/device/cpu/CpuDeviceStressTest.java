package io.gpuos.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.RingFullException;
import io.gpuos.layout.DType;
import io.gpuos.queue.Lease;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Many producers on a tiny ring, with workers that come and go all the time. Every task adds one to
 * a tensor, or to two of them in one submission: one task lost, run twice or run beside another on
 * the same tensor, and a sum is wrong.
 */
@Timeout(60)
class CpuDeviceStressTest {

  private static final int TENSORS = 5;
  private static final int ELEMENTS = 300;
  private static final long NANOS = 1_200_000_000L;

  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final AtomicIntegerArray expected = new AtomicIntegerArray(TENSORS);

  /** Runs {@code body} until the time is up, noting the first failure. */
  private Thread repeat(ThreadFactory factory, Runnable body) {
    long until = System.nanoTime() + NANOS;
    Thread thread =
        factory.newThread(
            () -> {
              try {
                while (System.nanoTime() - until < 0 && failure.get() == null) {
                  body.run();
                }
              } catch (Throwable e) {
                failure.compareAndSet(null, e);
              }
            });
    thread.start();
    return thread;
  }

  @ParameterizedTest
  @CsvSource({
    "platform, 1, 20, 200, 1",
    "platform, 2, 20, 200, -2000",
    "platform, 4, 5, 50, 4294965296",
    "virtual, 3, 20, 200, 9223372036854773807",
    "virtual, 2, 100000, 100000, 2147481648"
  })
  void shouldLoseNoTaskWhileWorkersComeAndGo(
      String producers, int workers, long lingerMicros, long residencyMicros, long first)
      throws InterruptedException {
    DeviceSettings settings =
        DeviceSettings.defaults()
            .withRingCapacity(64)
            .withWorkers(workers)
            .withLinger(Duration.ofNanos(1_000 * lingerMicros))
            .withMaxResidency(Duration.ofNanos(1_000 * residencyMicros))
            .withFullWait(Duration.ofSeconds(30))
            .withFirstSequence(first);
    try (Gpuos gpu = Gpuos.open("cpu", settings)) {
      List<Tensor> tensors = new ArrayList<>();
      List<Call> calls = new ArrayList<>();
      for (int k = 0; k < TENSORS; k++) {
        tensors.add(gpu.zeros(DType.I32, ELEMENTS));
      }
      for (Tensor tensor : tensors) {
        calls.add(gpu.prepare(Operator.of("x + 1"), tensor, tensor));
      }
      for (int k = 0; k < TENSORS; k++) {
        List<Tensor> two = List.of(tensors.get(k), tensors.get((k + 1) % TENSORS));
        calls.add(gpu.prepare(Operator.of("a + 1, b + 1"), two, two.toArray(Tensor[]::new)));
      }
      List<Thread> threads = new ArrayList<>();
      ThreadFactory factory =
          producers.equals("virtual")
              ? Thread.ofVirtual().factory()
              : Thread.ofPlatform().factory();
      for (int k = 0; k < 6; k++) {
        Random random = new Random(k);
        threads.add(repeat(factory, () -> submit(gpu, calls, random)));
      }
      threads.add(repeat(Thread.ofPlatform().factory(), () -> disturb(gpu.device().lease())));
      for (Thread thread : threads) {
        thread.join();
      }
      gpu.synchronize();
      assertNull(failure.get(), () -> "failed: " + failure.get());
      int[] sums = new int[TENSORS];
      for (int k = 0; k < TENSORS; k++) {
        long[] values = tensors.get(k).toLongs();
        sums[k] = (int) values[0];
        for (long value : values) {
          assertEquals(values[0], value, "tensor " + k);
        }
      }
      int[] counts = new int[TENSORS];
      for (int k = 0; k < TENSORS; k++) {
        counts[k] = expected.get(k);
      }
      assertArrayEquals(counts, sums);
      assertTrue(counts[0] > 50, "too few tasks to mean anything: " + counts[0]);
    }
  }

  private void submit(Gpuos gpu, List<Call> calls, Random random) {
    int index = random.nextInt(calls.size());
    Call call = calls.get(index);
    long sequence;
    if (random.nextInt(4) == 0) {
      if (!call.trySubmit()) {
        Thread.yield();
        return;
      }
      sequence = -1;
    } else {
      try {
        sequence = call.submit();
      } catch (RingFullException e) {
        throw new AssertionError("no room for 30 s: workers hang", e);
      }
    }
    expected.incrementAndGet(index % TENSORS);
    if (index >= TENSORS) {
      expected.incrementAndGet((index + 1) % TENSORS);
    }
    if (sequence != -1 && random.nextInt(8) == 0) {
      gpu.await(sequence);
    }
    if (random.nextInt(50) == 0) {
      sleep(1);
    }
  }

  /** Yields, holds and pauses, so that every edge of the lease is met. */
  private static void disturb(Lease lease) {
    lease.yieldWorkers();
    sleep(1);
    lease.hold();
    lease.awaitParked(Duration.ofMillis(5));
    lease.release();
    sleep(2);
  }

  private static void sleep(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}

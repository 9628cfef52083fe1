package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.InvalidInputException;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Waits end when they should, keep nobody else waiting, and cost next to nothing. */
interface WaitConformance extends Target {

  Operator ADD_ONE = Operator.of("a + 1");

  @Test
  default void shouldRefuseToWaitForWhatWasNeverSubmitted() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor a = gpu.zeros(DType.F32, 4);
        Call call = gpu.prepare(ADD_ONE, a, a)) {
      long last = call.submit();
      gpu.await(last);
      refused(InvalidInputException.class, () -> gpu.await(last + 1), "sequence");
      refused(InvalidInputException.class, () -> gpu.await(1L << 40), "sequence");
    }
  }

  /** A thread that waits for a tensor's values keeps nobody else from using or closing it. */
  @Test
  default void shouldNotHoldATensorWhileReadingIt() throws Exception {
    try (Gpuos gpu = open(Settings.restless(1));
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Tensor a = gpu.zeros(DType.F32, 4);
      gpu.runInto(ADD_ONE, a, a);
      CompletableFuture<float[]> read;
      CompletableFuture<Void> others;
      try (Hold _ = Hold.of(gpu)) {
        gpu.submitInto(ADD_ONE, a, a);
        read = CompletableFuture.supplyAsync(a::toFloats, executor);
        assertThrows(TimeoutException.class, () -> read.get(20, TimeUnit.MILLISECONDS));
        others =
            CompletableFuture.runAsync(
                () -> {
                  gpu.submit(ADD_ONE, a);
                  a.slice(0, 0, 2).close();
                  a.close();
                });
        others.get(20, TimeUnit.SECONDS);
        assertFalse(read.isDone());
      }
      assertArrayEquals(new float[] {2, 2, 2, 2}, read.get());
    }
  }

  @Test
  default void shouldEndAGetByAnInterrupt() throws Exception {
    try (Gpuos gpu = open(Settings.restless(1));
        Tensor a = gpu.zeros(DType.F32, 4)) {
      Submission submission;
      try (Hold _ = Hold.of(gpu)) {
        submission = gpu.submitInto(ADD_ONE, a, a);
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, submission::get);
        assertFalse(Thread.currentThread().isInterrupted());
        Thread waiting = Thread.currentThread();
        CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS).execute(waiting::interrupt);
        assertThrows(InterruptedException.class, () -> submission.get(1, TimeUnit.MINUTES));
      }
      assertSame(a, submission.get());
    }
  }

  @Test
  default void shouldSleepWhileWaitingThoughInterrupted() throws Exception {
    try (Gpuos gpu = open(Settings.restless(1));
        Tensor a = gpu.zeros(DType.F32, 4)) {
      AtomicLong cpuTicks = new AtomicLong();
      Thread waiter;
      try (Hold _ = Hold.of(gpu)) {
        Submission submission = gpu.submitInto(ADD_ONE, a, a);
        waiter =
            Thread.ofPlatform()
                .start(
                    () -> {
                      Thread.currentThread().interrupt();
                      submission.await();
                      if (Thread.interrupted()) {
                        cpuTicks.set(1 + ticksOfThisThread());
                      }
                    });
        assertFalse(waiter.join(Duration.ofMillis(600)), "returned before the task was complete");
      }
      waiter.join();
      assertTrue(cpuTicks.get() > 0, "the interrupt is lost");
      assertTrue(cpuTicks.get() < 30, () -> "processor ticks in 60: " + cpuTicks);
    }
  }

  /** Hundredths of a second that this thread had a processor: proc(5), utime and stime. */
  private static long ticksOfThisThread() {
    try {
      String stat = Files.readString(Path.of("/proc/thread-self/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  default void shouldTakeDurationsOfAnyLength() {
    Duration longest = Duration.ofSeconds(Long.MAX_VALUE);
    DeviceSettings settings =
        DeviceSettings.defaults()
            .withLinger(longest)
            .withMaxResidency(longest)
            .withFullWait(longest);
    try (Gpuos gpu = open(settings);
        Tensor a = gpu.zeros(DType.F32, 4)) {
      Submission submission = gpu.submitInto(ADD_ONE, a, a);
      assertTrue(submission.await(longest));
      assertTrue(submission.await(Duration.ofSeconds(Long.MIN_VALUE)));
    }
  }
}

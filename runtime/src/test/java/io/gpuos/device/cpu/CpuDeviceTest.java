package io.gpuos.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.layout.DType;
import io.gpuos.queue.Lease;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The CPU device as a whole: ring, workers and lease with real threads. */
@Timeout(60)
class CpuDeviceTest {

  private static final Operator INCREMENT = Operator.of("x + 1");
  private static final Operator COPY = Operator.of("x * 1");

  private static final DeviceSettings SMALL = DeviceSettings.defaults().withRingCapacity(64);

  /** Just below where 31, 32, 63 and 64 bits overflow, and the default. */
  static long[] firstSequences() {
    return new long[] {1, (1L << 31) - 300, (1L << 32) - 300, Long.MAX_VALUE - 300, -300, -1, 0};
  }

  private static float[] filled(int length, float value) {
    float[] values = new float[length];
    Arrays.fill(values, value);
    return values;
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, "condition not met within 20 s");
      Thread.sleep(1);
    }
  }

  /** A chain of dependent tasks, tasks of several tiles and single waits, over many laps. */
  @ParameterizedTest
  @MethodSource("firstSequences")
  void shouldCountOnAcrossAWrap(long first) {
    try (Gpuos gpu = Gpuos.open("cpu", SMALL.withFirstSequence(first));
        Tensor x = gpu.tensor(filled(300, 0));
        Tensor big = gpu.tensor(filled(100_000, 0));
        Call one = gpu.prepare(INCREMENT, x, x);
        Call tiled = gpu.prepare(INCREMENT, big, big)) {
      assertEquals(4, tiled.tasks());
      for (int k = 1; k <= 200; k++) {
        long sequence = one.submit();
        tiled.submit();
        if (k % 50 == 0) {
          gpu.await(sequence);
          assertArrayEquals(filled(300, k), x.toFloats());
          gpu.device().lease().yieldWorkers();
        }
      }
      gpu.synchronize();
      assertEquals(first + 1_000, gpu.device().ring().tail());
      assertEquals(first + 999, gpu.device().completions().through());
      assertArrayEquals(filled(300, 200), x.toFloats());
      assertArrayEquals(filled(100_000, 200), big.toFloats());
    }
  }

  /** Memory that goes round while tasks still use it, at a wrap too. */
  @ParameterizedTest
  @MethodSource("firstSequences")
  void shouldKeepTheOrderOnMemoryThatIsUsedAgain(long first) {
    try (Gpuos gpu = Gpuos.open("cpu", SMALL.withFirstSequence(first));
        Tensor source = gpu.tensor(filled(70_000, 3))) {
      List<Tensor> kept = new ArrayList<>();
      for (int k = 0; k < 150; k++) {
        Tensor copied = gpu.submit(COPY, source).results().getFirst();
        Submission next = gpu.submit(INCREMENT, copied);
        copied.close();
        if (k % 10 == 0) {
          kept.add(next.results().getFirst());
        } else {
          next.results().getFirst().close();
        }
      }
      for (Tensor tensor : kept) {
        assertArrayEquals(filled(70_000, 4), tensor.toFloats());
        tensor.close();
      }
    }
  }

  // ---- lease -----------------------------------------------------------------------------------

  @Test
  void shouldParkWhenIdleAndComeBackWithWork() throws InterruptedException {
    try (Gpuos gpu = Gpuos.open("cpu", SMALL.withLinger(Duration.ofMillis(1)));
        Tensor x = gpu.tensor(filled(16, 0));
        Call call = gpu.prepare(INCREMENT, x, x)) {
      Lease lease = gpu.device().lease();
      for (int k = 1; k <= 5; k++) {
        long launches = lease.launches();
        call.run();
        assertTrue(lease.launches() > launches);
        await(lease::parked);
      }
      assertArrayEquals(filled(16, 5), x.toFloats());
    }
  }

  @Test
  void shouldStayWhileTasksKeepComing() throws InterruptedException {
    DeviceSettings settings =
        SMALL.withLinger(Duration.ofSeconds(2)).withMaxResidency(DeviceSettings.FOREVER);
    try (Gpuos gpu = Gpuos.open("cpu", settings);
        Tensor x = gpu.tensor(filled(16, 0));
        Call call = gpu.prepare(INCREMENT, x, x)) {
      long until = System.nanoTime() + 2_600_000_000L;
      while (System.nanoTime() - until < 0) {
        call.run();
        Thread.sleep(20);
      }
      assertEquals(1, gpu.device().lease().launches());
    }
  }

  @Test
  void shouldLeaveAtOnceWhenAsked() throws InterruptedException {
    DeviceSettings settings =
        SMALL.withLinger(DeviceSettings.FOREVER).withMaxResidency(DeviceSettings.FOREVER);
    try (Gpuos gpu = Gpuos.open("cpu", settings);
        Tensor x = gpu.tensor(filled(16, 0));
        Call call = gpu.prepare(INCREMENT, x, x)) {
      call.run();
      Lease lease = gpu.device().lease();
      lease.hold();
      assertTrue(lease.awaitParked(Duration.ofSeconds(20)));
      long sequence = call.submit();
      Thread.sleep(20);
      assertFalse(gpu.device().completions().isComplete(sequence));
      lease.release();
      gpu.await(sequence);
      assertArrayEquals(filled(16, 2), x.toFloats());
    }
  }

  /** A worker that is busy while its launch ends, and the next one too, must not stay for ever. */
  @Test
  void shouldLetAWorkerLeaveWhoseLaunchEndedWhileItWorked() throws InterruptedException {
    DeviceSettings settings =
        SMALL
            .withWorkers(2)
            .withLinger(Duration.ofMillis(1))
            .withMaxResidency(Duration.ofMillis(2));
    try (Gpuos gpu = Gpuos.open("cpu", settings);
        Tensor slow = gpu.zeros(DType.F32, 8_000_000);
        Tensor small = gpu.tensor(filled(16, 0));
        Tensor sum = gpu.empty(DType.F32);
        Call reduce = gpu.prepare(Operator.of("sum(sin(x) * cos(x) + tanh(x))"), sum, slow);
        Call quick = gpu.prepare(INCREMENT, small, small)) {
      Lease lease = gpu.device().lease();
      quick.run();
      for (int k = 0; k < 3; k++) {
        long last = reduce.submit();
        // Short launches come and go while one worker is in the long task.
        long launches = lease.launches();
        while (!gpu.device().completions().isComplete(last)) {
          quick.submit();
          Thread.sleep(1);
        }
        assertTrue(lease.launches() > launches + 1, "the task was too short to show anything");
      }
      gpu.synchronize();
      await(() -> lease.parked() && workersSleep());
    }
  }

  private static boolean workersSleep() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("gpuos-cpu-worker-"))
        .allMatch(thread -> thread.getState() == Thread.State.WAITING);
  }

  // ---- errors and the end
  // -------------------------------------------------------------------------

  @Test
  void shouldRefuseMoreMemoryThanThereIs() {
    try (Gpuos gpu = Gpuos.open("cpu", SMALL)) {
      for (long bytes : new long[] {1L << 46, (1L << 62) - 1}) {
        assertThrows(OutOfMemoryException.class, () -> gpu.empty(DType.I8, bytes), "" + bytes);
      }
      gpu.empty(DType.I8, 1).close();
    }
  }

  @Test
  void shouldAnswerQuestionsAboutFinishedTasksWhenClosed() {
    Gpuos gpu = Gpuos.open("cpu", SMALL);
    Tensor x = gpu.tensor(filled(16, 1));
    Submission submission = gpu.submit(INCREMENT, x);
    gpu.close();
    assertTrue(submission.isDone());
    submission.await();
    assertTrue(gpu.device().lease().parked());
    assertFalse(gpu.device().ring().outstanding());
  }

  @Test
  void shouldRefuseTransfersWhenClosed() {
    CpuDevice device = new CpuDevice(SMALL);
    long address = device.memory().allocate(64).address();
    device.close();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(64);
      assertThrows(ClosedException.class, () -> device.upload(address, host, 64));
      assertThrows(ClosedException.class, () -> device.download(host, address, 64));
      assertThrows(ClosedException.class, () -> device.memory().allocate(64));
    }
  }

  @Test
  void shouldEndItsThreadsWhenClosed() throws InterruptedException {
    for (int k = 0; k < 20; k++) {
      CpuDevice device = new CpuDevice(SMALL.withWorkers(3));
      device.lease().wake();
      device.close();
      device.close();
    }
    await(
        () ->
            Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().startsWith("gpuos-cpu-")));
  }
}

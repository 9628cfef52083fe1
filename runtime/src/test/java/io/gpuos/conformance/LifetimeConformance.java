package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.MemoryPool;
import io.gpuos.error.ClosedException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Memory lives as long as anything may still use it, and no longer. */
interface LifetimeConformance extends Target {

  Operator NORMALIZE = Operator.of("a / sum(a)");
  Operator INCREMENT = Operator.of("a + 1");

  @Test
  default void shouldKeepMemoryThatACallNames() {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      MemoryPool pool = gpu.device().memory();
      Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 4);
      Tensor view = a.slice(0, 0, 2);
      try (Call call = gpu.prepare(INCREMENT, view, view)) {
        a.close();
        view.close();
        List<Tensor> others = sevens(gpu);
        call.run();
        call.run();
        assertSevens(others);
        assertEquals(others.size() + 1, pool.usedBytes() / MemoryPool.ALIGNMENT, "blocks");
        others.forEach(Tensor::close);
      }
      assertEquals(0, pool.usedBytes(), "bytes in use");
    }
  }

  @Test
  default void shouldKeepMemoryThatABatchNames() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor a = gpu.tensor(new float[] {1, 2, 1, 4}, 4);
        Tensor result = gpu.zeros(DType.F32, 4)) {
      long used = gpu.device().memory().usedBytes();
      Call call = gpu.prepare(NORMALIZE, result, a);
      Batch batch = gpu.batch(List.of(call, call));
      call.close();
      refused(ClosedException.class, call::submit, "call closed");
      refused(ClosedException.class, () -> gpu.batch(List.of(call)), "call closed");
      List<Tensor> others = sevens(gpu);
      batch.submit();
      assertSevens(others);
      assertArrayEquals(new float[] {0.125f, 0.25f, 0.125f, 0.5f}, result.toFloats());
      others.forEach(Tensor::close);
      batch.submit();
      batch.close();
      batch.close();
      assertEquals(used, gpu.device().memory().usedBytes(), "bytes in use");
      refused(ClosedException.class, batch::submit, "batch closed");
    }
  }

  /** Closing disturbs nothing that was submitted, however far it has got. */
  @Test
  default void shouldCloseWhileTasksAreOutstanding() {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor a = gpu.tensor(new float[] {1, 2, 1, 4}, 4);
        Tensor result = gpu.zeros(DType.F32, 4)) {
      List<Tensor> others;
      Tensor doomed = gpu.zeros(DType.F32, 4);
      try (Hold _ = Hold.of(gpu)) {
        Call call = gpu.prepare(NORMALIZE, result, a);
        Batch batch = gpu.batch(List.of(call, call));
        call.submit();
        batch.submit();
        batch.close();
        call.close();
        gpu.submitInto(NORMALIZE, doomed, a);
        doomed.close();
        others = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
          others.add(gpu.submit(Operator.of("a * 0 + 7"), a).results().getFirst());
        }
      }
      assertSevens(others);
      assertArrayEquals(new float[] {0.125f, 0.25f, 0.125f, 0.5f}, result.toFloats());
      others.forEach(Tensor::close);
    }
  }

  @Test
  default void shouldHoldNothingAfterOneShots() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor a = gpu.zeros(DType.F32, 4);
        Tensor result = gpu.zeros(DType.F32, 4);
        Tensor wrong = gpu.zeros(DType.F32, 5)) {
      MemoryPool pool = gpu.device().memory();
      long used = pool.usedBytes();
      gpu.run(NORMALIZE, a).close();
      gpu.submit(NORMALIZE, a).results().getFirst().close();
      gpu.runInto(NORMALIZE, result, a);
      gpu.submitInto(NORMALIZE, result, a);
      refused(ShapeException.class, () -> gpu.runInto(NORMALIZE, wrong, a));
      assertThrows(GpuosException.class, () -> a.slice(3, 0, 1));
      result.write(1, 2, 3, 4);
      result.slice(0, 0, 4, 2).write(1, 2);
      result.toFloats();
      // The view above is open still: one more tensor of the same memory, and no more memory.
      assertEquals(used, pool.usedBytes(), "bytes in use");
    }
  }

  @Test
  default void shouldNotShareListsWithTheCaller() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor a = gpu.zeros(DType.F32, 4)) {
      List<Tensor> outputs = new ArrayList<>(List.of(gpu.zeros(DType.F32, 4)));
      Tensor output = outputs.getFirst();
      Submission submission = gpu.submitInto(INCREMENT, outputs, a);
      outputs.clear();
      assertSame(output, submission.await());
      assertThrows(
          UnsupportedOperationException.class, () -> gpu.submit(INCREMENT, a).results().clear());
    }
  }

  /** Memory that one thread gives back is another's at once, whatever a third still submits. */
  @Test
  default void shouldNeverWriteToMemoryGivenBack() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults().withWorkers(2));
        Tensor in = gpu.tensor(new float[] {1, 2, 3, 4}, 4)) {
      AtomicReference<Tensor> target = new AtomicReference<>();
      race(
          gpu,
          () -> target.set(gpu.zeros(DType.F32, 4)),
          () -> gpu.submitInto(INCREMENT, target.get(), in),
          () -> target.get().close());
    }
  }

  /** The same of a call's temporaries. */
  @Test
  default void shouldNeverWriteToTemporariesGivenBack() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults().withWorkers(2));
        Tensor in = gpu.tensor(new float[] {1, 2, 3, 4}, 4);
        Tensor out = gpu.zeros(DType.F32, 4)) {
      AtomicReference<Call> call = new AtomicReference<>();
      race(
          gpu,
          () -> call.set(gpu.prepare(NORMALIZE, out, in)),
          () -> call.get().submit(),
          () -> call.get().close());
    }
  }

  /** The same of a batch, which outlives its calls. */
  @Test
  default void shouldNeverWriteToABatchGivenBack() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults().withWorkers(2));
        Tensor in = gpu.tensor(new float[] {1, 2, 3, 4}, 4);
        Tensor out = gpu.zeros(DType.F32, 4)) {
      AtomicReference<Batch> batch = new AtomicReference<>();
      race(
          gpu,
          () -> {
            try (Call call = gpu.prepare(NORMALIZE, out, in)) {
              batch.set(gpu.batch(List.of(call, call, call)));
            }
          },
          () -> batch.get().submit(),
          () -> batch.get().close());
    }
  }

  /** One thread submits without pause; this one makes, ends, and looks who writes what is new. */
  private static void race(Gpuos gpu, Runnable make, Runnable submit, Runnable end)
      throws Exception {
    make.run();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread submitter = Thread.ofPlatform().unstarted(() -> repeat(submit, failure::set));
    submitter.start();
    long deadline = System.nanoTime() + 1_500_000_000L;
    try {
      for (int round = 0; System.nanoTime() < deadline; round++) {
        make.run();
        for (int spin = 0; spin < round % 50 * 20; spin++) {
          Thread.onSpinWait();
        }
        end.run();
        List<Tensor> fresh = List.of(seven(gpu), seven(gpu));
        for (int spin = 0; spin < 500; spin++) {
          Thread.onSpinWait();
        }
        gpu.synchronize();
        assertSevens(fresh);
        fresh.forEach(Tensor::close);
      }
    } finally {
      submitter.interrupt();
      submitter.join();
    }
    assertEquals(null, failure.get());
  }

  private static void repeat(Runnable submit, Consumer<Throwable> failure) {
    while (!Thread.currentThread().isInterrupted()) {
      try {
        submit.run();
      } catch (ClosedException _) {
        // The other thread was first.
      } catch (Throwable unexpected) {
        failure.accept(unexpected);
        return;
      }
    }
  }

  private static Tensor seven(Gpuos gpu) {
    return gpu.tensor(new float[] {7, 7, 7, 7}, 4);
  }

  private static List<Tensor> sevens(Gpuos gpu) {
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      tensors.add(seven(gpu));
    }
    return tensors;
  }

  private static void assertSevens(List<Tensor> tensors) {
    for (Tensor tensor : tensors) {
      assertArrayEquals(new float[] {7, 7, 7, 7}, tensor.toFloats());
    }
  }
}

package io.gpuos.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.codegen.CpuKernel;
import io.gpuos.codegen.CpuScratch;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.inject.OperatorTable;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** Operators that never return, or take long, or throw: what everybody else gets to see. */
@Timeout(60)
class CpuHealthTest {

  private static final Operator INCREMENT = Operator.of("x + 1");
  private static final Duration DEADLINE = Duration.ofMillis(400);
  private static final DeviceSettings SETTINGS =
      DeviceSettings.defaults().withRingCapacity(64).withWorkers(3).withTaskDeadline(DEADLINE);

  /** Code that does not return before it is released, and then computes what it should. */
  private static final class Stuck implements CpuKernel {
    private final CpuKernel after;
    private final CountDownLatch released;
    private final AtomicInteger inside = new AtomicInteger();

    Stuck(CpuKernel after, CountDownLatch released) {
      this.after = after;
      this.released = released;
    }

    @Override
    public void run(long[] operands, IterationSpace space, long first, long count, CpuScratch s) {
      inside.incrementAndGet();
      boolean interrupted = false;
      while (true) {
        try {
          released.await();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      after.run(operands, space, first, count, s);
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private final CountDownLatch released = new CountDownLatch(1);
  private final Set<Thread> before = Thread.getAllStackTraces().keySet();

  @AfterEach
  void release() throws InterruptedException {
    released.countDown();
    await(() -> threads().isEmpty());
  }

  /** Names of this test's runtime's threads. */
  private List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> !before.contains(thread))
        .map(Thread::getName)
        .filter(name -> name.startsWith("gpuos-cpu-"))
        .sorted()
        .toList();
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, "condition not met within 20 s");
      Thread.sleep(1);
    }
  }

  private static void within(Duration limit, Executable body) throws Throwable {
    long start = System.nanoTime();
    body.execute();
    long took = System.nanoTime() - start;
    assertTrue(took < limit.toNanos(), "took_ms=" + took / 1_000_000);
  }

  /** Makes the operator of that name in the table hang from the next task on. */
  private Stuck stick(CpuDevice device, String name) {
    OperatorTable<CpuOperators.Installed> table = device.operators().table();
    OperatorTable.State<CpuOperators.Installed> state =
        table.states().stream().filter(s -> s.name().equals(name)).findFirst().orElseThrow();
    CpuOperators.Installed code = state.current().code();
    Stuck stuck = new Stuck(code.kernel(), released);
    table.publish(
        state.number(),
        new CpuOperators.Installed(code.source(), stuck, code.operands(), code.linear()),
        "stuck");
    return stuck;
  }

  private Stuck stick(Gpuos gpu, String name) {
    return stick((CpuDevice) gpu.device(), name);
  }

  private static DeviceFaultException fault(Executable body) {
    return assertThrows(DeviceFaultException.class, body);
  }

  @Test
  void shouldFailEveryWaitWithTheOperatorAndTheWorker() throws Throwable {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS);
        var threads = Executors.newCachedThreadPool();
        var virtual = Executors.newVirtualThreadPerTaskExecutor()) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Operator hang = gpu.inject("hang", "x * 3").operator();
      gpu.run(hang, x);
      Stuck stuck = stick(gpu, "hang");
      Submission hung = gpu.submit(hang, x);
      Submission behind = gpu.submit(INCREMENT, hung.results().getFirst());
      await(() -> stuck.inside.get() == 1);
      List<Executable> waits =
          List.of(
              hung::await,
              behind::await,
              () -> behind.await(Duration.ofSeconds(50)),
              () -> behind.get(50, TimeUnit.SECONDS),
              gpu::synchronize,
              () -> behind.results().getFirst().toFloats(),
              () -> x.write(new float[] {3, 4}));
      List<CompletableFuture<String>> messages = new ArrayList<>();
      for (Executable wait : waits) {
        for (var pool : List.of(threads, virtual)) {
          messages.add(CompletableFuture.supplyAsync(() -> fault(wait).getMessage(), pool));
        }
      }
      assertTrue(gpu.healthy());
      within(
          DEADLINE.plusSeconds(2),
          () -> {
            for (CompletableFuture<String> message : messages) {
              String text = message.get();
              assertTrue(text.startsWith("task overdue: device=cpu, operator=hang (gen"), text);
              assertTrue(text.matches(".*, worker=gpuos-cpu-worker-[012], task=.*"), text);
            }
          });
      assertFalse(gpu.healthy());
      Throwable position = gpu.device().completions().fault().getCause();
      assertTrue(
          Arrays.stream(position.getStackTrace())
              .anyMatch(frame -> frame.getClassName().equals(Stuck.class.getName())),
          () -> Arrays.toString(position.getStackTrace()));
    }
  }

  @Test
  void shouldRefuseEverythingAfterwards() throws Throwable {
    Gpuos gpu = Gpuos.open("cpu", SETTINGS);
    Tensor x = gpu.tensor(new float[] {1, 2});
    Call call = gpu.prepare(INCREMENT, x, x);
    Batch batch = gpu.batch(List.of(call, call));
    Submission done = gpu.submit(Operator.of("x * 2"), x);
    done.await();
    stick(gpu, "x0 + 1.0: f32");
    call.submit();
    fault(gpu::synchronize);
    for (Executable later :
        List.<Executable>of(
            call::submit,
            call::run,
            call::trySubmit,
            batch::submit,
            done::await,
            gpu::synchronize,
            x::toFloats,
            () -> x.write(new float[2]),
            () -> gpu.run(INCREMENT, x),
            () -> gpu.zeros(DType.F32, 3),
            () -> gpu.inject("f", "x + 2"))) {
      assertTrue(fault(later).getMessage().contains("operator=x0 + 1.0: f32"));
    }
    x.close();
    call.close();
    released.countDown();
    gpu.close();
    assertThrows(ClosedException.class, () -> gpu.zeros(DType.F32, 3));
  }

  @Test
  void shouldNameOneOfSeveralThatHangAndTheOthers() {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS)) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Operator[] operators = {
        gpu.inject("f", "x * 3").operator(), gpu.inject("g", "x * 4").operator()
      };
      for (Operator operator : operators) {
        gpu.run(operator, x);
      }
      stick(gpu, "f");
      stick(gpu, "g");
      List<Submission> all = new ArrayList<>();
      for (int k = 0; k < 8; k++) {
        all.add(gpu.submit(operators[k % 2], x));
      }
      for (Submission submission : all) {
        String message = fault(submission::await).getMessage();
        assertTrue(message.matches("task overdue: device=cpu, operator=[fg] \\(.*"), message);
        assertTrue(
            message.matches(".*also running: .*[fg] .* on gpuos-cpu-worker-\\d\\)"), message);
      }
    }
  }

  @Test
  void shouldStayFailedWhenASlowTaskEndsAfterAll() throws Throwable {
    Gpuos gpu = Gpuos.open("cpu", SETTINGS);
    Tensor x = gpu.tensor(new float[] {1, 2});
    Call call = gpu.prepare(INCREMENT, x, x);
    stick(gpu, "x0 + 1.0: f32");
    long slow = call.submit();
    String message = fault(gpu::synchronize).getMessage();
    released.countDown();
    await(() -> gpu.device().completions().isComplete(slow));
    Thread.sleep(50);
    assertFalse(gpu.healthy());
    assertEquals(message, fault(() -> gpu.await(slow)).getMessage());
    assertEquals(message, fault(call::submit).getMessage());
    within(Duration.ofSeconds(2), gpu::close);
    await(() -> threads().isEmpty());
  }

  @Test
  void shouldCloseThoughAnOperatorHangs() throws Throwable {
    Gpuos gpu = Gpuos.open("cpu", SETTINGS);
    Tensor x = gpu.tensor(new float[] {1, 2});
    Call call = gpu.prepare(INCREMENT, x, x);
    stick(gpu, "x0 + 1.0: f32");
    long last = call.submit();
    CompletableFuture<Throwable> waiter =
        CompletableFuture.supplyAsync(
            () -> assertThrows(RuntimeException.class, () -> gpu.await(last)));
    within(DEADLINE.plusSeconds(3), gpu::close);
    assertTrue(waiter.get() instanceof DeviceFaultException, () -> waiter.join().toString());
    await(() -> threads().size() == 1);
    assertTrue(threads().getFirst().startsWith("gpuos-cpu-worker-"), () -> threads().toString());
  }

  @Test
  void shouldCloseAFailedDeviceAtOnce() throws Throwable {
    Gpuos gpu = Gpuos.open("cpu", SETTINGS);
    Tensor x = gpu.tensor(new float[] {1, 2});
    Call call = gpu.prepare(INCREMENT, x, x);
    stick(gpu, "x0 + 1.0: f32");
    call.submit();
    fault(gpu::synchronize);
    within(Duration.ofSeconds(3), gpu::close);
    assertDoesNotThrow(gpu::close);
  }

  @Test
  void shouldGiveUpAtCloseWithoutADeadline() throws Throwable {
    DeviceSettings settings = SETTINGS.withTaskDeadline(DeviceSettings.FOREVER);
    CpuDevice device = new CpuDevice(settings, Duration.ofMillis(300));
    Kernel kernel =
        new Kernel.Elementwise(
            List.of(new Kernel.Operand(Kernel.Role.OUTPUT, DType.I64)),
            List.of(new Kernel.Node.Constant(DType.I64, 42)),
            List.of(new Kernel.Store(0, 0)));
    int number = device.operator(kernel);
    Stuck stuck = stick(device, "42: i64");
    var block = device.memory().allocate(8);
    var invocation = io.gpuos.queue.Invocation.of(number, 1).address(block.address(), 8).build();
    long last = device.ring().submit(invocation);
    await(() -> stuck.inside.get() == 1);
    CompletableFuture<Boolean> waiter =
        CompletableFuture.supplyAsync(
            () -> device.completions().await(last, last, System.nanoTime() + 50_000_000_000L));
    within(Duration.ofSeconds(4), device::close);
    ExecutionException end = assertThrows(ExecutionException.class, waiter::get);
    assertTrue(end.getCause() instanceof ClosedException, end::toString);
    // The memory is still there for the worker that comes back after all.
    released.countDown();
    await(() -> device.completions().isComplete(last));
  }

  @Test
  void shouldWaitForeverIfAskedTo() throws Throwable {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS.withTaskDeadline(DeviceSettings.FOREVER))) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Call call = gpu.prepare(INCREMENT, x, x);
      stick(gpu, "x0 + 1.0: f32");
      call.submit();
      Thread.sleep(1_500);
      assertTrue(gpu.healthy());
      released.countDown();
      gpu.synchronize();
      assertArrayEquals(new float[] {2, 3}, x.toFloats());
    }
  }

  @Test
  void shouldEndAWaitForRoomInTheRing() {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS)) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Call call = gpu.prepare(INCREMENT, x, x);
      stick(gpu, "x0 + 1.0: f32");
      DeviceFaultException fault =
          fault(
              () -> {
                for (int k = 0; k < 100; k++) {
                  call.submit();
                }
              });
      assertTrue(fault.getMessage().contains("operator=x0 + 1.0: f32"), fault::getMessage);
    }
  }

  @Test
  void shouldNotBlameTasksThatWait() throws Throwable {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS)) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Call call = gpu.prepare(INCREMENT, x, x);
      call.run();
      gpu.device().lease().hold();
      for (int k = 0; k < 5; k++) {
        call.submit();
      }
      Thread.sleep(3 * DEADLINE.toMillis());
      gpu.device().lease().release();
      gpu.synchronize();
      assertTrue(gpu.healthy());
      assertArrayEquals(new float[] {7, 8}, x.toFloats());
    }
  }

  /** Each has half the deadline, all together many times as much. */
  @Test
  void shouldNotBlameAChainOfTasksThatTakeLong() throws Throwable {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS.withTaskDeadline(Duration.ofMillis(800)))) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Call call = gpu.prepare(INCREMENT, x, x);
      OperatorTable<CpuOperators.Installed> table = ((CpuDevice) gpu.device()).operators().table();
      CpuOperators.Installed code = table.state(1).current().code();
      CpuKernel slow =
          (operands, space, first, count, scratch) -> {
            java.util.concurrent.locks.LockSupport.parkNanos(200_000_000);
            code.kernel().run(operands, space, first, count, scratch);
          };
      table.publish(
          1,
          new CpuOperators.Installed(code.source(), slow, code.operands(), code.linear()),
          "slow");
      for (int k = 0; k < 10; k++) {
        call.submit();
      }
      gpu.synchronize();
      assertTrue(gpu.healthy());
      assertArrayEquals(new float[] {11, 12}, x.toFloats());
    }
  }

  @Test
  void shouldNameAnOperatorThatThrows() {
    try (Gpuos gpu = Gpuos.open("cpu", SETTINGS)) {
      Tensor x = gpu.tensor(new float[] {1, 2});
      Operator bad = gpu.inject("bad", "x * 3").operator();
      gpu.run(bad, x);
      OperatorTable<CpuOperators.Installed> table = ((CpuDevice) gpu.device()).operators().table();
      CpuOperators.Installed code = table.state(1).current().code();
      CpuKernel throwing =
          (_, _, _, _, _) -> {
            throw new IllegalStateException("no luck");
          };
      table.publish(
          1,
          new CpuOperators.Installed(code.source(), throwing, code.operands(), code.linear()),
          "throwing");
      String message = fault(() -> gpu.run(bad, x)).getMessage();
      assertTrue(message.startsWith("operator failed: device=cpu, operator=bad (gen"), message);
      assertTrue(message.endsWith("no luck"), message);
      assertFalse(gpu.healthy());
    }
  }
}

package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.CudaHeader;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.device.OpenPhases;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.FakeGpu;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Reducer;
import io.gpuos.jit.CompileService;
import io.gpuos.layout.DType;
import io.gpuos.queue.Invocation;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** The CUDA device over a driver and a kernel that the test plays; needs NVRTC, no GPU. */
@Timeout(120)
class CudaHealthTest {

  private static final int ILLEGAL_ADDRESS = 700;
  private static final Duration DEADLINE = Duration.ofMillis(400);
  private static final DeviceSettings SETTINGS =
      DeviceSettings.defaults()
          .withRingCapacity(64)
          .withTaskDeadline(DEADLINE)
          .withInjection(Injection.LIVE);

  private final FakeGpu gpu = new FakeGpu();
  private final List<CudaComputeDevice> opened = new ArrayList<>();

  private CudaComputeDevice open(DeviceSettings settings) {
    CudaContext context = gpu.cuda().device(0).retainPrimaryContext();
    CompileService compiler = CompileService.open(0, CudaHeader.ABI_VERSION);
    CudaComputeDevice device =
        CudaComputeDevice.open(context, 0, compiler, settings, new OpenPhases());
    opened.add(device);
    return device;
  }

  @AfterEach
  void close() throws InterruptedException {
    gpu.leave();
    opened.forEach(CudaComputeDevice::close);
    await(() -> !keeperRuns());
  }

  private static boolean keeperRuns() {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().equals("gpuos-cuda-keeper"));
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

  private static Kernel apply(Function function) {
    return new Kernel.Elementwise(
        List.of(new Operand(Role.INPUT, DType.F32), new Operand(Role.OUTPUT, DType.F32)),
        List.of(new Node.Load(0, DType.F32), new Node.Apply(function, DType.F32, List.of(0))),
        List.of(new Kernel.Store(1, 1)));
  }

  /** A kernel that is not interpreted: whoever wants it waits until it is loaded. */
  private static Kernel sum() {
    return new Kernel.Reduction(
        List.of(new Operand(Role.INPUT, DType.F32), new Operand(Role.OUTPUT, DType.F32)),
        List.of(new Node.Load(0, DType.F32)),
        Reducer.SUM,
        0,
        0);
  }

  private static long submit(CudaComputeDevice device, Function function) {
    return device.ring().submit(Invocation.of(device.operator(apply(function)), 1).build());
  }

  private static String awaitFault(CudaComputeDevice device, long sequence) {
    return assertThrows(
            DeviceFaultException.class,
            () ->
                device.completions().await(sequence, sequence, System.nanoTime() + 50_000_000_000L))
        .getMessage();
  }

  @Test
  void shouldNameTheOperatorOfAStickyError() throws Throwable {
    CudaComputeDevice device = open(SETTINGS);
    long last = submit(device, Function.ABS);
    CompletableFuture<String> waiter =
        CompletableFuture.supplyAsync(() -> awaitFault(device, last));
    Thread.sleep(50);
    assertNull(device.completions().fault());
    gpu.die(ILLEGAL_ADDRESS);
    within(
        Duration.ofSeconds(1),
        () -> {
          String message = waiter.get();
          assertTrue(message.startsWith("worker kernel failed: device=cuda:0, Fake 70, "), message);
          assertTrue(message.contains("operator=abs(x0): f32"), message);
          assertTrue(message.contains("CUDA_ERROR_700"), message);
        });
    assertThrows(DeviceFaultException.class, () -> submit(device, Function.ABS));
    assertThrows(DeviceFaultException.class, () -> submit(device, Function.SIGN));
    within(Duration.ofSeconds(2), device::close);
  }

  @Test
  void shouldListTheOperatorsThatMayHaveMetAStickyError() {
    CudaComputeDevice device = open(SETTINGS);
    submit(device, Function.ABS);
    submit(device, Function.SIGN);
    long last = submit(device, Function.ABS);
    gpu.die(ILLEGAL_ADDRESS);
    String message = awaitFault(device, last);
    assertTrue(
        message.matches(".*operator=one of \\[abs\\(x0\\): f32.*; sign\\(x0\\): f32.*\\], .*"),
        message);
  }

  /** A transfer may be the first to meet it, before the keeper looks, or when nobody does. */
  @Test
  void shouldNameTheOperatorToWhoeverMeetsTheError() {
    CudaComputeDevice device = open(SETTINGS);
    submit(device, Function.ABS);
    gpu.die(ILLEGAL_ADDRESS);
    try (Arena arena = Arena.ofConfined()) {
      var host = arena.allocate(64);
      long address = host.address();
      for (Executable call :
          List.<Executable>of(
              () -> device.upload(address, host, 8),
              () -> device.download(host, address, 8),
              () -> device.copy(address, address + 32, 8))) {
        String message = assertThrows(DeviceFaultException.class, call).getMessage();
        assertTrue(message.contains("operator=abs(x0): f32"), message);
      }
    }
  }

  @Test
  void shouldNameOperatorAndWorkerOfATaskThatDoesNotComeBack() throws Throwable {
    CudaComputeDevice device = open(SETTINGS);
    submit(device, Function.ABS);
    long hung = submit(device, Function.SIGN);
    long last = submit(device, Function.ABS);
    gpu.begin(5, hung);
    within(
        DEADLINE.plusSeconds(2),
        () -> {
          String message = awaitFault(device, last);
          assertTrue(
              message.matches(
                  "task overdue: device=cuda:0, operator=sign\\(x0\\): f32.*, worker=5, task="
                      + hung
                      + ", .*"),
              message);
        });
    // The kernel is still there, so nothing that would wait for it may be called.
    within(Duration.ofSeconds(4), device::close);
    assertEquals(List.of(), List.copyOf(gpu.waited));
    assertTrue(gpu.resident());
    assertEquals(1, gpu.retained());
    await(() -> !keeperRuns());
  }

  @Test
  void shouldCloseInFullWhenASlowTaskEndsAfterAll() throws Throwable {
    CudaComputeDevice device = open(SETTINGS);
    long slow = submit(device, Function.ABS);
    gpu.begin(0, slow);
    String message = awaitFault(device, slow);
    gpu.leave();
    Thread.sleep(20);
    assertEquals(message, awaitFault(device, slow));
    assertThrows(DeviceFaultException.class, () -> submit(device, Function.ABS));
    within(Duration.ofSeconds(2), device::close);
    assertEquals(List.of(), List.copyOf(gpu.waited));
    assertEquals(0, gpu.retained());
  }

  @Test
  void shouldNotBlameTasksThatNobodyHasBegun() throws Throwable {
    CudaComputeDevice device = open(SETTINGS);
    submit(device, Function.ABS);
    Thread.sleep(3 * DEADLINE.toMillis());
    assertNull(device.completions().fault());
    gpu.die(ILLEGAL_ADDRESS);
  }

  /** Loading by the driver waits for the workers to leave, and one of them never does. */
  @Test
  void shouldEndAWaitForWorkersThatDoNotLeave() throws Throwable {
    CudaComputeDevice device = open(SETTINGS.withInjection(Injection.DRIVER));
    long hung = submit(device, Function.ABS);
    // Not launched before code that comes in the background has been loaded.
    await(gpu::resident);
    gpu.begin(1, hung);
    CompletableFuture<Integer> loading =
        CompletableFuture.supplyAsync(() -> device.operator(sum()));
    within(
        DEADLINE.plusSeconds(10),
        () -> {
          ExecutionException end = assertThrows(ExecutionException.class, loading::get);
          assertTrue(end.getCause() instanceof DeviceFaultException, end::toString);
          assertTrue(
              end.getMessage().matches(".*operator=abs\\(x0\\): f32.*, worker=1, .*"),
              end::toString);
        });
    within(Duration.ofSeconds(4), device::close);
    assertEquals(List.of(), List.copyOf(gpu.waited));
    assertEquals(1, gpu.retained());
  }
}

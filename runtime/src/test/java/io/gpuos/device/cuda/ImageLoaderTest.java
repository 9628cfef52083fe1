package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.CudaHeader;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.device.Injections.Pause;
import io.gpuos.device.OpenPhases;
import io.gpuos.driver.FakeGpu;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Reducer;
import io.gpuos.jit.CompileService;
import io.gpuos.layout.DType;
import io.gpuos.queue.Invocation;
import java.util.Collections;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The driver's way over a driver that the test plays; needs NVRTC, no GPU. */
@Timeout(120)
class ImageLoaderTest {

  private final FakeGpu gpu = new FakeGpu();

  /** Kernels that are not interpreted: whoever wants one waits until it is loaded. */
  private static Kernel reduction(Reducer reducer) {
    return new Kernel.Reduction(
        List.of(new Operand(Role.INPUT, DType.F32), new Operand(Role.OUTPUT, DType.F32)),
        List.of(new Node.Load(0, DType.F32)),
        reducer,
        0,
        0);
  }

  private CudaComputeDevice open() {
    return CudaComputeDevice.open(
        gpu.cuda().device(0).retainPrimaryContext(),
        0,
        CompileService.open(0, CudaHeader.ABI_VERSION),
        DeviceSettings.defaults().withInjection(Injection.DRIVER),
        new OpenPhases());
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, "condition not met within 20 s");
      Thread.sleep(5);
    }
  }

  @Test
  void shouldTellForHowLongWorkersWereAway() {
    try (CudaComputeDevice device = open()) {
      assertFalse(device.injection().live());
      assertEquals("asked for: injection=driver", device.injection().reason());
      device.operator(reduction(Reducer.SUM));
      int before = device.injections().pauses().size();
      assertTrue(before > 0);
      device.operator(reduction(Reducer.MAX));
      List<Pause> pauses = device.injections().pauses();
      assertTrue(pauses.size() > before, pauses::toString);
      for (Pause pause : pauses) {
        assertTrue(pause.leftNanos() - pause.askedNanos() >= 0, pause::toString);
        assertTrue(pause.loadedNanos() - pause.leftNanos() > 0, pause::toString);
        assertTrue(pause.turnedNanos() - pause.loadedNanos() > 0, pause::toString);
        assertTrue(pause.releasedNanos() - pause.turnedNanos() > 0, pause::toString);
      }
    }
  }

  @Test
  void shouldLaunchNothingAndUnloadNothingInAPause() throws InterruptedException {
    try (CudaComputeDevice device = open()) {
      device.operator(reduction(Reducer.SUM));
      // The interpreter comes in beside it.
      await(() -> device.injections().pauses().size() == 2);
      device.operator(reduction(Reducer.MAX));
      List<String> calls = gpu.callsSince("cuModuleLoadDataEx");
      assertEquals(1, Collections.frequency(calls, "cuModuleGetFunction"), calls::toString);
      assertEquals(1, Collections.frequency(calls, "cuModuleGetGlobal_v2"), calls::toString);
      assertEquals(1, Collections.frequency(calls, "cuMemcpyDtoHAsync_v2"), calls::toString);
      assertFalse(calls.contains("cuLaunchKernel"), calls::toString);
      // Adding the operator to the table comes after the pause, and writes one alias.
      List<String> pause = calls.subList(0, calls.indexOf("cuStreamWriteValue64_v2"));
      assertFalse(pause.contains("cuModuleUnload"), pause::toString);
      assertFalse(pause.contains("cuMemHostRegister_v2"), pause::toString);
      assertFalse(pause.contains("cuMemAlloc_v2"), pause::toString);
    }
    assertEquals(0, gpu.modules());
  }

  /** The first image has the worker kernel alone; it stays, and so does the last. */
  @Test
  void shouldUnloadOldImagesWhenWorkersStayAway() throws InterruptedException {
    try (CudaComputeDevice device = open()) {
      device.operator(reduction(Reducer.SUM));
      device.operator(reduction(Reducer.MAX));
      device.operator(reduction(Reducer.MIN));
      await(() -> device.injections().pauses().size() == 4);
      await(() -> gpu.modules() == 2);
      Thread.sleep(100);
      assertEquals(2, gpu.modules());
      assertEquals(List.of(), List.copyOf(gpu.waited));
    }
    assertEquals(0, gpu.modules());
  }

  @Test
  void shouldKeepOldImagesWhileWorkersAreResident() throws InterruptedException {
    CudaComputeDevice device = open();
    int sum = device.operator(reduction(Reducer.SUM));
    device.operator(reduction(Reducer.MAX));
    device.ring().submit(Invocation.of(sum, 1).build());
    int modules = gpu.modules();
    Thread.sleep(200);
    assertTrue(gpu.resident());
    assertEquals(modules, gpu.modules());
    assertEquals(List.of(), List.copyOf(gpu.waited));
    gpu.die(700);
    device.close();
  }

  /** The worker kernel's own image stays, and every operator's with it. */
  @Test
  void shouldLoadEachOperatorApartWhenAskedTo() throws InterruptedException {
    System.setProperty(ImageLoader.APART_PROPERTY, "true");
    try (CudaComputeDevice device = open()) {
      device.operator(reduction(Reducer.SUM));
      await(() -> device.injections().pauses().size() == 2);
      device.operator(reduction(Reducer.MAX));
      List<String> calls = gpu.callsSince("cuModuleLoadDataEx");
      List<String> pause = calls.subList(0, calls.indexOf("cuStreamWriteValue64_v2"));
      assertEquals(1, Collections.frequency(pause, "cuModuleGetGlobal_v2"), pause::toString);
      assertEquals(1, Collections.frequency(pause, "cuMemcpyDtoHAsync_v2"), pause::toString);
      // No alias moves, and the worker kernel stays the one it is.
      assertFalse(pause.contains("cuMemcpyHtoDAsync_v2"), pause::toString);
      assertFalse(pause.contains("cuModuleGetFunction"), pause::toString);
      assertEquals(4, gpu.modules());
    } finally {
      System.clearProperty(ImageLoader.APART_PROPERTY);
    }
    assertEquals(0, gpu.modules());
  }
}

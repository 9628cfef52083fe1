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
import java.util.List;
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

  @Test
  void shouldTellForHowLongWorkersWereAway() {
    CompileService compiler = CompileService.open(0, CudaHeader.ABI_VERSION);
    try (CudaComputeDevice device =
        CudaComputeDevice.open(
            gpu.cuda().device(0).retainPrimaryContext(),
            0,
            compiler,
            DeviceSettings.defaults().withInjection(Injection.DRIVER),
            new OpenPhases())) {
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
}

package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.GpuosException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DevicesTest {

  @Test
  void shouldTakeTheCpuWhereThereIsNoCudaDevice() {
    try (ComputeDevice device = best(new DeviceUnavailableException("no driver"))) {
      assertEquals("cpu", device.name());
    }
  }

  @Test
  void shouldNotPassOverACudaDeviceThatFails() {
    CompileException refused = new CompileException("compiler refused the worker");
    assertSame(refused, assertThrows(CompileException.class, () -> best(refused)));
    DeviceException failed = new DeviceException("CUDA call failed");
    assertSame(failed, assertThrows(DeviceException.class, () -> best(failed)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", ""})
  void shouldRefuseUnknownNames(String name) {
    assertThrows(
        DeviceUnavailableException.class, () -> Devices.open(name, DeviceSettings.defaults()));
  }

  private static ComputeDevice best(GpuosException failure) {
    return Devices.openBest(
        DeviceSettings.defaults(),
        () -> {
          throw failure;
        });
  }
}

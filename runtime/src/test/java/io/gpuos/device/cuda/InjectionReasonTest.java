package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.DeviceSettings.Injection;
import org.junit.jupiter.api.Test;

class InjectionReasonTest {

  @Test
  void shouldSayWhyOperatorsComeInAsTheyDo() {
    assertEquals(
        "sm_90 is known to take live code",
        CudaComputeDevice.injectionReason(Injection.AUTO, "sm_90"));
    String unknown = CudaComputeDevice.injectionReason(Injection.AUTO, "sm_80");
    assertTrue(unknown.startsWith("sm_80 is not known to take live code"), unknown);
    assertTrue(unknown.contains("--injection=live"), unknown);
    assertEquals(
        "asked for: injection=live", CudaComputeDevice.injectionReason(Injection.LIVE, "sm_80"));
    assertEquals(
        "asked for: injection=driver",
        CudaComputeDevice.injectionReason(Injection.DRIVER, "sm_90"));
  }
}

package io.gpuos.conformance;

import io.gpuos.Gpuos;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.DeviceUnavailableException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.Timeout;

/**
 * What every device must do, by topic. A device passes if its subclass does; where it does not
 * open, every test is skipped with the reason. Each topic is an interface whose tests a subclass
 * inherits.
 *
 * <p>Tests talk to the public API only, apart from {@code Gpuos.device()}, through which they hold
 * the workers back to make orders of events certain.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class DeviceConformance
    implements FunctionConformance,
        ExpressionConformance,
        RowConformance,
        MatmulConformance,
        AttentionConformance,
        IndexConformance,
        ScanConformance,
        ScatterConformance,
        PlaceConformance,
        OrderingConformance,
        ProgramConformance,
        ThreadConformance,
        ErrorConformance,
        MemoryConformance,
        LiveConformance,
        LiveThreadConformance,
        CandidateConformance,
        LifetimeConformance,
        TransferConformance,
        WaitConformance {

  private final String device;
  private Gpuos shared;
  private String unavailable;

  DeviceConformance(String device) {
    this.device = device;
  }

  @BeforeEach
  void openDevice(TestReporter reporter) {
    if (unavailable == null && (shared == null || !shared.healthy())) {
      try {
        shared = open(DeviceSettings.defaults());
      } catch (DeviceUnavailableException reason) {
        unavailable = reason.getMessage();
      }
    }
    Assumptions.assumeTrue(unavailable == null, () -> device + " does not open: " + unavailable);
    reporter.publishEntry("device", shared.device().name() + ", " + shared.device().description());
  }

  @AfterAll
  void closeDevice() {
    if (shared != null) {
      shared.close();
    }
  }

  @Override
  public String device() {
    return device;
  }

  @Override
  public Gpuos shared() {
    return shared;
  }

  @Override
  public Gpuos renewed() {
    return shared;
  }

  /** Closes the shared runtime and opens another. */
  final Gpuos reopen() {
    shared.close();
    shared = open(DeviceSettings.defaults());
    return shared;
  }
}

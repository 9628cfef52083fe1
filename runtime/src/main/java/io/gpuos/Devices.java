package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.InjectionStatus;
import io.gpuos.device.cpu.CpuDevice;
import io.gpuos.device.cuda.CudaComputeDevice;
import io.gpuos.error.DeviceUnavailableException;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/** Chooses and opens the device a user names. */
final class Devices {

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  private static final String CUDA_PREFIX = "cuda:";

  /** Plain decimal: neither sign, nor leading zeros, nor the digits of other scripts. */
  private static final Pattern CUDA = Pattern.compile(CUDA_PREFIX + "(0|[1-9][0-9]*)");

  private Devices() {}

  static ComputeDevice open(String name, DeviceSettings settings) {
    if (name.equals("auto")) {
      return openBest(settings, () -> CudaComputeDevice.open(0, settings));
    }
    if (name.equals("cpu")) {
      return new CpuDevice(settings);
    }
    return CudaComputeDevice.open(ordinal(name), settings);
  }

  /**
   * The CUDA device if there is one, otherwise the CPU device. One that is there and fails is not
   * passed over: whoever has a GPU would rather know than compute elsewhere.
   */
  static ComputeDevice openBest(DeviceSettings settings, Supplier<ComputeDevice> cuda) {
    ComputeDevice device;
    String reason;
    try {
      device = cuda.get();
      InjectionStatus injection = device.injection();
      reason =
          "first CUDA device; operators come in %s: %s"
              .formatted(injection.live() ? "live" : "by the driver", injection.reason());
    } catch (DeviceUnavailableException unavailable) {
      LOG.log(System.Logger.Level.DEBUG, "no CUDA device: {0}", unavailable.getMessage());
      device = new CpuDevice(settings);
      reason = "no usable CUDA device, gpuos doctor says why";
    }
    LOG.log(
        System.Logger.Level.INFO,
        "device={0} ({1}); {2}",
        device.name(),
        device.description(),
        reason);
    return device;
  }

  private static int ordinal(String name) {
    if (name.equals("cuda")) {
      return 0;
    }
    if (CUDA.matcher(name).matches()) {
      try {
        return Integer.parseInt(name.substring(CUDA_PREFIX.length()));
      } catch (NumberFormatException _) {
        // More than any machine has, and refused as what is no number.
      }
    }
    throw new DeviceUnavailableException(
        "unknown device: device=%s, expected=auto, cpu, cuda or cuda:N; N is 0, 1, 2 and so on"
            .formatted(name));
  }
}

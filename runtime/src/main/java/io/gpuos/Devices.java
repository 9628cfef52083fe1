package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.cpu.CpuDevice;
import io.gpuos.device.cuda.CudaComputeDevice;
import io.gpuos.error.DeviceUnavailableException;
import java.util.function.Supplier;

/** Chooses and opens the device a user names. */
final class Devices {

  private static final System.Logger LOG = System.getLogger("io.gpuos");

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
      reason = "first CUDA device";
    } catch (DeviceUnavailableException unavailable) {
      device = new CpuDevice(settings);
      reason = "no CUDA device: " + unavailable.getMessage();
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
    if (name.startsWith("cuda:") || name.equals("cuda")) {
      try {
        return name.equals("cuda") ? 0 : Integer.parseUnsignedInt(name.substring(5));
      } catch (NumberFormatException _) {
        // Falls through to the message below.
      }
    }
    throw new DeviceUnavailableException(
        "unknown device: device=" + name + ", expected=auto, cpu or cuda:N");
  }
}

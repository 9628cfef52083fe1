package io.gpuos.cli;

import io.gpuos.Gpuos;
import io.gpuos.device.DeviceSettings;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The choice of a device, shared by the commands that need one. */
final class DeviceOptions {

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      description = "auto (the default: a CUDA device if there is one), cpu or cuda:N.")
  private String device;

  @Mixin private InjectionOption injection;

  /** Opens the device; for {@code auto} a line on standard error says which one it is, and why. */
  Gpuos open() {
    return Gpuos.open(device, injection.settings());
  }

  /** Opens the device with other settings, apart from how operators come in. */
  Gpuos open(DeviceSettings settings) {
    return Gpuos.open(device, settings.withInjection(injection.settings().injection()));
  }
}

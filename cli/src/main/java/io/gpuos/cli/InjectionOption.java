package io.gpuos.cli;

import io.gpuos.device.DeviceSettings;
import io.gpuos.device.DeviceSettings.Injection;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How operators come into a running CUDA kernel, for commands that open a device. */
final class InjectionOption {

  private static final String NAME = "--injection";

  @Option(
      names = NAME,
      paramLabel = "WAY",
      description =
          "How operators come into a running CUDA kernel: auto (the default: live where the "
              + "self-test of gpuos doctor passed or that is known to work), live or driver.")
  private Optional<String> way;

  /** The defaults, with what was asked for. */
  DeviceSettings settings() {
    return way.map(name -> DeviceSettings.defaults(Injection.named(NAME, name)))
        .orElseGet(DeviceSettings::defaults);
  }
}

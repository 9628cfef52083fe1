package io.gpuos.cli.doctor;

import io.gpuos.Gpuos;
import io.gpuos.cli.doctor.ProbeVerdict.Result;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.OutOfMemoryException;
import java.util.ArrayList;
import java.util.List;

/**
 * The process of a self-test: brings operators into the running workers of one device, live, and
 * checks every result. {@link SelfTest} starts it.
 */
public final class Probe {

  private Probe() {}

  /**
   * Probes a device and prints a {@link ProbeVerdict} as the last line. Exit code 0 whatever it
   * says.
   *
   * @param arguments the device, such as {@code cuda:0}
   */
  public static void main(String[] arguments) {
    // After the device is closed: one that does not close has not passed.
    System.out.println(probe(arguments[0]).line());
  }

  static ProbeVerdict probe(String device) {
    List<String> passed = new ArrayList<>();
    try (Gpuos gpu = Gpuos.open(device, DeviceSettings.defaults(Injection.LIVE))) {
      for (ProbeChecks.Check check : ProbeChecks.all(gpu)) {
        check.body().run();
        passed.add(check.name());
      }
    } catch (DeviceUnavailableException | OutOfMemoryException | CompileException e) {
      // Says nothing about live code: there is no device, no room or no compiler for it.
      return new ProbeVerdict(Result.NOT_RUN, passed.size(), e.getMessage());
    } catch (Throwable e) {
      String reason = e.getMessage() == null ? e.toString() : e.getMessage();
      return new ProbeVerdict(Result.FAILED, passed.size(), reason);
    }
    return new ProbeVerdict(Result.PASSED, passed.size(), String.join(", ", passed));
  }
}

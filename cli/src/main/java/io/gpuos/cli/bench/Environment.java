package io.gpuos.cli.bench;

import io.gpuos.device.ComputeDevice;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/**
 * Where and how a benchmark was run.
 *
 * @param date begin, UTC
 * @param driver driver and its version, or {@code none}
 * @param device {@code cpu} or {@code cuda:N}
 * @param loadAverage runnable threads of the machine over the last minute, before the run; negative
 *     if unknown
 */
public record Environment(
    String date,
    String system,
    String processor,
    int processors,
    long memoryBytes,
    double loadAverage,
    String jdk,
    String gpuos,
    String commit,
    String driver,
    String device,
    String deviceDescription,
    long seed,
    List<String> commandLine) {

  /** What does not depend on the machine. */
  public record Run(
      String gpuos, String commit, String driver, long seed, List<String> commandLine) {}

  /** Reads the machine. */
  public static Environment of(ComputeDevice device, Run run) {
    return new Environment(
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        Machine.processor(),
        Runtime.getRuntime().availableProcessors(),
        Machine.memory(),
        Machine.load(),
        Runtime.version() + ", " + System.getProperty("java.vendor"),
        run.gpuos(),
        run.commit(),
        run.driver(),
        device.name(),
        device.description(),
        run.seed(),
        run.commandLine());
  }
}

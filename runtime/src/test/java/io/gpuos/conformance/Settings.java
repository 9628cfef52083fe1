package io.gpuos.conformance;

import io.gpuos.device.DeviceSettings;
import java.time.Duration;
import java.util.stream.LongStream;

/**
 * Settings of the suite, from system properties, and device settings under which rare things happen
 * all the time.
 */
final class Settings {

  private Settings() {}

  /** Sequences shortly before each wrap that 32-bit and 64-bit counters have, and the default. */
  static LongStream firstSequences() {
    return LongStream.of(1, (1L << 31) - 150, (1L << 32) - 150, Long.MAX_VALUE - 150, -150);
  }

  /** Seed of all random tests: {@code -Dgpuos.conformance.seed}. */
  static long seed() {
    return Long.getLong("gpuos.conformance.seed", 20_250_101);
  }

  /** Number of random cases: {@code -Dgpuos.conformance.cases}. */
  static int cases(int byDefault) {
    return Integer.getInteger("gpuos.conformance.cases", byDefault);
  }

  /** Number of random graphs: {@code -Dgpuos.conformance.graphs}. */
  static int graphs(int byDefault) {
    return Integer.getInteger("gpuos.conformance.graphs", byDefault);
  }

  /** The one random case to run: {@code -Dgpuos.conformance.only}; negative for all. */
  static int only() {
    return Integer.getInteger("gpuos.conformance.only", -1);
  }

  /** The smallest ring, and workers that park and come back many times a millisecond. */
  static DeviceSettings restless(int workers) {
    return DeviceSettings.defaults()
        .withWorkers(workers)
        .withRingCapacity(64)
        .withLinger(Duration.ofNanos(20_000))
        .withMaxResidency(Duration.ofNanos(200_000));
  }
}

package io.gpuos.device;

import java.time.Duration;

/**
 * How a device is opened.
 *
 * @param workers number of workers; 0 lets the device choose
 * @param ringCapacity records in the submission ring: a power of two, 64 to 32768
 * @param linger workers park when idle for longer
 * @param maxResidency workers park when resident for longer, and come back if there is work
 * @param fullWait how long a submission waits for room in a full ring
 * @param taskDeadline how long one task may run; one that runs longer ends the device, see {@link
 *     io.gpuos.queue.Watchdog}. A task is an operation, or one tile of a large one.
 * @param firstSequence where the 64-bit sequence numbers start; tests start them just below a wrap
 * @param injection how operators come into a running CUDA kernel; the CPU device has one way
 */
public record DeviceSettings(
    int workers,
    int ringCapacity,
    Duration linger,
    Duration maxResidency,
    Duration fullWait,
    Duration taskDeadline,
    long firstSequence,
    Injection injection) {

  /** How operators come into a running kernel. */
  public enum Injection {
    /** As the self-test found; without one live where it is known to work, else by the driver. */
    AUTO,
    /** GPUOS places the machine code itself; the kernel goes on. */
    LIVE,
    /** The driver loads a module, for which the workers park. */
    DRIVER;

    /** The setting {@value #PROPERTY}; AUTO without one. */
    static Injection preferred() {
      return named(PROPERTY, System.getProperty(PROPERTY, "auto"));
    }

    /**
     * The way of that name, in any case.
     *
     * @param setting who names it, for the message
     * @throws io.gpuos.error.InvalidInputException if none has it
     */
    public static Injection named(String setting, String name) {
      for (Injection way : values()) {
        if (way.name().equalsIgnoreCase(name)) {
          return way;
        }
      }
      throw invalid(setting, name, "auto, live or driver");
    }
  }

  /** System property for {@link Injection}, in {@link #defaults}. */
  public static final String PROPERTY = "gpuos.injection";

  /** Forever, for every duration here; longer ones become this. */
  public static final Duration FOREVER = Duration.ofDays(100_000);

  public DeviceSettings {
    if (workers < 0 || workers > 2047) {
      throw invalid("workers", workers, "0 to 2047");
    }
    if (Integer.bitCount(ringCapacity) != 1 || ringCapacity < 64 || ringCapacity > 32_768) {
      throw invalid("ringCapacity", ringCapacity, "a power of two from 64 to 32768");
    }
    linger = positive("linger", linger);
    maxResidency = positive("maxResidency", maxResidency);
    fullWait = positive("fullWait", fullWait);
    taskDeadline = positive("taskDeadline", taskDeadline);
  }

  /** At most {@link #FOREVER}, so that it can be counted in nanoseconds. */
  private static Duration positive(String name, Duration value) {
    if (value.isNegative() || value.isZero()) {
      throw invalid(name, value, "a positive duration");
    }
    return value.compareTo(FOREVER) > 0 ? FOREVER : value;
  }

  private static RuntimeException invalid(String name, Object value, String expected) {
    return new io.gpuos.error.InvalidInputException(
        "device setting: " + name + "=" + value + ", expected=" + expected);
  }

  /**
   * The defaults: 16384 records, 200 us linger, 100 ms residency, 10 s wait for room, 10 s for a
   * task.
   */
  public static DeviceSettings defaults() {
    return defaults(Injection.preferred());
  }

  /** The defaults with that way of {@link Injection}, whatever the system property says. */
  public static DeviceSettings defaults(Injection injection) {
    return new DeviceSettings(
        0,
        16_384,
        Duration.ofNanos(200_000),
        Duration.ofMillis(100),
        Duration.ofSeconds(10),
        Duration.ofSeconds(10),
        1,
        injection);
  }

  public DeviceSettings withWorkers(int value) {
    return new DeviceSettings(
        value,
        ringCapacity,
        linger,
        maxResidency,
        fullWait,
        taskDeadline,
        firstSequence,
        injection);
  }

  public DeviceSettings withRingCapacity(int value) {
    return new DeviceSettings(
        workers, value, linger, maxResidency, fullWait, taskDeadline, firstSequence, injection);
  }

  public DeviceSettings withLinger(Duration value) {
    return new DeviceSettings(
        workers,
        ringCapacity,
        value,
        maxResidency,
        fullWait,
        taskDeadline,
        firstSequence,
        injection);
  }

  public DeviceSettings withMaxResidency(Duration value) {
    return new DeviceSettings(
        workers, ringCapacity, linger, value, fullWait, taskDeadline, firstSequence, injection);
  }

  public DeviceSettings withFullWait(Duration value) {
    return new DeviceSettings(
        workers, ringCapacity, linger, maxResidency, value, taskDeadline, firstSequence, injection);
  }

  public DeviceSettings withTaskDeadline(Duration value) {
    return new DeviceSettings(
        workers, ringCapacity, linger, maxResidency, fullWait, value, firstSequence, injection);
  }

  public DeviceSettings withInjection(Injection value) {
    return new DeviceSettings(
        workers, ringCapacity, linger, maxResidency, fullWait, taskDeadline, firstSequence, value);
  }

  public DeviceSettings withFirstSequence(long value) {
    return new DeviceSettings(
        workers, ringCapacity, linger, maxResidency, fullWait, taskDeadline, value, injection);
  }
}

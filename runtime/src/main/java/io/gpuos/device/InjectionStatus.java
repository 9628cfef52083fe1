package io.gpuos.device;

import java.util.Optional;

/**
 * How new operators come to a device's workers, at one moment.
 *
 * @param live whether the workers go on meanwhile
 * @param way what is done, in words
 * @param reason why it is done this way here
 * @param arena the memory that live code lies in, where there is one
 */
public record InjectionStatus(boolean live, String way, String reason, Optional<Arena> arena) {

  /**
   * Device memory for machine code; given out once, and freed when the device is closed.
   *
   * @param operators that were placed
   * @param usedBytes taken by their code
   * @param reservedBytes allocated on the device so far
   * @param limitBytes allocated at most
   */
  public record Arena(int operators, long usedBytes, long reservedBytes, long limitBytes) {}
}

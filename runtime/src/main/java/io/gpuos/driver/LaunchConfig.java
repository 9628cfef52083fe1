package io.gpuos.driver;

import io.gpuos.error.InvalidInputException;
import java.util.Locale;

/**
 * Shape of a kernel launch. Immutable.
 *
 * @param gridX blocks in x, at least 1; y and z likewise
 * @param blockX threads of a block in x, at least 1; y and z likewise
 * @param sharedBytes dynamic shared memory of each block
 * @param cooperative refuse the launch unless all blocks can be resident at once, which kernels
 *     whose blocks wait for each other need
 */
public record LaunchConfig(
    int gridX,
    int gridY,
    int gridZ,
    int blockX,
    int blockY,
    int blockZ,
    int sharedBytes,
    boolean cooperative) {

  public LaunchConfig {
    if (Math.min(Math.min(gridX, gridY), gridZ) < 1
        || Math.min(Math.min(blockX, blockY), blockZ) < 1
        || sharedBytes < 0) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "launch shape out of range: grid=[%d, %d, %d], block=[%d, %d, %d], shared=%d, expected=%s",
              gridX,
              gridY,
              gridZ,
              blockX,
              blockY,
              blockZ,
              sharedBytes,
              "at least 1 each and shared not negative"));
    }
  }

  /** A one-dimensional launch without dynamic shared memory. */
  public static LaunchConfig of(int blocks, int threads) {
    return new LaunchConfig(blocks, 1, 1, threads, 1, 1, 0, false);
  }

  /** The same with dynamic shared memory. */
  public LaunchConfig withSharedBytes(int bytes) {
    return new LaunchConfig(gridX, gridY, gridZ, blockX, blockY, blockZ, bytes, cooperative);
  }

  /** The same, all blocks resident at once or refused. */
  public LaunchConfig asCooperative() {
    return new LaunchConfig(gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, true);
  }
}

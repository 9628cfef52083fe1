package io.gpuos.codegen;

/**
 * How a reduction folds staged values. The values are {@code double} for floating types, {@code
 * long} for the others, in the slot of the kernel's output; the results are formed in
 * <em>cells</em> of slot {@link CpuScratch#RESULT}, one per kept position at hand. Immutable: all
 * state is in the scratch.
 *
 * <p>A cell's values may come in several calls, each of which continues where the last ended. The
 * caller cuts them at places that depend on the space alone, so results do not depend on tiling.
 */
abstract class Fold {

  /** Compute type of the values: DOUBLE or LONG. */
  abstract ComputeType valueType();

  /** Compute type of the results: DOUBLE or LONG. */
  abstract ComputeType resultType();

  /** Sets a cell to the result of no values. */
  abstract void begin(CpuScratch scratch, int cell);

  /**
   * Folds values into a cell.
   *
   * @param slot of the values
   * @param from index of the first value
   * @param step distance of one value to the next
   * @param n number of values, at least 1
   * @param before number of values folded into the cell so far
   */
  abstract void fold(
      CpuScratch scratch, int cell, int slot, int from, int step, int n, long before);

  /** Turns a cell into its result after {@code count} values. */
  void finish(CpuScratch scratch, int cell, long count) {}
}

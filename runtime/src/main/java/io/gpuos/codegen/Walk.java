package io.gpuos.codegen;

import io.gpuos.layout.IterationSpace;

/**
 * Where one chunk of one operand lies: <em>runs</em> of elements a constant stride apart, in the
 * order of the chunk. All runs have the same length, but for a shorter first and last one. Offsets
 * and strides are in elements. Mutable and reused; belongs to a {@link CpuScratch}.
 */
final class Walk {

  private final long[] starts = new long[CpuScratch.CHUNK];
  private final long[] index = new long[IterationSpace.MAX_RANK];
  private final long[] odometer = new long[IterationSpace.MAX_RANK];
  private int runs;
  private int firstLength;
  private int innerLength;
  private int total;
  private long stride;

  int runs() {
    return runs;
  }

  /** Offset of a run's first element. */
  long start(int run) {
    return starts[run];
  }

  /** Number of elements of a run. */
  int length(int run) {
    if (run == 0) {
      return firstLength;
    }
    int before = firstLength + (run - 1) * innerLength;
    return Math.min(innerLength, total - before);
  }

  /** Distance of the elements of a run. */
  long stride() {
    return stride;
  }

  /**
   * Goes to a position that counts dimensions {@code [from, to)} row-major, for the traces that
   * follow.
   */
  void seek(IterationSpace space, int from, int to, long position) {
    long rest = position;
    for (int d = to - 1; d > from; d--) {
      long size = space.size(d);
      index[d] = rest % size;
      rest /= size;
    }
    if (to > from) {
      index[from] = rest;
    }
  }

  /**
   * Traces an operand over {@code n} consecutive positions of the first {@code dims} dimensions, at
   * least one, from where {@link #seek} over {@code [0, dims)} went.
   */
  void trace(IterationSpace space, int operand, int dims, int n) {
    int last = dims - 1;
    stride = space.stride(operand, last);
    innerLength = (int) Math.min(space.size(last), CpuScratch.CHUNK);
    firstLength = (int) Math.min(space.size(last) - index[last], n);
    total = n;
    long offset = begin(space, operand, 0, last);
    starts[0] = offset + index[last] * stride;
    runs = 1;
    for (int at = firstLength; at < n; at += innerLength) {
      offset += advance(space, operand, 0, last);
      starts[runs++] = offset;
    }
  }

  /**
   * Traces an operand over {@code rows} consecutive positions of the reduced dimensions, from where
   * {@link #seek} over them went; at each lies a run of {@code columns} elements along the last
   * kept dimension.
   *
   * @param origin offset of the block's first kept position
   */
  void traceBlock(IterationSpace space, int operand, long origin, int rows, int columns) {
    stride = space.stride(operand, space.kept() - 1);
    innerLength = columns;
    firstLength = columns;
    total = rows * columns;
    runs = rows;
    long offset = origin + begin(space, operand, space.kept(), space.rank());
    starts[0] = offset;
    for (int r = 1; r < rows; r++) {
      offset += advance(space, operand, space.kept(), space.rank());
      starts[r] = offset;
    }
  }

  /**
   * Sets {@code rows} runs of {@code columns} elements each, from {@code origin} on.
   *
   * @param rowStep from one run to the next
   * @param columnStep from one element of a run to the next
   */
  void grid(long origin, int rows, long rowStep, int columns, long columnStep) {
    stride = columnStep;
    innerLength = columns;
    firstLength = columns;
    total = rows * columns;
    runs = rows;
    for (int r = 0; r < rows; r++) {
      starts[r] = origin + r * rowStep;
    }
  }

  /** Writes the offset of each element of the runs, in the order of the chunk. */
  void offsets(long[] to) {
    int at = 0;
    for (int r = 0; r < runs; r++) {
      for (int i = 0; i < length(r); i++) {
        to[at++] = starts[r] + i * stride;
      }
    }
  }

  /** Sets the odometer to the index of dimensions {@code [from, to)}; returns the offset there. */
  private long begin(IterationSpace space, int operand, int from, int to) {
    long offset = 0;
    for (int d = from; d < to; d++) {
      odometer[d] = index[d];
      offset += index[d] * space.stride(operand, d);
    }
    return offset;
  }

  /** Advances the odometer of dimensions {@code [from, to)} by one; returns the offset's change. */
  private long advance(IterationSpace space, int operand, int from, int to) {
    long change = 0;
    for (int d = to - 1; d >= from; d--) {
      change += space.stride(operand, d);
      if (++odometer[d] < space.size(d)) {
        return change;
      }
      change -= space.size(d) * space.stride(operand, d);
      odometer[d] = 0;
    }
    return change;
  }
}

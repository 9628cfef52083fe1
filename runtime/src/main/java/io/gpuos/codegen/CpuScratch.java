package io.gpuos.codegen;

import java.util.Arrays;

/**
 * The working memory of one CPU worker: heap arrays that a chunk of at most {@value #CHUNK}
 * elements is staged in, one per operand and compute type. About 300 KiB. Not thread-safe: one
 * thread at a time, across any number of kernels.
 *
 * <p>Array {@code floats[s]} (and so on) belongs to slot {@code s}: slots 0 to 9 are the operands
 * of the running kernel, then come {@link #RESULT}, {@link #STATE} and the temporaries of
 * expressions that are computed in several loops.
 */
public final class CpuScratch {

  /** Most elements staged at a time: three operands of float fit a first-level cache. */
  static final int CHUNK = 1024;

  /** Slot of a reduction's results, one cell per kept position of the chunk. */
  static final int RESULT = 10;

  /** Slot of what a reduction remembers beside its result. */
  static final int STATE = 11;

  /** Slot of the first temporary. */
  static final int TEMPORARIES = 12;

  /**
   * Elements by which arrays exceed a chunk, so that neighbours do not lie a multiple of 4 KiB
   * apart, where loads of one wait for stores to the other.
   */
  private static final int PADDING = 40;

  float[][] floats = new float[TEMPORARIES][CHUNK + PADDING];
  double[][] doubles = new double[TEMPORARIES][CHUNK + PADDING];
  long[][] longs = new long[TEMPORARIES][CHUNK + PADDING];
  int[][] ints = new int[TEMPORARIES][CHUNK + PADDING];

  /** Raw 16-bit elements on their way to or from a wider array. */
  final short[] shorts = new short[CHUNK];

  /** Raw 8-bit elements on their way to or from a wider array. */
  final byte[] bytes = new byte[CHUNK];

  /** Where the runs of a chunk are, see {@link Walk}. */
  final Walk walk = new Walk();

  /** Creates a scratch for one worker. */
  public CpuScratch() {}

  /** Makes room for that many temporaries of each compute type. */
  void reserve(int temporaries) {
    int slots = TEMPORARIES + temporaries;
    if (floats.length < slots) {
      grow(slots);
    }
  }

  private void grow(int slots) {
    int from = floats.length;
    floats = Arrays.copyOf(floats, slots);
    doubles = Arrays.copyOf(doubles, slots);
    longs = Arrays.copyOf(longs, slots);
    ints = Arrays.copyOf(ints, slots);
    for (int s = from; s < slots; s++) {
      floats[s] = new float[CHUNK + PADDING];
      doubles[s] = new double[CHUNK + PADDING];
      longs[s] = new long[CHUNK + PADDING];
      ints[s] = new int[CHUNK + PADDING];
    }
  }
}

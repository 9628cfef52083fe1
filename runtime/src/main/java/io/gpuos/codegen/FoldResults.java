package io.gpuos.codegen;

import io.gpuos.layout.DType;

/** What folds leave, {@code double} or {@code long}, in the type that a result has. */
final class FoldResults {

  private FoldResults() {}

  /** Brings results to a slot of their type; what is too wide there is left to {@link #round}. */
  static void convert(CpuScratch scratch, double[] results, DType type, int slot, int n) {
    boolean truth = type == DType.BOOL;
    for (int i = 0; i < n; i++) {
      double result = results[i];
      switch (ComputeType.of(type)) {
        case FLOAT -> scratch.floats[slot][i] = (float) result;
        case DOUBLE -> scratch.doubles[slot][i] = result;
        case LONG -> scratch.longs[slot][i] = (long) result;
        case INT -> scratch.ints[slot][i] = truth ? (result != 0 ? 1 : 0) : (int) result;
      }
    }
  }

  /** The same for results in {@code long}. */
  static void convert(CpuScratch scratch, long[] results, DType type, int slot, int n) {
    boolean truth = type == DType.BOOL;
    for (int i = 0; i < n; i++) {
      long result = results[i];
      switch (ComputeType.of(type)) {
        case FLOAT -> scratch.floats[slot][i] = result;
        case DOUBLE -> scratch.doubles[slot][i] = result;
        case LONG -> scratch.longs[slot][i] = result;
        case INT -> scratch.ints[slot][i] = truth ? (result != 0 ? 1 : 0) : (int) result;
      }
    }
  }

  /** Makes of results in a slot what a store and a load would. */
  static void round(CpuScratch scratch, DType type, int slot, int n) {
    switch (type) {
      case F64, F32, I64, I32, BOOL -> {}
      case F16 -> {
        float[] results = scratch.floats[slot];
        for (int i = 0; i < n; i++) {
          results[i] = Halves.roundToF16(results[i]);
        }
      }
      case BF16 -> {
        float[] results = scratch.floats[slot];
        for (int i = 0; i < n; i++) {
          results[i] = Halves.roundToBf16(results[i]);
        }
      }
      case I16, I8, U8 -> {
        int[] results = scratch.ints[slot];
        for (int i = 0; i < n; i++) {
          results[i] = wrapped(type, results[i]);
        }
      }
    }
  }

  private static int wrapped(DType type, int value) {
    return switch (type) {
      case I16 -> (short) value;
      case I8 -> (byte) value;
      case U8 -> value & 0xff;
      default -> value;
    };
  }
}

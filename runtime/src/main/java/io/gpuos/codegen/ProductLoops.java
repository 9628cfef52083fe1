package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.util.Arrays;

/**
 * The loops of a matrix product on staged panels, for each {@link ComputeType}: {@code out[r][c] +=
 * left[r][k] * right[k][c]}, all row-major. The innermost loop is plain for the JIT compiler to
 * vectorise. The product is in the slot of {@link Kernel.Contraction#PRODUCT}.
 *
 * <p>Integers of up to 32 bits are summed in 32: what is cut off at the end is the same as of 64.
 */
final class ProductLoops {

  private static final int OUT = Kernel.Contraction.PRODUCT;

  private ProductLoops() {}

  /** Sets {@code n} sums to zero. */
  static void clear(DType type, CpuScratch scratch, int n) {
    switch (ComputeType.of(type)) {
      case FLOAT -> Arrays.fill(scratch.floats[OUT], 0, n, 0);
      case DOUBLE -> Arrays.fill(scratch.doubles[OUT], 0, n, 0);
      case LONG -> Arrays.fill(scratch.longs[OUT], 0, n, 0);
      case INT -> Arrays.fill(scratch.ints[OUT], 0, n, 0);
    }
  }

  /** Adds the product of two panels to the sums from {@code cell} on. */
  static void add(
      DType type,
      CpuScratch scratch,
      int left,
      int right,
      int cell,
      int rows,
      int columns,
      int depth) {
    for (int r = 0; r < rows; r++) {
      int at = cell + r * columns;
      int from = r * depth;
      switch (ComputeType.of(type)) {
        case FLOAT ->
            row(
                scratch.floats[left],
                from,
                scratch.floats[right],
                scratch.floats[OUT],
                at,
                columns,
                depth);
        case DOUBLE ->
            row(
                scratch.doubles[left],
                from,
                scratch.doubles[right],
                scratch.doubles[OUT],
                at,
                columns,
                depth);
        case LONG ->
            row(
                scratch.longs[left],
                from,
                scratch.longs[right],
                scratch.longs[OUT],
                at,
                columns,
                depth);
        case INT ->
            row(
                scratch.ints[left],
                from,
                scratch.ints[right],
                scratch.ints[OUT],
                at,
                columns,
                depth);
      }
    }
  }

  private static void row(
      float[] left, int from, float[] right, float[] out, int at, int columns, int depth) {
    for (int k = 0; k < depth; k++) {
      float x = left[from + k];
      int start = k * columns;
      for (int c = 0; c < columns; c++) {
        out[at + c] += x * right[start + c];
      }
    }
  }

  private static void row(
      double[] left, int from, double[] right, double[] out, int at, int columns, int depth) {
    for (int k = 0; k < depth; k++) {
      double x = left[from + k];
      int start = k * columns;
      for (int c = 0; c < columns; c++) {
        out[at + c] += x * right[start + c];
      }
    }
  }

  private static void row(
      long[] left, int from, long[] right, long[] out, int at, int columns, int depth) {
    for (int k = 0; k < depth; k++) {
      long x = left[from + k];
      int start = k * columns;
      for (int c = 0; c < columns; c++) {
        out[at + c] += x * right[start + c];
      }
    }
  }

  private static void row(
      int[] left, int from, int[] right, int[] out, int at, int columns, int depth) {
    for (int k = 0; k < depth; k++) {
      int x = left[from + k];
      int start = k * columns;
      for (int c = 0; c < columns; c++) {
        out[at + c] += x * right[start + c];
      }
    }
  }

  /** Cuts {@code n} sums to the width of a narrow integer. */
  static void wrap(DType type, CpuScratch scratch, int n) {
    int[] sums = scratch.ints[OUT];
    switch (type) {
      case I16 -> {
        for (int i = 0; i < n; i++) {
          sums[i] = (short) sums[i];
        }
      }
      case I8 -> {
        for (int i = 0; i < n; i++) {
          sums[i] = (byte) sums[i];
        }
      }
      case U8 -> {
        for (int i = 0; i < n; i++) {
          sums[i] &= 0xFF;
        }
      }
      case F64, F32, F16, BF16, I64, I32, BOOL -> {}
    }
  }
}

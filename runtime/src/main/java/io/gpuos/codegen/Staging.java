package io.gpuos.codegen;

import io.gpuos.layout.DType;

/**
 * Brings elements of one type between native memory and the slots of a {@link CpuScratch}, where
 * they have their {@link ComputeType}. Types narrower than that pass through an array of raw
 * elements; the loops that widen and narrow are plain for the JIT compiler to vectorise.
 *
 * <p>Immutable. The {@code stride}s here are in elements.
 */
final class Staging {

  private final DType type;
  private final RawElements raw;

  Staging(DType type) {
    this.type = type;
    this.raw =
        switch (type) {
          case F64 -> RawElements.DOUBLE;
          case F32 -> RawElements.FLOAT;
          case F16, BF16, I16 -> RawElements.SHORT;
          case I64 -> RawElements.LONG;
          case I32 -> RawElements.INT;
          case I8, U8, BOOL -> RawElements.BYTE;
        };
  }

  /** Fills the slot from {@code n} elements that are {@code stride} apart. */
  void load(CpuScratch scratch, int slot, long address, long stride, int n) {
    raw.load(address, stride * type.bytes(), rawArray(scratch, slot), 0, n);
    widen(scratch, slot, n);
  }

  /** Fills the slot from the runs of {@code scratch.walk}. */
  void load(CpuScratch scratch, int slot, long address) {
    Walk walk = scratch.walk;
    Object array = rawArray(scratch, slot);
    int at = 0;
    for (int r = 0; r < walk.runs(); r++) {
      int length = walk.length(r);
      long start = address + walk.start(r) * type.bytes();
      raw.load(start, walk.stride() * type.bytes(), array, at, length);
      at += length;
    }
    widen(scratch, slot, at);
  }

  /**
   * Fills the slot from {@code n} elements at the offsets in slot {@code offsets} of the longs;
   * where there is none, with NaN or 0. Elements {@code step} apart are read together.
   */
  void loadPicked(CpuScratch scratch, int slot, long address, int offsets, long step, int n) {
    long[] at = scratch.longs[offsets];
    Object array = rawArray(scratch, slot);
    for (int i = 0; i < n; ) {
      int end = i + 1;
      if (!GatherKernel.isNowhere(at[i])) {
        while (end < n && !GatherKernel.isNowhere(at[end]) && at[end] == at[end - 1] + step) {
          end++;
        }
        raw.load(address + at[i] * type.bytes(), step * type.bytes(), array, i, end - i);
      }
      i = end;
    }
    widen(scratch, slot, n);
    for (int i = 0; i < n; i++) {
      if (GatherKernel.isNowhere(at[i])) {
        clear(scratch, slot, i);
      }
    }
  }

  private void clear(CpuScratch scratch, int slot, int i) {
    switch (ComputeType.of(type)) {
      case DOUBLE -> scratch.doubles[slot][i] = Double.NaN;
      case FLOAT -> scratch.floats[slot][i] = Float.NaN;
      case LONG -> scratch.longs[slot][i] = 0;
      case INT -> scratch.ints[slot][i] = 0;
    }
  }

  /** Writes the slot's first {@code n} elements to places that are {@code stride} apart. */
  void store(CpuScratch scratch, int slot, long address, long stride, int n) {
    narrow(scratch, slot, n);
    raw.store(rawArray(scratch, slot), 0, n, address, stride * type.bytes());
  }

  /** Writes the slot's first {@code n} elements to the runs of {@code scratch.walk}. */
  void storeRuns(CpuScratch scratch, int slot, long address, int n) {
    narrow(scratch, slot, n);
    Walk walk = scratch.walk;
    Object array = rawArray(scratch, slot);
    int at = 0;
    for (int r = 0; r < walk.runs(); r++) {
      int length = walk.length(r);
      long start = address + walk.start(r) * type.bytes();
      raw.store(array, at, length, start, walk.stride() * type.bytes());
      at += length;
    }
  }

  private Object rawArray(CpuScratch scratch, int slot) {
    return switch (raw) {
      case BYTE -> scratch.bytes;
      case SHORT -> scratch.shorts;
      case INT -> scratch.ints[slot];
      case LONG -> scratch.longs[slot];
      case FLOAT -> scratch.floats[slot];
      case DOUBLE -> scratch.doubles[slot];
    };
  }

  private void widen(CpuScratch scratch, int slot, int n) {
    switch (type) {
      case F64, F32, I64, I32 -> {}
      case F16 -> widenF16(scratch.shorts, scratch.floats[slot], n);
      case BF16 -> widenBf16(scratch.shorts, scratch.floats[slot], n);
      case I16 -> widenI16(scratch.shorts, scratch.ints[slot], n);
      case I8 -> widenI8(scratch.bytes, scratch.ints[slot], n);
      case U8 -> widenU8(scratch.bytes, scratch.ints[slot], n);
      case BOOL -> widenBool(scratch.bytes, scratch.ints[slot], n);
    }
  }

  private void narrow(CpuScratch scratch, int slot, int n) {
    switch (type) {
      case F64, F32, I64, I32 -> {}
      case F16 -> narrowF16(scratch.floats[slot], scratch.shorts, n);
      case BF16 -> narrowBf16(scratch.floats[slot], scratch.shorts, n);
      case I16 -> narrowI16(scratch.ints[slot], scratch.shorts, n);
      case I8, U8, BOOL -> narrowI8(scratch.ints[slot], scratch.bytes, n);
    }
  }

  private static void widenF16(short[] from, float[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = Float.float16ToFloat(from[i]);
    }
  }

  private static void widenBf16(short[] from, float[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = Halves.fromBf16(from[i]);
    }
  }

  private static void widenI16(short[] from, int[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = from[i];
    }
  }

  private static void widenI8(byte[] from, int[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = from[i];
    }
  }

  private static void widenU8(byte[] from, int[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = from[i] & 0xFF;
    }
  }

  /** Any byte but 0 is true; the sign bit of {@code b | -b} says so without a branch. */
  private static void widenBool(byte[] from, int[] to, int n) {
    for (int i = 0; i < n; i++) {
      int b = from[i];
      to[i] = (b | -b) >>> 31;
    }
  }

  private static void narrowF16(float[] from, short[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = Float.floatToFloat16(from[i]);
    }
  }

  private static void narrowBf16(float[] from, short[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = Halves.toBf16(from[i]);
    }
  }

  private static void narrowI16(int[] from, short[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = (short) from[i];
    }
  }

  private static void narrowI8(int[] from, byte[] to, int n) {
    for (int i = 0; i < n; i++) {
      to[i] = (byte) from[i];
    }
  }
}

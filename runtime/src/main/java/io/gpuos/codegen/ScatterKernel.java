package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.lang.foreign.ValueLayout;

/**
 * Writes elements where an index says, one after the other: kept position by kept position, and for
 * each in the order of the walked dimensions. A chunk of index and elements is staged at a time.
 */
final class ScatterKernel implements CpuKernel {

  private static final int INDEX = 0;
  private static final int ELEMENTS = 1;
  private static final int OUTPUT = 2;

  /** Slot of the offsets of what is written, in elements; such a kernel has no other use for it. */
  private static final int OFFSETS = CpuScratch.STATE;

  private final DType type;
  private final boolean longIndex;
  private final boolean adds;
  private final boolean wraps;
  private final OperandPort[] inputs;

  ScatterKernel(Kernel.Scatter kernel) {
    this.type = kernel.operands().get(OUTPUT).type();
    this.longIndex = kernel.operands().get(INDEX).type() == DType.I64;
    this.adds = kernel.adds();
    this.wraps = kernel.wraps();
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
  }

  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    int dims = space.rank() - 1;
    long steps = 1;
    for (int d = space.kept(); d < dims; d++) {
      steps *= space.size(d);
    }
    long end = (first + count) * steps;
    for (long element = first * steps; element < end; element += CpuScratch.CHUNK) {
      int n = (int) Math.min(CpuScratch.CHUNK, end - element);
      scratch.walk.seek(space, 0, dims, element);
      for (OperandPort input : inputs) {
        input.load(operands, space, dims, element, n, scratch);
      }
      scratch.walk.trace(space, OUTPUT, dims, n);
      scratch.walk.offsets(scratch.longs[OFFSETS]);
      write(operands[OUTPUT], space.size(dims), space.stride(OUTPUT, dims), n, scratch);
    }
  }

  private void write(long address, long size, long stride, int n, CpuScratch scratch) {
    for (int i = 0; i < n; i++) {
      long index = longIndex ? scratch.longs[INDEX][i] : scratch.ints[INDEX][i];
      if (wraps && index < 0) {
        index += size;
      }
      if (index >= 0 && index < size) {
        long offset = scratch.longs[OFFSETS][i] + index * stride;
        put(address + offset * type.bytes(), scratch, i);
      }
    }
  }

  private void put(long at, CpuScratch scratch, int i) {
    switch (ComputeType.of(type)) {
      case DOUBLE -> {
        double x = scratch.doubles[ELEMENTS][i];
        double before = adds ? Memory.ALL.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at) : 0;
        Memory.ALL.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, at, adds ? before + x : x);
      }
      case FLOAT -> putFloat(at, scratch.floats[ELEMENTS][i]);
      case LONG -> {
        long x = scratch.longs[ELEMENTS][i];
        long before = adds ? Memory.ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, at) : 0;
        Memory.ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, at, before + x);
      }
      case INT -> putInt(at, scratch.ints[ELEMENTS][i]);
    }
  }

  private void putFloat(long at, float x) {
    if (type == DType.F32) {
      float before = adds ? Memory.ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at) : 0;
      Memory.ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, adds ? before + x : x);
      return;
    }
    boolean half = type == DType.F16;
    float sum = x;
    if (adds) {
      short bits = Memory.ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
      sum = (half ? Float.float16ToFloat(bits) : Halves.fromBf16(bits)) + x;
    }
    short bits = half ? Float.floatToFloat16(sum) : Halves.toBf16(sum);
    Memory.ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, bits);
  }

  private void putInt(long at, int x) {
    switch (type) {
      case I32 -> {
        int before = adds ? Memory.ALL.get(ValueLayout.JAVA_INT_UNALIGNED, at) : 0;
        Memory.ALL.set(ValueLayout.JAVA_INT_UNALIGNED, at, before + x);
      }
      case I16 -> {
        int before = adds ? Memory.ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) : 0;
        Memory.ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) (before + x));
      }
      default -> {
        int before = adds ? Memory.ALL.get(ValueLayout.JAVA_BYTE, at) : 0;
        int sum = type == DType.BOOL ? (before != 0 || x != 0 ? 1 : 0) : before + x;
        Memory.ALL.set(ValueLayout.JAVA_BYTE, at, (byte) sum);
      }
    }
  }
}

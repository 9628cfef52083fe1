package io.gpuos.codegen;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * Elements in native memory, reached one by one through their indices: what the kernels' results
 * are checked with, so it shares nothing with how they walk memory. Values are {@code Double} for
 * floating types and {@code Long} for the others.
 */
final class TestTensor {

  /** Bytes kept around the elements, to see that nothing else is written. */
  private static final int MARGIN = 64;

  private static final byte UNTOUCHED = 0x5A;

  final DType type;
  final long[] shape;
  private final long[] strides;
  private final MemorySegment memory;
  private final long origin;

  private TestTensor(DType type, long[] shape, long[] strides, MemorySegment memory, long origin) {
    this.type = type;
    this.shape = shape;
    this.strides = strides;
    this.memory = memory;
    this.origin = origin;
  }

  /**
   * Allocates a tensor whose strides are what the arguments say, in a random order of dimensions.
   *
   * @param shape with 1 where the tensor is to be broadcast
   * @param stretch the innermost stride, negative to walk backwards
   * @param skew bytes by which the first element is off its natural alignment
   */
  static TestTensor allocate(
      Arena arena, DType type, long[] shape, int[] order, long stretch, int skew) {
    long[] strides = new long[shape.length];
    long step = Math.abs(stretch);
    long lowest = 0;
    for (int i = shape.length - 1; i >= 0; i--) {
      int d = order[i];
      strides[d] = stretch < 0 ? -step : step;
      lowest += Math.min(0, strides[d] * Math.max(0, shape[d] - 1));
      step *= Math.max(1, shape[d]);
    }
    long bytes = step * type.bytes() + 2 * MARGIN;
    MemorySegment memory = arena.allocate(bytes, 64);
    memory.fill(UNTOUCHED);
    long origin = MARGIN + skew - lowest * type.bytes();
    return new TestTensor(type, shape, strides, memory, origin);
  }

  /** A contiguous tensor. */
  static TestTensor contiguous(Arena arena, DType type, long... shape) {
    int[] order = new int[shape.length];
    for (int d = 0; d < order.length; d++) {
      order[d] = d;
    }
    return allocate(arena, type, shape, order, 1, 0);
  }

  /** Fills with random values: mostly ordinary ones, some special ones. */
  TestTensor fill(Random random) {
    Index index = new Index(shape);
    do {
      set(index.values(), random(random));
    } while (index.next());
    return this;
  }

  private Object random(Random random) {
    if (type.isFloating()) {
      double[] special = {0, -0.0, 1, -1, Double.NaN, 1 / 0.0, -1 / 0.0, 0.5, 3, 65504, 1e-7};
      return random.nextInt(12) == 0
          ? special[random.nextInt(special.length)]
          : random.nextGaussian() * 4;
    }
    long[] special = {0, 1, -1, 2, 3, 7, -128, 127, 255, Integer.MIN_VALUE, Long.MIN_VALUE};
    return switch (random.nextInt(3)) {
      case 0 -> special[random.nextInt(special.length)];
      case 1 -> random.nextLong(-20, 20);
      default -> random.nextLong();
    };
  }

  Layout layout() {
    return Layout.of(type, shape, strides);
  }

  long address() {
    return memory.address() + origin;
  }

  /** All memory around the elements; {@link #origin} is where the first element lies in it. */
  MemorySegment memory() {
    return memory;
  }

  long origin() {
    return origin;
  }

  /** The value at an index of a shape that this tensor broadcasts to. */
  Object get(long[] index) {
    return get(offset(index));
  }

  void set(long[] index, Object value) {
    long at = offset(index);
    double floating = ((Number) value).doubleValue();
    long integral = ((Number) value).longValue();
    switch (type) {
      case F64 -> memory.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, at, floating);
      case F32 -> memory.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) floating);
      case F16 ->
          memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16((float) floating));
      case BF16 ->
          memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, NaiveKernel.bf16((float) floating));
      case I64 -> memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, integral);
      case I32 -> memory.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) integral);
      case I16 -> memory.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) integral);
      case I8, U8 -> memory.set(ValueLayout.JAVA_BYTE, at, (byte) integral);
      case BOOL -> memory.set(ValueLayout.JAVA_BYTE, at, (byte) (integral & 1));
    }
  }

  private Object get(long at) {
    return switch (type) {
      case F64 -> memory.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
      case F32 -> (double) memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
      case F16 -> (double) Float.float16ToFloat(memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
      case BF16 ->
          (double) Float.intBitsToFloat(memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) << 16);
      case I64 -> memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
      case I32 -> (long) memory.get(ValueLayout.JAVA_INT_UNALIGNED, at);
      case I16 -> (long) memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
      case I8, BOOL -> (long) memory.get(ValueLayout.JAVA_BYTE, at);
      case U8 -> (long) (memory.get(ValueLayout.JAVA_BYTE, at) & 0xFF);
    };
  }

  /** Whether every byte that is no element's still has the value it was allocated with. */
  boolean isUntouchedElsewhere() {
    boolean[] element = new boolean[(int) memory.byteSize()];
    Index index = new Index(shape);
    do {
      for (int b = 0; index.isValid() && b < type.bytes(); b++) {
        element[(int) offset(index.values()) + b] = true;
      }
    } while (index.next());
    for (int b = 0; b < element.length; b++) {
      if (!element[b] && memory.get(ValueLayout.JAVA_BYTE, b) != UNTOUCHED) {
        return false;
      }
    }
    return true;
  }

  /** Whether the element still has the bytes it was allocated with. */
  boolean isUntouched(long[] index) {
    for (int b = 0; b < type.bytes(); b++) {
      if (memory.get(ValueLayout.JAVA_BYTE, offset(index) + b) != UNTOUCHED) {
        return false;
      }
    }
    return true;
  }

  private long offset(long[] index) {
    long offset = 0;
    int lead = index.length - shape.length;
    for (int d = 0; d < shape.length; d++) {
      offset += shape[d] == 1 ? 0 : index[lead + d] * strides[d];
    }
    return origin + offset * type.bytes();
  }

  /** Counts through the indices of a shape, the last one fastest. */
  static final class Index {

    private final long[] shape;
    private final long[] values;

    Index(long... shape) {
      this.shape = shape;
      this.values = new long[shape.length];
    }

    /** Whether the shape has any index. */
    boolean isValid() {
      for (long size : shape) {
        if (size == 0) {
          return false;
        }
      }
      return true;
    }

    long[] values() {
      return values;
    }

    /** Goes to the next index; false, and back at the first, after the last. */
    boolean next() {
      for (int d = shape.length - 1; d >= 0; d--) {
        if (++values[d] < shape[d]) {
          return true;
        }
        values[d] = 0;
      }
      return false;
    }
  }
}

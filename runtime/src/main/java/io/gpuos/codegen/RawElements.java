package io.gpuos.codegen;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Moves elements between native memory and heap arrays, unconverted. One constant per array type;
 * the callers' {@code array} must be of it. Addresses may have any alignment; strides are in bytes
 * and may be zero or negative.
 */
enum RawElements {
  BYTE(ValueLayout.JAVA_BYTE) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      byte[] to = (byte[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_BYTE, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      byte[] from = (byte[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_BYTE, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      byte[] elements = (byte[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  },

  SHORT(ValueLayout.JAVA_SHORT_UNALIGNED) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      short[] to = (short[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      short[] from = (short[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      short[] elements = (short[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  },

  INT(ValueLayout.JAVA_INT_UNALIGNED) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      int[] to = (int[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_INT_UNALIGNED, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      int[] from = (int[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_INT_UNALIGNED, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      int[] elements = (int[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  },

  LONG(ValueLayout.JAVA_LONG_UNALIGNED) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      long[] to = (long[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_LONG_UNALIGNED, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      long[] from = (long[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_LONG_UNALIGNED, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      long[] elements = (long[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  },

  FLOAT(ValueLayout.JAVA_FLOAT_UNALIGNED) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      float[] to = (float[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      float[] from = (float[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      float[] elements = (float[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  },

  DOUBLE(ValueLayout.JAVA_DOUBLE_UNALIGNED) {
    @Override
    void gather(long address, long stride, Object array, int at, int n) {
      double[] to = (double[]) array;
      long from = address;
      for (int i = at; i < at + n; i++, from += stride) {
        to[i] = Memory.ALL.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, from);
      }
    }

    @Override
    void scatter(Object array, int at, int n, long address, long stride) {
      double[] from = (double[]) array;
      long to = address;
      for (int i = at; i < at + n; i++, to += stride) {
        Memory.ALL.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, to, from[i]);
      }
    }

    @Override
    void repeat(Object array, int at, int n) {
      double[] elements = (double[]) array;
      Arrays.fill(elements, at + 1, at + n, elements[at]);
    }
  };

  /** Below this a loop is faster than the set-up of a bulk copy. */
  private static final int BULK = 16;

  private final ValueLayout layout;

  RawElements(ValueLayout layout) {
    this.layout = layout;
  }

  /** Reads {@code n} elements that are a stride apart to {@code array[at..]}. */
  final void load(long address, long stride, Object array, int at, int n) {
    if (stride == layout.byteSize() && n >= BULK) {
      MemorySegment.copy(Memory.ALL, layout, address, array, at, n);
    } else if (stride == 0 && n > 1) {
      gather(address, stride, array, at, 1);
      repeat(array, at, n);
    } else {
      gather(address, stride, array, at, n);
    }
  }

  /** Writes {@code array[at..]} to {@code n} places that are a stride apart. */
  final void store(Object array, int at, int n, long address, long stride) {
    if (stride == layout.byteSize() && n >= BULK) {
      MemorySegment.copy(array, at, Memory.ALL, layout, address, n);
    } else {
      scatter(array, at, n, address, stride);
    }
  }

  abstract void gather(long address, long stride, Object array, int at, int n);

  abstract void scatter(Object array, int at, int n, long address, long stride);

  /** Copies {@code array[at]} to the {@code n - 1} elements after it. */
  abstract void repeat(Object array, int at, int n);
}

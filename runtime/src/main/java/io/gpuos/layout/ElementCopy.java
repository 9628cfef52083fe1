package io.gpuos.layout;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.gpuos.error.ShapeException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;

/**
 * Copies elements between host memory of any layouts and types, and Java arrays. Conversions are
 * those of {@link Elements}. Offsets are in bytes and name a layout's first element within its
 * segment; arrays hold elements in row-major order.
 *
 * <p>Source and target must not overlap. Memory outside a segment is refused with {@link
 * IndexOutOfBoundsException}; part of the elements may have been written by then.
 */
public final class ElementCopy {

  private static final int LONGEST_ARRAY = Integer.MAX_VALUE - 8;

  private ElementCopy() {}

  /**
   * Writes every element of the target.
   *
   * @param fromLayout broadcasts to the target's shape
   * @throws ShapeException if it does not
   */
  public static void copy(
      MemorySegment from,
      long fromOffset,
      Layout fromLayout,
      MemorySegment to,
      long toOffset,
      Layout toLayout) {
    if (!Shapes.broadcastsTo(fromLayout.shape(), toLayout.shape())) {
      throw new ShapeException(
          "copy of another shape: from=%s, to=%s, expected=a source that broadcasts to the target"
              .formatted(fromLayout, toLayout));
    }
    if (toLayout.isZeroSize()) {
      return;
    }
    new Walk(from, fromOffset, fromLayout.dtype(), to, toOffset, toLayout.dtype())
        .over(IterationSpace.elementwise(toLayout.shape(), List.of(fromLayout, toLayout)));
  }

  /** The elements as {@code double}; exact but for I64 beyond 2^53. */
  public static double[] toDoubles(MemorySegment memory, long offset, Layout layout) {
    double[] array = new double[arrayLength(layout)];
    copyOut(memory, offset, layout, MemorySegment.ofArray(array), DType.F64);
    return array;
  }

  /** The elements as {@code float}. */
  public static float[] toFloats(MemorySegment memory, long offset, Layout layout) {
    float[] array = new float[arrayLength(layout)];
    copyOut(memory, offset, layout, MemorySegment.ofArray(array), DType.F32);
    return array;
  }

  /** The elements as {@code long}. */
  public static long[] toLongs(MemorySegment memory, long offset, Layout layout) {
    long[] array = new long[arrayLength(layout)];
    copyOut(memory, offset, layout, MemorySegment.ofArray(array), DType.I64);
    return array;
  }

  /** The elements as {@code int}. */
  public static int[] toInts(MemorySegment memory, long offset, Layout layout) {
    int[] array = new int[arrayLength(layout)];
    copyOut(memory, offset, layout, MemorySegment.ofArray(array), DType.I32);
    return array;
  }

  /** Whether each element is other than 0. */
  public static boolean[] toBooleans(MemorySegment memory, long offset, Layout layout) {
    byte[] bytes = new byte[arrayLength(layout)];
    copyOut(memory, offset, layout, MemorySegment.ofArray(bytes), DType.BOOL);
    boolean[] array = new boolean[bytes.length];
    for (int i = 0; i < array.length; i++) {
      array[i] = bytes[i] != 0;
    }
    return array;
  }

  /** Writes the array's values, one per element of the layout. */
  public static void fromDoubles(double[] array, MemorySegment memory, long offset, Layout layout) {
    requireLength(array.length, layout);
    copyIn(MemorySegment.ofArray(array), DType.F64, memory, offset, layout);
  }

  /** Writes the array's values, one per element of the layout. */
  public static void fromFloats(float[] array, MemorySegment memory, long offset, Layout layout) {
    requireLength(array.length, layout);
    copyIn(MemorySegment.ofArray(array), DType.F32, memory, offset, layout);
  }

  /** Writes the array's values, one per element of the layout. */
  public static void fromLongs(long[] array, MemorySegment memory, long offset, Layout layout) {
    requireLength(array.length, layout);
    copyIn(MemorySegment.ofArray(array), DType.I64, memory, offset, layout);
  }

  /** Writes the array's values, one per element of the layout. */
  public static void fromInts(int[] array, MemorySegment memory, long offset, Layout layout) {
    requireLength(array.length, layout);
    copyIn(MemorySegment.ofArray(array), DType.I32, memory, offset, layout);
  }

  /** Writes the array's values as 0 and 1, one per element of the layout. */
  public static void fromBooleans(
      boolean[] array, MemorySegment memory, long offset, Layout layout) {
    requireLength(array.length, layout);
    byte[] bytes = new byte[array.length];
    for (int i = 0; i < array.length; i++) {
      bytes[i] = (byte) (array[i] ? 1 : 0);
    }
    copyIn(MemorySegment.ofArray(bytes), DType.BOOL, memory, offset, layout);
  }

  private static void copyOut(
      MemorySegment memory, long offset, Layout layout, MemorySegment array, DType type) {
    copy(memory, offset, layout, array, 0, Layout.contiguous(type, layout.shape()));
  }

  private static void copyIn(
      MemorySegment array, DType type, MemorySegment memory, long offset, Layout layout) {
    copy(array, 0, Layout.contiguous(type, layout.shape()), memory, offset, layout);
  }

  /**
   * Length of a Java array of the elements.
   *
   * @throws ShapeException if there are too many
   */
  public static int arrayLength(Layout layout) {
    if (layout.elements() > LONGEST_ARRAY) {
      throw Shapes.overflow(layout.shape(), "at most " + LONGEST_ARRAY + " for a Java array");
    }
    return (int) layout.elements();
  }

  private static void requireLength(int length, Layout layout) {
    if (length != layout.elements()) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "array does not fit: length=%d, shape=%s, expected=length %d",
              length,
              Shapes.format(layout.shape()),
              layout.elements()));
    }
  }

  /** One copy in progress: where both sides are, and what an element of each is. */
  private record Walk(
      MemorySegment from,
      long fromOffset,
      DType fromType,
      MemorySegment to,
      long toOffset,
      DType toType) {

    /** Splits the space, source operand 0 and target operand 1, into runs of its last dimension. */
    void over(IterationSpace space) {
      int inner = space.rank() - 1;
      long length = space.size(inner);
      long fromStep = space.stride(0, inner) * fromType.bytes();
      long toStep = space.stride(1, inner) * toType.bytes();
      for (long position = 0; position < space.count(); position += length) {
        long fromAt = fromOffset + space.offset(0, position) * fromType.bytes();
        long toAt = toOffset + space.offset(1, position) * toType.bytes();
        run(fromAt, fromStep, toAt, toStep, length);
      }
    }

    private void run(long fromAt, long fromStep, long toAt, long toStep, long length) {
      if (fromType != toType) {
        convert(fromAt, fromStep, toAt, toStep, length);
      } else if (fromStep == fromType.bytes() && toStep == fromStep) {
        MemorySegment.copy(from, fromAt, to, toAt, length * fromStep);
      } else {
        move(fromAt, fromStep, toAt, toStep, length);
      }
    }

    private void convert(long fromAt, long fromStep, long toAt, long toStep, long length) {
      boolean floating = fromType.isFloating();
      for (long i = 0; i < length; i++) {
        long source = fromAt + i * fromStep;
        long target = toAt + i * toStep;
        if (floating) {
          Elements.setDouble(to, target, toType, Elements.getDouble(from, source, fromType));
        } else {
          Elements.setLong(to, target, toType, Elements.getLong(from, source, fromType));
        }
      }
    }

    /**
     * Bits unchanged, so that NaN payloads and BOOL bytes other than 0 and 1 arrive as they are.
     */
    private void move(long fromAt, long fromStep, long toAt, long toStep, long length) {
      for (long i = 0; i < length; i++) {
        long source = fromAt + i * fromStep;
        long target = toAt + i * toStep;
        switch (fromType.bytes()) {
          case 1 -> to.set(JAVA_BYTE, target, from.get(JAVA_BYTE, source));
          case 2 -> to.set(JAVA_SHORT_UNALIGNED, target, from.get(JAVA_SHORT_UNALIGNED, source));
          case 4 -> to.set(JAVA_INT_UNALIGNED, target, from.get(JAVA_INT_UNALIGNED, source));
          default -> to.set(JAVA_LONG_UNALIGNED, target, from.get(JAVA_LONG_UNALIGNED, source));
        }
      }
    }
  }
}

package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.Arrays;

/**
 * How a tensor's elements lie in memory: element type, shape and strides. Immutable and interned:
 * two layouts of equal content are the same object and may be compared with {@code ==}.
 *
 * <p>Strides are in elements, of any sign; 0 repeats an element. The element of index {@code (i0,
 * i1, ...)} lies {@code i0 * stride(0) + i1 * stride(1) + ...} elements from the <em>first
 * element</em>, the one of index {@code (0, 0, ...)}; where that is, is not part of the layout. The
 * memory from the lowest to the highest byte is shorter than 2^62 bytes, or the layout cannot be
 * made.
 */
public final class Layout {

  private static final Interner<Layout> INTERNER =
      new Interner<>(layout -> layout.hash, Layout::sameContent);

  /**
   * Marks an operand that is a value in the task record and has no memory; see {@link
   * IterationSpace}. Equal to itself alone, not to the layout of a scalar tensor.
   */
  static final Layout SCALAR_SLOT = new Layout(DType.F64, new long[0], new long[0]);

  /** In bytes. Half of what a long holds, so that distances between two layouts fit one too. */
  private static final long MAX_SPAN = (1L << 62) - 1;

  private final DType dtype;
  private final long[] shape;
  private final long[] strides;
  private final long elements;
  private final long minByteOffset;
  private final long maxByteOffset;
  private final boolean contiguous;
  private final int hash;

  /** Whether two indices may share an element; computed at first use (benign race). */
  private volatile Boolean internalOverlap;

  private Layout(DType dtype, long[] shape, long[] strides) {
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.elements = Shapes.elements(shape);
    this.minByteOffset = elements == 0 ? 0 : reach(-1) * dtype.bytes();
    this.maxByteOffset = elements == 0 ? 0 : (reach(1) + 1) * dtype.bytes();
    this.contiguous = laidOutRowMajor();
    this.hash = 31 * (31 * dtype.code() + Arrays.hashCode(shape)) + Arrays.hashCode(strides);
  }

  /**
   * A layout with the strides given.
   *
   * @param strides in elements, one per dimension
   * @throws ShapeException if ranks differ, a size is negative, there are more than {@value
   *     Shapes#MAX_RANK} dimensions, or the memory spanned overflows
   */
  public static Layout of(DType dtype, long[] shape, long[] strides) {
    if (shape.length != strides.length) {
      throw new ShapeException(
          "strides do not fit the shape: shape=%s, strides=%s, expected=one stride per dimension"
              .formatted(Shapes.format(shape), Shapes.format(strides)));
    }
    return INTERNER.intern(new Layout(dtype, shape.clone(), strides.clone()));
  }

  /**
   * Row-major layout without gaps. A dimension after one of size 0 has the stride it would have if
   * that size were 1, as in PyTorch.
   *
   * @throws ShapeException as {@link #of}
   */
  public static Layout contiguous(DType dtype, long... shape) {
    Shapes.elements(shape);
    return of(dtype, shape, contiguousStrides(shape));
  }

  /**
   * Column-major layout without gaps, as Fortran's arrays.
   *
   * @throws ShapeException as {@link #of}
   */
  public static Layout columnMajor(DType dtype, long... shape) {
    Shapes.elements(shape);
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int d = 0; d < shape.length; d++) {
      strides[d] = stride;
      stride *= Math.max(shape[d], 1);
    }
    return of(dtype, shape, strides);
  }

  /** The element type. */
  public DType dtype() {
    return dtype;
  }

  /** Number of dimensions, 0 for a scalar tensor. */
  public int rank() {
    return shape.length;
  }

  /** Size of a dimension in {@code [0, rank)}. */
  public long size(int dim) {
    return shape[dim];
  }

  /** Stride of a dimension in {@code [0, rank)}, in elements. */
  public long stride(int dim) {
    return strides[dim];
  }

  /** A copy of the shape. */
  public long[] shape() {
    return shape.clone();
  }

  /** A copy of the strides, in elements. */
  public long[] strides() {
    return strides.clone();
  }

  /** Number of elements an iteration visits; repeated elements count each time. */
  public long elements() {
    return elements;
  }

  /** Whether no element exists. */
  public boolean isZeroSize() {
    return elements == 0;
  }

  /**
   * Whether the elements lie row-major without gaps from the first element on. Strides of
   * dimensions of size 1 do not matter, and a layout without elements is contiguous.
   */
  public boolean isContiguous() {
    return contiguous;
  }

  /** Whether {@code other} has the same shape. */
  public boolean sameShape(Layout other) {
    return this == other || Arrays.equals(shape, other.shape);
  }

  /**
   * Bytes of the elements alone, without gaps: what a contiguous copy takes.
   *
   * @throws ShapeException if that overflows, which only repeated elements can do
   */
  public long byteSize() {
    if (elements > Long.MAX_VALUE / dtype.bytes()) {
      throw Shapes.overflow(shape, "fewer than 2^63 bytes of " + dtype);
    }
    return elements * dtype.bytes();
  }

  /** Offset of the lowest byte touched, relative to the first element; 0 or negative. */
  public long minByteOffset() {
    return minByteOffset;
  }

  /** Offset after the highest byte touched, relative to the first element; 0 if there is none. */
  public long maxByteOffset() {
    return maxByteOffset;
  }

  /**
   * Offset in elements, from the first element, of the element at {@code position} in row-major
   * order. No bounds check.
   */
  public long offset(long position) {
    long rest = position;
    long offset = 0;
    for (int d = shape.length - 1; d >= 0; d--) {
      offset += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    return offset;
  }

  /**
   * Whether two different indices share an element, so that writing through this layout has no
   * single meaning. Exact but for contrived strides whose proof takes too many steps: then true.
   */
  public boolean hasInternalOverlap() {
    Boolean known = internalOverlap;
    if (known == null) {
      known = Overlap.withinItself(this);
      internalOverlap = known;
    }
    return known;
  }

  /** The same shape and strides with another element type. */
  public Layout withDType(DType other) {
    return other == dtype ? this : of(other, shape, strides);
  }

  /** Row-major strides of a valid shape. */
  static long[] contiguousStrides(long[] shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      strides[d] = stride;
      stride *= Math.max(shape[d], 1);
    }
    return strides;
  }

  private boolean laidOutRowMajor() {
    if (elements == 0) {
      return true;
    }
    long expected = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      if (shape[d] != 1) {
        if (strides[d] != expected) {
          return false;
        }
        expected *= shape[d];
      }
    }
    return true;
  }

  /** Farthest element offset in a direction; refuses spans whose bytes would not fit a long. */
  private long reach(int direction) {
    try {
      long low = 0;
      long high = 0;
      for (int d = 0; d < shape.length; d++) {
        long extent = Math.multiplyExact(shape[d] - 1, strides[d]);
        low = Math.addExact(low, Math.min(extent, 0));
        high = Math.addExact(high, Math.max(extent, 0));
      }
      long span = Math.addExact(Math.subtractExact(high, low), 1);
      if (Math.multiplyExact(span, (long) dtype.bytes()) <= MAX_SPAN) {
        return direction < 0 ? low : high;
      }
    } catch (ArithmeticException _) {
      // Reported below.
    }
    throw new ShapeException(
        "size overflow: shape=%s, strides=%s, dtype=%s, expected=a span of fewer than 2^62 bytes"
            .formatted(Shapes.format(shape), Shapes.format(strides), dtype));
  }

  private boolean sameContent(Layout that) {
    return dtype == that.dtype
        && Arrays.equals(shape, that.shape)
        && Arrays.equals(strides, that.strides);
  }

  /** For messages: {@code F32[2, 3]}, with the strides where the layout is not contiguous. */
  @Override
  public String toString() {
    String text = dtype + Shapes.format(shape);
    return contiguous ? text : text + " strides=" + Shapes.format(strides);
  }
}

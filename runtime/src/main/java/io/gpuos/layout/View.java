package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.Arrays;
import java.util.Locale;

/**
 * A layout and where its first element lies: the result of looking at the same memory in another
 * way. The methods return further views and move no element; offsets add up, so a chain of views
 * stays relative to the first element of the layout it began with.
 *
 * <p>Dimensions and indices may be negative and then count from the end, as in Python.
 *
 * @param layout the view's own layout
 * @param elementOffset where the view's first element lies, in elements, relative to the first
 *     element of the layout the chain began with; negative if a view runs backwards over a view
 *     that starts late
 */
public record View(Layout layout, long elementOffset) {

  /** Omitted upper bound of {@link #slice}: to the end, or from the end for a negative step. */
  public static final long END = Long.MAX_VALUE;

  /** Omitted lower bound of {@link #slice} for a negative step: down to index 0 inclusive. */
  public static final long BEFORE_START = Long.MIN_VALUE;

  /** The whole of a layout, where a chain of views begins. */
  public static View of(Layout layout) {
    return new View(layout, 0);
  }

  /**
   * Indices {@code start}, {@code start + step}, ... before {@code stop} along a dimension:
   * Python's {@code [start:stop:step]}. Bounds beyond the ends are clamped and never an error;
   * {@link #END} and {@link #BEFORE_START} stand for omitted ones.
   *
   * @throws ShapeException if {@code step} is 0 or the dimension is out of range
   */
  public View slice(int dim, long start, long stop, long step) {
    int d = axis(dim);
    if (step == 0) {
      throw new ShapeException("slice step: step=0, expected=a step other than 0");
    }
    long size = layout.size(d);
    long from = clamp(start, size, step);
    long to = clamp(stop, size, step);
    long length = step > 0 ? stepsBetween(from, to, step) : stepsBetween(to, from, -step);
    long[] shape = layout.shape();
    long[] strides = layout.strides();
    shape[d] = length;
    // A step beyond the dimension leaves one element at most: its stride is never used.
    strides[d] = length > 1 ? strides[d] * step : strides[d];
    return with(shape, strides, length == 0 ? 0 : from * layout.stride(d));
  }

  /** {@link #slice(int, long, long, long)} with step 1. */
  public View slice(int dim, long start, long stop) {
    return slice(dim, start, stop, 1);
  }

  /**
   * {@code length} indices from {@code start} on, without clamping.
   *
   * @throws ShapeException if they are not all there
   */
  public View narrow(int dim, long start, long length) {
    int d = axis(dim);
    long size = layout.size(d);
    long from = start < 0 ? start + size : start;
    if (length < 0 || from < 0 || from > size || length > size - from) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "narrow out of range: start=%d, length=%d, shape=%s, dim=%d, expected=within size %d",
              start,
              length,
              Shapes.format(layout.shape()),
              d,
              size));
    }
    return slice(d, from, from + length);
  }

  /**
   * One index along a dimension; the dimension goes.
   *
   * @throws ShapeException if the index is outside {@code [-size, size)}
   */
  public View select(int dim, long index) {
    int d = axis(dim);
    long size = layout.size(d);
    if (index < -size || index >= size) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "index out of range: index=%d, shape=%s, dim=%d, expected=%s",
              index,
              Shapes.format(layout.shape()),
              d,
              size == 0 ? "a dimension that is not empty" : -size + " to " + (size - 1)));
    }
    long at = index < 0 ? index + size : index;
    return with(without(layout.shape(), d), without(layout.strides(), d), at * layout.stride(d));
  }

  /** Swaps two dimensions. */
  public View transpose(int a, int b) {
    int[] order = Shapes.allAxes(layout.rank());
    int first = axis(a);
    int second = axis(b);
    order[first] = second;
    order[second] = first;
    return permute(order);
  }

  /**
   * Reorders the dimensions: dimension {@code i} of the view is {@code order[i]} of this one.
   *
   * @throws ShapeException if {@code order} does not name every dimension once
   */
  public View permute(int... order) {
    int rank = layout.rank();
    if (order.length != rank) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "permutation of dimensions: order=%s, shape=%s, expected=each of %d dimensions once",
              Arrays.toString(order),
              Shapes.format(layout.shape()),
              rank));
    }
    Shapes.axes(order, rank);
    long[] shape = new long[rank];
    long[] strides = new long[rank];
    for (int i = 0; i < rank; i++) {
      int d = axis(order[i]);
      shape[i] = layout.size(d);
      strides[i] = layout.stride(d);
    }
    return with(shape, strides, 0);
  }

  /**
   * Repeats dimensions of size 1, and adds leading ones, to a larger shape; -1 keeps a size.
   *
   * @throws ShapeException if a size that is not 1 would change, or a leading one is -1
   */
  public View expand(long... target) {
    int lead = target.length - layout.rank();
    if (lead < 0) {
      throw cannotExpand(target);
    }
    long[] shape = target.clone();
    long[] strides = new long[target.length];
    for (int i = 0; i < target.length; i++) {
      long size = i < lead ? 1 : layout.size(i - lead);
      if (target[i] == -1 && i >= lead) {
        shape[i] = size;
      } else if (target[i] < 0 || (size != 1 && size != target[i])) {
        throw cannotExpand(target);
      }
      strides[i] = i < lead || shape[i] != size ? 0 : layout.stride(i - lead);
    }
    return with(shape, strides, 0);
  }

  /**
   * Another shape over the same elements in row-major order; one size may be -1 and is inferred.
   *
   * @throws ShapeException if the number of elements differs, or strides allow no view: then a copy
   *     must be made first
   */
  public View reshape(long... target) {
    long[] shape = Reshape.inferred(layout, target);
    long[] strides = Reshape.strides(layout, shape);
    if (strides == null) {
      throw new ShapeException(
          "reshape needs a copy: shape=%s, strides=%s, target=%s, expected=a contiguous copy first"
              .formatted(
                  Shapes.format(layout.shape()),
                  Shapes.format(layout.strides()),
                  Shapes.format(target)));
    }
    return with(shape, strides, 0);
  }

  /** Whether {@link #reshape} to {@code target} is possible without a copy. */
  public boolean canReshape(long... target) {
    return Reshape.strides(layout, Reshape.inferred(layout, target)) != null;
  }

  /** Drops a dimension of size 1; one of another size stays, as in PyTorch. */
  public View squeeze(int dim) {
    int d = axis(dim);
    return layout.size(d) == 1 ? select(d, 0) : this;
  }

  /** Drops every dimension of size 1. */
  public View squeeze() {
    View view = this;
    for (int d = layout.rank() - 1; d >= 0; d--) {
      view = view.squeeze(d);
    }
    return view;
  }

  /** Inserts a dimension of size 1 before {@code dim}, which may be the rank; -1 appends. */
  public View unsqueeze(int dim) {
    int rank = layout.rank();
    int d = Shapes.axis(dim, rank + 1);
    long[] shape = new long[rank + 1];
    long[] strides = new long[rank + 1];
    for (int i = 0; i < rank; i++) {
      shape[i < d ? i : i + 1] = layout.size(i);
      strides[i < d ? i : i + 1] = layout.stride(i);
    }
    shape[d] = 1;
    strides[d] = d < rank ? layout.size(d) * layout.stride(d) : 1;
    return with(shape, strides, 0);
  }

  /** Reverses a dimension. */
  public View flip(int dim) {
    return slice(dim, END, BEFORE_START, -1);
  }

  /**
   * The elements whose indices in two dimensions are equal, as a new last dimension.
   *
   * @throws ShapeException if both name the same dimension
   */
  public View diagonal(int a, int b) {
    int[] both = Shapes.axes(new int[] {a, b}, layout.rank());
    long[] shape = without(without(layout.shape(), both[1]), both[0]);
    long[] strides = without(without(layout.strides(), both[1]), both[0]);
    shape = Arrays.copyOf(shape, shape.length + 1);
    strides = Arrays.copyOf(strides, strides.length + 1);
    shape[shape.length - 1] = Math.min(layout.size(both[0]), layout.size(both[1]));
    strides[strides.length - 1] =
        shape[shape.length - 1] > 1 ? layout.stride(both[0]) + layout.stride(both[1]) : 1;
    return with(shape, strides, 0);
  }

  private View with(long[] shape, long[] strides, long shift) {
    return new View(Layout.of(layout.dtype(), shape, strides), elementOffset + shift);
  }

  private int axis(int dim) {
    return Shapes.axis(dim, layout.rank());
  }

  /** Python's rule for a slice bound: from the end if negative, then into the range walked. */
  private static long clamp(long bound, long size, long step) {
    long at = bound < 0 ? bound + size : bound;
    return step > 0 ? Math.clamp(at, 0, size) : Math.clamp(at, -1, size - 1);
  }

  /** Number of steps from {@code low} that stay below {@code high}. */
  private static long stepsBetween(long low, long high, long step) {
    return high <= low ? 0 : (high - low - 1) / step + 1;
  }

  private static long[] without(long[] values, int index) {
    long[] rest = new long[values.length - 1];
    System.arraycopy(values, 0, rest, 0, index);
    System.arraycopy(values, index + 1, rest, index, rest.length - index);
    return rest;
  }

  private ShapeException cannotExpand(long[] target) {
    return new ShapeException(
        "cannot expand: shape=%s, target=%s, expected=the same sizes where they are not 1"
            .formatted(Shapes.format(layout.shape()), Shapes.format(target)));
  }
}

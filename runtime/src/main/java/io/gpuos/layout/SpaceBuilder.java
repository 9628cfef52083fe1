package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Builds one {@link IterationSpace}: collects each operand's strides over the walked shape, then
 * drops, orders and merges dimensions. Used once, by one thread.
 */
final class SpaceBuilder {

  private final long[] shape;
  private final long[][] strides;
  private final boolean[] scalar;

  SpaceBuilder(long[] shape, int operands) {
    if (operands < 1 || operands > IterationSpace.MAX_OPERANDS) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "number of operands: operands=%d, expected=1 to %d",
              operands,
              IterationSpace.MAX_OPERANDS));
    }
    // Counting the elements refuses shapes whose positions could not be numbered.
    Shapes.elements(shape);
    this.shape = shape.clone();
    this.strides = new long[operands][shape.length];
    this.scalar = new boolean[operands];
  }

  /** Gives operand {@code k} its layout's strides, 0 along dimensions it is broadcast over. */
  void broadcast(int k, Layout layout) {
    if (layout == null || layout == IterationSpace.SCALAR) {
      scalar[k] = true;
      return;
    }
    int lead = shape.length - layout.rank();
    for (int d = 0; d < layout.rank(); d++) {
      if (lead < 0 || (layout.size(d) != shape[lead + d] && layout.size(d) != 1)) {
        throw doesNotFit(k, layout, shape);
      }
      strides[k][lead + d] = layout.size(d) == 1 ? 0 : layout.stride(d);
    }
  }

  IterationSpace elementwise() {
    List<Dim> dims = coalesced(dims(IntStream.range(0, shape.length).toArray()), true);
    if (dims.isEmpty() || dims.getFirst().size == 0) {
      dims = List.of(new Dim(dims.isEmpty() ? 1 : 0, unitStrides()));
    }
    boolean linear = dims.size() == 1 && Arrays.equals(dims.getFirst().strides, unitStrides());
    return space(dims, 0, linear);
  }

  /** As {@link #broadcast}, for an operand that has no dimensions in the places of {@code axes}. */
  void broadcastKept(int k, Layout layout, int[] axes) {
    int[] kept = kept(Shapes.axes(axes, shape.length));
    int lead = kept.length - layout.rank();
    for (int d = 0; d < layout.rank(); d++) {
      if (lead < 0 || (layout.size(d) != shape[kept[lead + d]] && layout.size(d) != 1)) {
        throw doesNotFit(k, layout, Arrays.stream(kept).mapToLong(dim -> shape[dim]).toArray());
      }
      strides[k][kept[lead + d]] = layout.size(d) == 1 ? 0 : layout.stride(d);
    }
  }

  private int[] kept(int[] folded) {
    return IntStream.range(0, shape.length)
        .filter(d -> Arrays.binarySearch(folded, d) < 0)
        .toArray();
  }

  IterationSpace reduction(int[] axes, Layout output, boolean keepReducedOrder) {
    placeOutput(axes, output);
    return rows(axes, keepReducedOrder);
  }

  /**
   * The last dimension as it is, {@code walked} ones before it as reduced ones in their order, and
   * the others kept.
   */
  IterationSpace scatter(int walked) {
    int last = shape.length - 1;
    int from = last - walked;
    List<Dim> dims = new ArrayList<>(coalesced(dims(IntStream.range(0, from).toArray()), true));
    List<Dim> inner =
        new ArrayList<>(coalesced(dims(IntStream.range(from, last).toArray()), false));
    if (inner.isEmpty()) {
      inner.add(new Dim(1, new long[strides.length]));
    }
    inner.add(new Dim(shape[last], Arrays.stream(strides).mapToLong(s -> s[last]).toArray()));
    dims.addAll(inner);
    if (dims.size() > IterationSpace.MAX_RANK) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "too many dimensions: shape=%s, walked=%d, expected=at most %d that are not one run",
              Shapes.format(shape),
              walked,
              IterationSpace.MAX_RANK));
    }
    return space(dims, inner.size(), false);
  }

  IterationSpace rows(int[] axes, boolean keepReducedOrder) {
    int[] folded = Shapes.axes(axes, shape.length);
    int[] kept = kept(folded);
    List<Dim> dims = new ArrayList<>(coalesced(dims(kept), true));
    List<Dim> inner = coalesced(dims(folded), !keepReducedOrder);
    if (inner.isEmpty()) {
      inner = List.of(new Dim(1, new long[strides.length]));
    }
    dims.addAll(inner);
    if (dims.size() > IterationSpace.MAX_RANK) {
      throw new ShapeException(
          "too many dimensions: shape=%s, axes=%s, expected=an axis to reduce"
              .formatted(Shapes.format(shape), Arrays.toString(axes)));
    }
    return space(dims, inner.size(), false);
  }

  /** The output is the last operand; it has every dimension, or only the kept ones. */
  private void placeOutput(int[] axes, Layout output) {
    int[] folded = Shapes.axes(axes, shape.length);
    int[] kept = kept(folded);
    long[] keepdim = shape.clone();
    Arrays.stream(folded).forEach(d -> keepdim[d] = 1);
    long[] squeezed = Arrays.stream(kept).mapToLong(d -> shape[d]).toArray();
    long[] found = output.shape();
    if (!Arrays.equals(found, keepdim) && !Arrays.equals(found, squeezed)) {
      throw new ShapeException(
          "output does not fit the reduction: output=%s, input=%s, axes=%s, expected=%s or %s"
              .formatted(
                  Shapes.format(found),
                  Shapes.format(shape),
                  Arrays.toString(folded),
                  Shapes.format(squeezed),
                  Shapes.format(keepdim)));
    }
    boolean whole = found.length == shape.length;
    for (int i = 0; i < kept.length; i++) {
      strides[strides.length - 1][kept[i]] = output.stride(whole ? kept[i] : i);
    }
  }

  private List<Dim> dims(int[] which) {
    List<Dim> dims = new ArrayList<>();
    for (int d : which) {
      if (shape[d] != 1) {
        int dim = d;
        dims.add(
            new Dim(shape[d], Arrays.stream(strides).mapToLong(operand -> operand[dim]).toArray()));
      }
    }
    return dims;
  }

  /** One dimension of size 0 for an empty group, otherwise the fewest dimensions for the group. */
  private List<Dim> coalesced(List<Dim> dims, boolean mayReorder) {
    if (dims.stream().anyMatch(dim -> dim.size == 0)) {
      return List.of(new Dim(0, new long[strides.length]));
    }
    if (mayReorder) {
      dims.sort(OUTERMOST_FIRST);
    }
    List<Dim> merged = new ArrayList<>();
    for (Dim dim : dims) {
      if (!merged.isEmpty() && merged.getLast().continues(dim)) {
        merged.add(merged.removeLast().merge(dim));
      } else {
        merged.add(dim);
      }
    }
    return merged;
  }

  private long[] unitStrides() {
    long[] unit = new long[scalar.length];
    for (int k = 0; k < unit.length; k++) {
      unit[k] = scalar[k] ? 0 : 1;
    }
    return unit;
  }

  private IterationSpace space(List<Dim> dims, int reduced, boolean linear) {
    long[] sizes = dims.stream().mapToLong(dim -> dim.size).toArray();
    long[][] perOperand = new long[strides.length][sizes.length];
    for (int k = 0; k < strides.length; k++) {
      for (int d = 0; d < sizes.length; d++) {
        perOperand[k][d] = dims.get(d).strides[k];
      }
    }
    return IterationSpace.interned(sizes, perOperand, reduced, linear);
  }

  private static ShapeException doesNotFit(int k, Layout layout, long[] shape) {
    return new ShapeException(
        String.format(
            Locale.ROOT,
            "operand does not broadcast: operand=%d, shape=%s, expected=a shape that broadcasts to %s",
            k,
            Shapes.format(layout.shape()),
            Shapes.format(shape)));
  }

  /**
   * By the last operand's stride, which is an output's; where that does not tell (reduced
   * dimensions), by the sum of all strides, so that a broadcast operand's zeros do not count
   * against a large input. Equal dimensions stay in their order.
   */
  private static final Comparator<Dim> OUTERMOST_FIRST =
      Comparator.comparingLong(Dim::outputStride).thenComparingDouble(Dim::totalStride).reversed();

  /** One dimension: its size and each operand's stride. */
  private static final class Dim {
    final long size;
    final long[] strides;

    Dim(long size, long[] strides) {
      this.size = size;
      this.strides = strides;
    }

    long outputStride() {
      return Math.abs(strides[strides.length - 1]);
    }

    /** In double, as it orders only and the sum may not fit a long. */
    double totalStride() {
      double total = 0;
      for (long stride : strides) {
        total += Math.abs((double) stride);
      }
      return total;
    }

    /** Whether a step of this dimension is a whole run of {@code inner}, for every operand. */
    boolean continues(Dim inner) {
      for (int k = 0; k < strides.length; k++) {
        if (strides[k] != inner.strides[k] * inner.size) {
          return false;
        }
      }
      return true;
    }

    Dim merge(Dim inner) {
      return new Dim(size * inner.size, inner.strides);
    }
  }
}

package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The loop nest of one operator call: sizes, and for each operand a stride in elements per
 * dimension. Kept dimensions come first, then {@link #reduced} reduced ones, each group outermost
 * first. Immutable and interned: spaces of equal content are the same object, may be compared with
 * {@code ==}, and are forgotten when nobody refers to them.
 *
 * <p>A builder drops dimensions of size 1, orders the rest so that memory is walked from large
 * strides to small, and merges neighbours that are one run of memory for every operand. So spaces
 * say nothing about the shape they came from: a <em>position</em> numbers the kept dimensions
 * row-major in the order of the space, and every operand agrees on it.
 *
 * <p>Offsets are relative to an operand's first element, which stays where it was: dimensions of
 * negative stride are not turned round.
 */
public final class IterationSpace {

  /** Most dimensions, kept and reduced together. */
  public static final int MAX_RANK = Shapes.MAX_RANK;

  /** Most operands. */
  public static final int MAX_OPERANDS = 10;

  /**
   * Stands for an operand that is a value in the task record, not memory: stride 0 throughout. A
   * null in a list of operands means the same.
   */
  public static final Layout SCALAR = Layout.SCALAR_SLOT;

  private static final Interner<IterationSpace> INTERNER =
      new Interner<>(space -> space.hash, IterationSpace::sameContent);

  private final long[] sizes;
  private final long[][] strides;
  private final int reduced;
  private final boolean linear;
  private final long count;
  private final long reducedCount;
  private final int hash;

  private IterationSpace(long[] sizes, long[][] strides, int reduced, boolean linear) {
    this.sizes = sizes;
    this.strides = strides;
    this.reduced = reduced;
    this.linear = linear;
    this.count = product(sizes, 0, sizes.length - reduced);
    this.reducedCount = product(sizes, sizes.length - reduced, sizes.length);
    int content = 31 * Arrays.hashCode(sizes) + Arrays.deepHashCode(strides);
    this.hash = 31 * (31 * content + reduced) + Boolean.hashCode(linear);
  }

  /**
   * Space of an elementwise operator: one position per element of {@code shape}. It has at least
   * one dimension; a single element is a linear space of size 1, no element one of size 0.
   *
   * @param shape what every output has and every input broadcasts to
   * @param operands in the kernel's order, {@link #SCALAR} for a scalar slot; at most {@value
   *     #MAX_OPERANDS}
   * @throws ShapeException if an operand does not broadcast to the shape
   */
  public static IterationSpace elementwise(long[] shape, List<Layout> operands) {
    SpaceBuilder builder = new SpaceBuilder(shape, operands.size());
    for (int k = 0; k < operands.size(); k++) {
      builder.broadcast(k, operands.get(k));
    }
    return builder.elementwise();
  }

  /**
   * Space of a reduction that may take its elements in any order, such as a sum.
   *
   * @see #reduction(long[], int[], List, Layout, boolean)
   */
  public static IterationSpace reduction(
      long[] inputShape, int[] axes, List<Layout> inputs, Layout output) {
    return reduction(inputShape, axes, inputs, output, false);
  }

  /**
   * Space of a reduction: one position per element of the result, {@link #reducedCount} elements
   * folded into each. It has at least one reduced dimension, of size 1 if there is nothing to fold,
   * and no kept dimension if the result is a single element.
   *
   * @param inputShape what every input broadcasts to
   * @param axes axes of {@code inputShape} to fold, negative ones from the end; for an {@code
   *     inputShape} of rank 0 none
   * @param inputs inputs and scalar slots in the kernel's order, {@link #SCALAR} for the latter
   * @param output the last operand; its shape is the input's with the axes left out or of size 1
   * @param keepReducedOrder whether the reduced index must count the elements row-major over the
   *     axes in ascending order, as an argmax needs; otherwise they are reordered for locality
   * @throws ShapeException if an input does not broadcast to {@code inputShape}, an axis is out of
   *     range or named twice, or the output has another shape
   */
  public static IterationSpace reduction(
      long[] inputShape, int[] axes, List<Layout> inputs, Layout output, boolean keepReducedOrder) {
    SpaceBuilder builder = new SpaceBuilder(inputShape, inputs.size() + 1);
    for (int k = 0; k < inputs.size(); k++) {
      builder.broadcast(k, inputs.get(k));
    }
    return builder.reduction(axes, output, keepReducedOrder);
  }

  /**
   * Space of a kernel that goes over rows: as that of a reduction, with any number of outputs, each
   * with an element for every element of a row or with one a row.
   *
   * @param shape what the operands broadcast to
   * @param axes axes of {@code shape} along which a row lies
   * @param operands in the kernel's order, {@link #SCALAR} for a scalar slot
   * @param squeezed numbers of the operands that have the axes left out
   * @param keepReducedOrder as for a reduction
   * @throws ShapeException if an operand does not broadcast, or an axis is out of range or named
   *     twice
   */
  public static IterationSpace rows(
      long[] shape,
      int[] axes,
      List<Layout> operands,
      Set<Integer> squeezed,
      boolean keepReducedOrder) {
    SpaceBuilder builder = new SpaceBuilder(shape, operands.size());
    for (int k = 0; k < operands.size(); k++) {
      if (squeezed.contains(k)) {
        builder.broadcastKept(k, operands.get(k), axes);
      } else {
        builder.broadcast(k, operands.get(k));
      }
    }
    return builder.rows(axes, keepReducedOrder);
  }

  static IterationSpace interned(long[] sizes, long[][] strides, int reduced, boolean linear) {
    return INTERNER.intern(new IterationSpace(sizes, strides, reduced, linear));
  }

  /** Number of dimensions, kept and reduced; 1 to {@value #MAX_RANK}. */
  public int rank() {
    return sizes.length;
  }

  /** Number of reduced dimensions, the last ones; 0 for an elementwise operator. */
  public int reduced() {
    return reduced;
  }

  /** Number of kept dimensions, {@code rank() - reduced()}. */
  public int kept() {
    return sizes.length - reduced;
  }

  /** Number of operands, scalar slots included. */
  public int operands() {
    return strides.length;
  }

  /** Size of dimension {@code dim}. */
  public long size(int dim) {
    return sizes[dim];
  }

  /**
   * Stride of an operand along a dimension, in elements of that operand: 0 where it is broadcast,
   * for scalar slots, and for an output along reduced dimensions.
   */
  public long stride(int operand, int dim) {
    return strides[operand][dim];
  }

  /** Number of positions: product of the kept sizes. */
  public long count() {
    return count;
  }

  /** Number of elements folded into one position: product of the reduced sizes, 1 for none. */
  public long reducedCount() {
    return reducedCount;
  }

  /**
   * Whether position {@code p} is element {@code p} of every operand but scalar slots: one
   * dimension, not reduced, all strides 1.
   */
  public boolean linear() {
    return linear;
  }

  /**
   * Offset in elements of an operand at a position, at index 0 of the reduced dimensions. No bounds
   * check.
   */
  public long offset(int operand, long position) {
    return offset(strides[operand], 0, kept(), position);
  }

  /** What reduced index {@code index} adds to {@link #offset}, in elements. No bounds check. */
  public long reducedOffset(int operand, long index) {
    return offset(strides[operand], kept(), rank(), index);
  }

  private long offset(long[] stride, int from, int to, long index) {
    long rest = index;
    long offset = 0;
    for (int d = to - 1; d >= from; d--) {
      offset += rest % sizes[d] * stride[d];
      rest /= sizes[d];
    }
    return offset;
  }

  private static long product(long[] sizes, int from, int to) {
    long product = 1;
    for (int d = from; d < to; d++) {
      product *= sizes[d];
    }
    return product;
  }

  private boolean sameContent(IterationSpace that) {
    return reduced == that.reduced
        && linear == that.linear
        && Arrays.equals(sizes, that.sizes)
        && Arrays.deepEquals(strides, that.strides);
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "IterationSpace[sizes=%s, reduced=%d, linear=%s, strides=%s]",
        Arrays.toString(sizes),
        reduced,
        linear,
        Arrays.deepToString(strides));
  }
}

package io.gpuos.layout;

import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The iteration space of attention, and its cut into units of work.
 *
 * <p>Its kept dimensions are those of the result: batches, then always the <em>queries</em> and the
 * <em>columns</em> of the values, whatever their sizes. Its reduced ones are the <em>keys</em> and
 * the <em>depth</em>, along which a query is multiplied with a key. Batches are merged where they
 * can be; nothing is reordered.
 *
 * <p>A unit is a run of {@value #ROWS} queries of one batch, fewer at the end. Units are numbered
 * row-major, and a task computes a run of them.
 */
public final class AttentionSpace {

  /** Queries of a unit. */
  public static final int ROWS = 8;

  /** Dimensions after the batches: queries, columns, keys, depth. */
  private static final int INNER = 4;

  /** Axis from the end along queries, columns, keys and depth; 0 if an operand has none there. */
  private static final int[][] FACTORS = {
    {-2, 0, 0, -1}, // query
    {0, 0, -2, -1}, // key
    {0, -1, -2, 0}, // value
    {-2, 0, -1, 0}, // mask
  };

  private static final int[] RESULT = {-2, -1, 0, 0};

  private AttentionSpace() {}

  /**
   * The space for operands of any strides.
   *
   * @param operands queries {@code [.., M, D]}, keys {@code [.., N, D]}, values {@code [.., N, E]};
   *     if {@code masked} a mask that broadcasts to {@code [.., M, N]}; inputs that broadcast to
   *     the result; last the result {@code [.., M, E]}, which the batches broadcast to
   * @throws ShapeException if the batches cannot be merged to the dimensions that a space has
   */
  public static IterationSpace of(List<Layout> operands, boolean masked) {
    Layout output = operands.getLast();
    int batches = output.rank() - 2;
    Layout key = operands.get(1);
    long[] inner = {size(output, -2), size(output, -1), size(key, -2), size(key, -1)};
    List<long[]> outer = new ArrayList<>();
    List<Long> sizes = new ArrayList<>();
    for (int d = 0; d < batches; d++) {
      long[] strides = new long[operands.size()];
      for (int k = 0; k < strides.length; k++) {
        strides[k] = stride(operands.get(k), d - output.rank());
      }
      append(sizes, outer, output.size(d), strides);
    }
    int rank = sizes.size() + INNER;
    if (rank > IterationSpace.MAX_RANK) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "too many batches of attention: shape=%s, expected=at most %d that do not follow each other in memory; copy the operands to contiguous tensors",
              Shapes.format(output.shape()),
              IterationSpace.MAX_RANK - INNER));
    }
    long[] all = new long[rank];
    long[][] strides = new long[operands.size()][rank];
    for (int d = 0; d < rank; d++) {
      boolean batch = d < sizes.size();
      all[d] = batch ? sizes.get(d) : inner[d - sizes.size()];
      for (int k = 0; k < strides.length; k++) {
        strides[k][d] = batch ? outer.get(d)[k] : inner(operands, masked, k, d - sizes.size());
      }
    }
    return IterationSpace.interned(all, strides, 2, false);
  }

  /** Adds a batch, to the one before it if that goes on there for every operand. */
  private static void append(List<Long> sizes, List<long[]> outer, long size, long[] strides) {
    if (size == 1) {
      return;
    }
    boolean continues = !outer.isEmpty();
    for (int k = 0; continues && k < strides.length; k++) {
      continues = outer.getLast()[k] == strides[k] * size;
    }
    if (continues) {
      outer.removeLast();
      outer.add(strides);
      sizes.add(sizes.removeLast() * size);
    } else {
      outer.add(strides);
      sizes.add(size);
    }
  }

  /** Stride of an operand along queries, columns, keys or depth. */
  private static long inner(List<Layout> operands, boolean masked, int k, int dim) {
    int axis = (k < 3 || k == 3 && masked ? FACTORS[k] : RESULT)[dim];
    return axis == 0 ? 0 : stride(operands.get(k), axis);
  }

  /**
   * Stride along an axis from the end, 0 if there is no such axis or it is broadcast.
   *
   * @param axis -1 for the last
   */
  private static long stride(Layout layout, int axis) {
    int d = layout.rank() + axis;
    return d < 0 || layout.size(d) == 1 ? 0 : layout.stride(d);
  }

  private static long size(Layout layout, int axis) {
    return layout.size(layout.rank() + axis);
  }

  /** Number of queries in one batch. */
  public static long queries(IterationSpace space) {
    return space.size(space.kept() - 2);
  }

  /** Elements of a value. */
  public static long columns(IterationSpace space) {
    return space.size(space.kept() - 1);
  }

  /** Number of keys. */
  public static long keys(IterationSpace space) {
    return space.size(space.kept());
  }

  /** Elements of a query and of a key. */
  public static long depth(IterationSpace space) {
    return space.size(space.kept() + 1);
  }

  /** Number of units in all batches; 0 if there is no result. */
  public static long units(IterationSpace space) {
    if (space.count() == 0) {
      return 0;
    }
    long batches = space.count() / (queries(space) * columns(space));
    return batches * Math.ceilDiv(queries(space), ROWS);
  }

  /** Multiplications in one whole unit, at least 1. */
  public static long products(IterationSpace space) {
    long each = keys(space) * (depth(space) + columns(space));
    return Math.max(1, Math.min(queries(space), ROWS) * each);
  }
}

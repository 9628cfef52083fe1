package io.gpuos.layout;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The iteration space of a matrix product, and its cut into blocks.
 *
 * <p>The space is that of a reduction: one position per element of the result, and one reduced
 * dimension, along which both factors are read. Its last two kept dimensions are the rows and the
 * columns of a grid of blocks of {@value #ROWS} x {@value #COLUMNS} positions, smaller at the
 * edges; dimensions before them number the grids. Which factor goes with rows, and which with
 * columns, the strides say: dimensions are ordered by the output's strides.
 *
 * <p>Blocks are numbered row-major, by grid, row of blocks and column of blocks. A task computes a
 * run of blocks, so how an element is summed does not depend on where tasks are cut.
 */
public final class ContractionSpace {

  /** Rows of a block. */
  public static final int ROWS = 32;

  /** Columns of a block. */
  public static final int COLUMNS = 32;

  private ContractionSpace() {}

  /**
   * The space of a product by the rules of {@code torch.matmul}.
   *
   * @param operands the factors; inputs that broadcast to the result; last the result, which has
   *     the product's shape
   * @param axis of the right factor that is summed over, its last but one or its last
   * @throws io.gpuos.error.ShapeException if they do not fit together
   */
  public static IterationSpace of(List<Layout> operands, int axis) {
    Layout left = operands.get(0);
    Layout right = operands.get(1);
    Layout output = operands.getLast();
    List<Layout> inputs = new ArrayList<>();
    View rows = View.of(left);
    inputs.add(right.rank() > 1 ? rows.unsqueeze(left.rank() - 1).layout() : left);
    View columns = View.of(right);
    if (right.rank() > 1) {
      columns = axis == right.rank() - 1 ? columns : columns.transpose(-2, -1);
      columns = left.rank() > 1 ? columns.unsqueeze(right.rank() - 2) : columns;
    }
    inputs.add(columns.layout());
    for (Layout input : operands.subList(2, operands.size() - 1)) {
      inputs.add(View.of(input).unsqueeze(-1).layout());
    }
    long[] shape = Arrays.copyOf(output.shape(), output.rank() + 1);
    shape[output.rank()] = left.size(left.rank() - 1);
    return IterationSpace.reduction(shape, new int[] {output.rank()}, inputs, output);
  }

  /** Rows of a grid: the size of the last kept dimension but one, 1 if there is none. */
  public static long rows(IterationSpace space) {
    return space.kept() < 2 ? 1 : space.size(space.kept() - 2);
  }

  /** Columns of a grid: the size of the last kept dimension, 1 if there is none. */
  public static long columns(IterationSpace space) {
    return space.kept() < 1 ? 1 : space.size(space.kept() - 1);
  }

  /** Number of blocks in all grids; 0 if there is no position. */
  public static long blocks(IterationSpace space) {
    if (space.count() == 0) {
      return 0;
    }
    long grids = space.count() / (rows(space) * columns(space));
    return grids * Math.ceilDiv(rows(space), ROWS) * Math.ceilDiv(columns(space), COLUMNS);
  }

  /** Multiplications in one whole block, at least 1. */
  public static long products(IterationSpace space) {
    long positions = Math.min(rows(space), ROWS) * Math.min(columns(space), COLUMNS);
    return Math.max(1, positions * Math.max(1, space.reducedCount()));
  }
}

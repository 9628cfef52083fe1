package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.ContractionSpace;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.List;

/**
 * Runs a matrix product block by block, see {@link ContractionSpace}. Panels of both factors are
 * brought into the scratch, whatever their strides, converted to the type that is summed in;
 * multiplied there; and then the block goes through the expression as one chunk.
 *
 * <p>The products of an element are added in ascending order.
 */
final class ContractionKernel implements CpuKernel {

  /** Slots of the factors' panels; a product has no use for those of a reduction. */
  private static final int LEFT = CpuScratch.STATE;

  private static final int RIGHT = CpuScratch.RESULT;

  private final DType type;
  private final Staging factor;
  private final OperandPort[] inputs;
  private final OperandPort output;
  private final Chunk chunk;
  private final int temporaries;

  /**
   * @param chunk computes the output's slot from that of the product and those of the inputs
   * @param temporaries number of temporary slots the chunk uses
   */
  ContractionKernel(Kernel.Contraction kernel, Chunk chunk, int temporaries) {
    this.type = kernel.operands().getFirst().type();
    this.factor = new Staging(type);
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.output = OperandPort.of(kernel, Kernel.Role.OUTPUT)[0];
    this.chunk = chunk;
    this.temporaries = temporaries;
  }

  /** The expression of the product's elements, which are in the slot of operand 0. */
  static Kernel.Elementwise epilogue(Kernel.Contraction kernel) {
    int output = kernel.operands().size() - 1;
    return new Kernel.Elementwise(
        kernel.operands(), kernel.nodes(), List.of(new Kernel.Store(output, kernel.value())));
  }

  /** Positions are blocks here. */
  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    for (long block = first; block < first + count; block++) {
      run(operands, space, block, scratch);
    }
  }

  private void run(long[] operands, IterationSpace space, long block, CpuScratch scratch) {
    long allRows = ContractionSpace.rows(space);
    long allColumns = ContractionSpace.columns(space);
    long across = Math.ceilDiv(allColumns, ContractionSpace.COLUMNS);
    long down = Math.ceilDiv(allRows, ContractionSpace.ROWS);
    long row = block / across % down * ContractionSpace.ROWS;
    long column = block % across * ContractionSpace.COLUMNS;
    long position = (block / across / down * allRows + row) * allColumns + column;
    int rows = (int) Math.min(ContractionSpace.ROWS, allRows - row);
    int columns = (int) Math.min(ContractionSpace.COLUMNS, allColumns - column);
    multiply(operands, space, position, rows, columns, scratch);
    for (OperandPort input : inputs) {
      if (input.operand() > 1) {
        input.loadGrid(operands, space, position, rows, columns, scratch);
      }
    }
    chunk.apply(rows * columns, scratch, operands);
    output.storeGrid(operands, space, position, rows, columns, scratch);
  }

  /** Leaves the product of a block in its slot, row-major. */
  private void multiply(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      int columns,
      CpuScratch scratch) {
    ProductLoops.clear(type, scratch, rows * columns);
    int down = space.kept() - 2;
    int across = space.kept() - 1;
    if (isStill(space, 0, across, columns) && isStill(space, 1, down, rows)) {
      multiply(operands, space, position, 0, 0, rows, columns, scratch);
    } else if (isStill(space, 1, across, columns) && isStill(space, 0, down, rows)) {
      multiply(operands, space, position, 1, 0, rows, columns, scratch);
    } else {
      // Rows or columns are something that both factors have, such as a batch: one at a time.
      long allColumns = ContractionSpace.columns(space);
      for (int cell = 0; cell < rows * columns; cell++) {
        long at = position + cell / columns * allColumns + cell % columns;
        multiply(operands, space, at, 0, cell, 1, 1, scratch);
      }
    }
    ProductLoops.wrap(type, scratch, rows * columns);
  }

  private static boolean isStill(IterationSpace space, int operand, int dim, int size) {
    return size == 1 || space.stride(operand, dim) == 0;
  }

  /**
   * Multiplies two panels after the other.
   *
   * @param byRow the factor whose elements differ from row to row; the other one has the columns
   * @param cell of the product's slot, where the first element goes
   */
  private void multiply(
      long[] operands,
      IterationSpace space,
      long position,
      int byRow,
      int cell,
      int rows,
      int columns,
      CpuScratch scratch) {
    int byColumn = 1 - byRow;
    int inner = space.rank() - 1;
    long depth = space.reducedCount();
    int panel = (int) Math.min(depth, CpuScratch.CHUNK / Math.max(rows, columns));
    long left = space.offset(byRow, position);
    long right = space.offset(byColumn, position);
    long leftStep = space.stride(byRow, inner);
    long rightStep = space.stride(byColumn, inner);
    long rowStep = rows == 1 ? 0 : space.stride(byRow, space.kept() - 2);
    long columnStep = columns == 1 ? 0 : space.stride(byColumn, space.kept() - 1);
    for (long k = 0; k < depth; k += panel) {
      int n = (int) Math.min(panel, depth - k);
      scratch.walk.grid(left + k * leftStep, rows, rowStep, n, leftStep);
      factor.load(scratch, LEFT, operands[byRow]);
      scratch.walk.grid(right + k * rightStep, n, rightStep, columns, columnStep);
      factor.load(scratch, RIGHT, operands[byColumn]);
      ProductLoops.add(type, scratch, LEFT, RIGHT, cell, rows, columns, n);
    }
  }
}

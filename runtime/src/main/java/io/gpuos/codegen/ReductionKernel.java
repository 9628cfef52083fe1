package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.IterationSpace;

/**
 * Runs a reduction in one of two orders, chosen by the space alone: <em>rows</em>, where the values
 * of each kept position are staged one after the other, as many positions at a time as a chunk
 * holds; or <em>blocks</em>, where the inputs lie closer together along the last kept dimension
 * than along the reduced ones, and a chunk holds a few values each of many neighbouring positions.
 */
final class ReductionKernel implements CpuKernel {

  /** Positions of a block at least, if there are that many: two cache lines of floats. */
  private static final int BLOCK_COLUMNS = 32;

  /** Fewer neighbouring positions than this are not worth a block. */
  private static final int MIN_COLUMNS = 4;

  private final OperandPort[] inputs;
  private final OperandPort output;
  private final Chunk chunk;
  private final int temporaries;
  private final Fold fold;

  /**
   * @param chunk leaves the values to fold in the output's slot
   * @param temporaries number of temporary slots the chunk uses
   */
  ReductionKernel(Kernel.Reduction kernel, Chunk chunk, int temporaries, Fold fold) {
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.output = OperandPort.of(kernel, Kernel.Role.OUTPUT)[0];
    this.chunk = chunk;
    this.temporaries = temporaries;
    this.fold = fold;
  }

  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    if (isBlockwise(space)) {
      runBlocks(operands, space, first, first + count, scratch);
    } else {
      runRows(operands, space, first, first + count, scratch);
    }
  }

  private boolean isBlockwise(IterationSpace space) {
    int lastKept = space.kept() - 1;
    if (lastKept < 0 || space.size(lastKept) < MIN_COLUMNS || space.reducedCount() < 2) {
      return false;
    }
    double along = 0;
    double across = 0;
    for (OperandPort input : inputs) {
      along += Math.abs((double) space.stride(input.operand(), lastKept));
      across += Math.abs((double) space.stride(input.operand(), space.rank() - 1));
    }
    return along < across;
  }

  // ---------------------------------------------------------------- rows

  private void runRows(
      long[] operands, IterationSpace space, long first, long end, CpuScratch scratch) {
    long length = space.reducedCount();
    int most = length == 0 ? CpuScratch.CHUNK : (int) Math.max(1, CpuScratch.CHUNK / length);
    for (long position = first; position < end; position += most) {
      int rows = (int) Math.min(most, end - position);
      begin(scratch, rows);
      if (length <= CpuScratch.CHUNK) {
        foldShortRows(operands, space, position, rows, (int) length, scratch);
      } else {
        foldLongRow(operands, space, position, length, scratch);
      }
      finish(operands, space, position, rows, scratch);
    }
  }

  private void foldShortRows(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      int length,
      CpuScratch scratch) {
    if (length == 0) {
      return;
    }
    stage(operands, space, position * length, rows * length, scratch);
    for (int cell = 0; cell < rows; cell++) {
      fold.fold(scratch, cell, output.operand(), cell * length, 1, length, 0);
    }
  }

  private void foldLongRow(
      long[] operands, IterationSpace space, long position, long length, CpuScratch scratch) {
    for (long before = 0; before < length; before += CpuScratch.CHUNK) {
      int n = (int) Math.min(CpuScratch.CHUNK, length - before);
      stage(operands, space, position * length + before, n, scratch);
      fold.fold(scratch, 0, output.operand(), 0, 1, n, before);
    }
  }

  /** Computes {@code n} values, {@code element} counting all dimensions row-major. */
  private void stage(
      long[] operands, IterationSpace space, long element, int n, CpuScratch scratch) {
    scratch.walk.seek(space, 0, space.rank(), element);
    for (OperandPort input : inputs) {
      input.load(operands, space, space.rank(), element, n, scratch);
    }
    chunk.apply(n, scratch, operands);
  }

  // ---------------------------------------------------------------- blocks

  private void runBlocks(
      long[] operands, IterationSpace space, long first, long end, CpuScratch scratch) {
    long width = space.size(space.kept() - 1);
    int rows = blockRows(width, space.reducedCount());
    long position = first;
    while (position < end) {
      long toEdge = Math.min(width - position % width, end - position);
      int columns = (int) Math.min(CpuScratch.CHUNK / rows, toEdge);
      begin(scratch, columns);
      foldBlocks(operands, space, position, rows, columns, scratch);
      finish(operands, space, position, columns, scratch);
      position += columns;
    }
  }

  /** Values of a position in one block: all that a chunk has room for besides enough columns. */
  private static int blockRows(long width, long reducedCount) {
    long columns = Math.min(width, BLOCK_COLUMNS);
    return (int) Math.min(reducedCount, CpuScratch.CHUNK / columns);
  }

  private void foldBlocks(
      long[] operands,
      IterationSpace space,
      long position,
      int mostRows,
      int columns,
      CpuScratch scratch) {
    long length = space.reducedCount();
    for (long before = 0; before < length; before += mostRows) {
      int rows = (int) Math.min(mostRows, length - before);
      scratch.walk.seek(space, space.kept(), space.rank(), before);
      for (OperandPort input : inputs) {
        input.loadBlock(operands, space, position, rows, columns, scratch);
      }
      chunk.apply(rows * columns, scratch, operands);
      for (int cell = 0; cell < columns; cell++) {
        fold.fold(scratch, cell, output.operand(), cell, columns, rows, before);
      }
    }
  }

  // ---------------------------------------------------------------- cells

  private void begin(CpuScratch scratch, int cells) {
    for (int cell = 0; cell < cells; cell++) {
      fold.begin(scratch, cell);
    }
  }

  private void finish(
      long[] operands, IterationSpace space, long position, int cells, CpuScratch scratch) {
    for (int cell = 0; cell < cells; cell++) {
      fold.finish(scratch, cell, space.reducedCount());
    }
    if (fold.resultType() == ComputeType.DOUBLE) {
      FoldResults.convert(
          scratch, scratch.doubles[CpuScratch.RESULT], output.type(), output.operand(), cells);
    } else {
      FoldResults.convert(
          scratch, scratch.longs[CpuScratch.RESULT], output.type(), output.operand(), cells);
    }
    scratch.walk.seek(space, 0, space.kept(), position);
    output.store(operands, space, space.kept(), position, cells, scratch);
  }
}

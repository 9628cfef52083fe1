package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a rows kernel: for as many rows at a time as a chunk holds, or for one longer row chunk by
 * chunk, computes and folds the values of each phase, and then what follows from the results.
 *
 * <p>All of a row is folded before anything of it is written, and its elements are read in the
 * chunk that writes them.
 */
final class RowsKernel implements CpuKernel {

  /** An expression over operands and results of folds, with what it reads and writes. */
  private record Expression(Chunk chunk, OperandPort[] inputs, OperandPort[] outputs) {}

  private final RowsPlan plan;
  private final List<Expression> phases;
  private final Expression elements;
  private final Expression perRow;
  private final int temporaries;

  private RowsKernel(
      RowsPlan plan,
      List<Expression> phases,
      Expression elements,
      Expression perRow,
      int temporaries) {
    this.plan = plan;
    this.phases = phases;
    this.elements = elements;
    this.perRow = perRow;
    this.temporaries = temporaries;
  }

  /** Compiles the kernel's expressions. */
  static RowsKernel of(Kernel.Rows kernel) {
    RowsPlan plan = RowsPlan.of(kernel);
    int temporaries = plan.valueSlot() + 1 - CpuScratch.TEMPORARIES;
    List<Kernel.Elementwise> sources = new ArrayList<>();
    plan.phases().forEach(phase -> sources.add(phase.values()));
    sources.add(plan.elements());
    sources.add(plan.perRow());
    List<Expression> compiled = new ArrayList<>();
    for (Kernel.Elementwise source : sources) {
      if (source == null) {
        compiled.add(null);
        continue;
      }
      LoopPlan loops = LoopPlan.of(source);
      temporaries = Math.max(temporaries, loops.temporaries());
      compiled.add(
          new Expression(
              ChunkGenerator.generate(source, loops),
              OperandPort.of(kernel, RowsPlan.inputs(kernel, source)),
              OperandPort.of(
                  kernel,
                  source.stores().stream()
                      .mapToInt(Kernel.Store::operand)
                      .filter(operand -> operand < kernel.operands().size())
                      .toArray())));
    }
    int folds = plan.phases().size();
    return new RowsKernel(
        plan,
        List.copyOf(compiled.subList(0, folds)),
        compiled.get(folds),
        compiled.get(folds + 1),
        temporaries);
  }

  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    long length = space.reducedCount();
    int most = length == 0 ? CpuScratch.CHUNK : (int) Math.max(1, CpuScratch.CHUNK / length);
    for (long position = first; position < first + count; position += most) {
      int rows = (int) Math.min(most, first + count - position);
      runRows(operands, space, position, rows, scratch);
    }
  }

  /** Rows of a chunk together, or a single longer one. */
  private void runRows(
      long[] operands, IterationSpace space, long position, int rows, CpuScratch scratch) {
    for (int k = 0; k < phases.size(); k++) {
      fold(k, operands, space, position, rows, scratch);
      finish(k, space.reducedCount(), rows, scratch);
    }
    if (elements != null) {
      long length = rows * space.reducedCount();
      for (long before = 0; before < length; before += CpuScratch.CHUNK) {
        int n = (int) Math.min(CpuScratch.CHUNK, length - before);
        long element = position * space.reducedCount() + before;
        apply(elements, operands, space, space.rank(), element, n, scratch);
      }
    }
    if (perRow != null) {
      apply(perRow, operands, space, space.kept(), position, rows, scratch);
    }
  }

  private void fold(
      int phase,
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      CpuScratch scratch) {
    Fold fold = plan.phases().get(phase).fold();
    for (int row = 0; row < rows; row++) {
      fold.begin(scratch, row);
    }
    long length = space.reducedCount();
    for (long before = 0; before < length; before += CpuScratch.CHUNK) {
      int part = (int) Math.min(CpuScratch.CHUNK, length - before);
      long element = position * length + before;
      apply(phases.get(phase), operands, space, space.rank(), element, rows * part, scratch);
      for (int row = 0; row < rows; row++) {
        fold.fold(scratch, row, plan.valueSlot(), row * part, 1, part, before);
      }
    }
  }

  /** Computes and writes {@code n} positions of the first {@code dims} dimensions. */
  private static void apply(
      Expression expression,
      long[] operands,
      IterationSpace space,
      int dims,
      long position,
      int n,
      CpuScratch scratch) {
    scratch.walk.seek(space, 0, dims, position);
    for (OperandPort input : expression.inputs) {
      input.load(operands, space, dims, position, n, scratch);
    }
    expression.chunk.apply(n, scratch, operands);
    for (OperandPort output : expression.outputs) {
      output.store(operands, space, dims, position, n, scratch);
    }
  }

  /** Brings the results of a phase to its slots, rounded as if they had been stored. */
  private void finish(int phase, long count, int rows, CpuScratch scratch) {
    Fold fold = plan.phases().get(phase).fold();
    for (int row = 0; row < rows; row++) {
      fold.finish(scratch, row, count);
    }
    DType type = plan.results().get(phase);
    int slot = plan.rowSlot(phase);
    if (fold.resultType() == ComputeType.DOUBLE) {
      FoldResults.convert(scratch, scratch.doubles[CpuScratch.RESULT], type, slot, rows);
    } else {
      FoldResults.convert(scratch, scratch.longs[CpuScratch.RESULT], type, slot, rows);
    }
    FoldResults.round(scratch, type, slot, rows);
    int repeat = (int) Math.min(count, CpuScratch.CHUNK);
    int to = plan.spreadSlot(phase);
    for (int row = 0; row < rows; row++) {
      int from = row * repeat;
      int end = from + repeat;
      switch (ComputeType.of(type)) {
        case FLOAT -> Arrays.fill(scratch.floats[to], from, end, scratch.floats[slot][row]);
        case DOUBLE -> Arrays.fill(scratch.doubles[to], from, end, scratch.doubles[slot][row]);
        case LONG -> Arrays.fill(scratch.longs[to], from, end, scratch.longs[slot][row]);
        case INT -> Arrays.fill(scratch.ints[to], from, end, scratch.ints[slot][row]);
      }
    }
  }
}

package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One memory operand of a compiled kernel: brings its chunks to and from the slot of the same
 * number, in one bulk move wherever the operand's offsets are a multiple of the position.
 * Immutable.
 */
final class OperandPort {

  private final int operand;
  private final DType type;
  private final Staging staging;

  private OperandPort(int operand, DType type) {
    this.operand = operand;
    this.type = type;
    this.staging = new Staging(type);
  }

  /** The ports of a kernel's operands of one role, in their order. */
  static OperandPort[] of(Kernel kernel, Kernel.Role role) {
    List<OperandPort> ports = new ArrayList<>();
    for (int k = 0; k < kernel.operands().size(); k++) {
      if (kernel.operands().get(k).role() == role) {
        ports.add(new OperandPort(k, kernel.operands().get(k).type()));
      }
    }
    return ports.toArray(OperandPort[]::new);
  }

  /** The ports of some of a kernel's operands. */
  static OperandPort[] of(Kernel kernel, int[] operands) {
    return Arrays.stream(operands)
        .mapToObj(k -> new OperandPort(k, kernel.operands().get(k).type()))
        .toArray(OperandPort[]::new);
  }

  /** Number of the operand, and of its slot. */
  int operand() {
    return operand;
  }

  DType type() {
    return type;
  }

  /**
   * Stages {@code n} positions of the first {@code dims} dimensions, from {@code position} on,
   * where {@code scratch.walk} has been sent to.
   */
  void load(
      long[] operands, IterationSpace space, int dims, long position, int n, CpuScratch scratch) {
    long address = operands[operand];
    if (isUniform(space, dims)) {
      long step = step(space, dims);
      staging.load(scratch, operand, address + position * step * type.bytes(), step, n);
    } else {
      scratch.walk.trace(space, operand, dims, n);
      staging.load(scratch, operand, address);
    }
  }

  /** Stages a block, see {@link Walk#traceBlock}; {@code position} is its first kept position. */
  void loadBlock(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      int columns,
      CpuScratch scratch) {
    long origin = space.offset(operand, position);
    scratch.walk.traceBlock(space, operand, origin, rows, columns);
    staging.load(scratch, operand, operands[operand]);
  }

  /** Writes {@code n} staged positions; the counterpart of {@link #load}. */
  void store(
      long[] operands, IterationSpace space, int dims, long position, int n, CpuScratch scratch) {
    long address = operands[operand];
    if (isUniform(space, dims)) {
      long step = step(space, dims);
      staging.store(scratch, operand, address + position * step * type.bytes(), step, n);
    } else {
      scratch.walk.trace(space, operand, dims, n);
      staging.storeRuns(scratch, operand, address, n);
    }
  }

  /**
   * Stages a block of the last two kept dimensions, row-major; {@code position} is its first one.
   */
  void loadGrid(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      int columns,
      CpuScratch scratch) {
    grid(space, position, rows, columns, scratch);
    staging.load(scratch, operand, operands[operand]);
  }

  /** Writes a staged block; the counterpart of {@link #loadGrid}. */
  void storeGrid(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      int columns,
      CpuScratch scratch) {
    grid(space, position, rows, columns, scratch);
    staging.storeRuns(scratch, operand, operands[operand], rows * columns);
  }

  private void grid(
      IterationSpace space, long position, int rows, int columns, CpuScratch scratch) {
    int across = space.kept() - 1;
    long rowStep = rows == 1 ? 0 : space.stride(operand, across - 1);
    long columnStep = columns == 1 ? 0 : space.stride(operand, across);
    scratch.walk.grid(space.offset(operand, position), rows, rowStep, columns, columnStep);
  }

  /** Whether the operand's offset is a multiple of the position. */
  private boolean isUniform(IterationSpace space, int dims) {
    for (int d = dims - 1; d > 0; d--) {
      if (space.stride(operand, d - 1) != space.stride(operand, d) * space.size(d)) {
        return false;
      }
    }
    return true;
  }

  private long step(IterationSpace space, int dims) {
    return dims == 0 ? 0 : space.stride(operand, dims - 1);
  }
}

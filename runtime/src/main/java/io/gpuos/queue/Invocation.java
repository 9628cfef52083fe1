package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import java.util.Arrays;

/**
 * An operator bound to its operands, ready to be submitted any number of times: everything a record
 * holds except its sequence and its dependencies. Immutable and thread-safe.
 *
 * <p>Large work is cut into tiles of {@code tilePositions} positions; each tile is one record, and
 * all tiles of one submission have consecutive sequences.
 */
public final class Invocation {
  final int operator;
  final int space;
  final int flags;
  final int sectors;
  final long[] operands;
  final int[] strideBytes;
  final boolean linear;
  final Access[] reads;
  final Access[] writes;
  final long positions;
  final int tilePositions;
  final int tiles;

  private Invocation(Builder builder) {
    operator = builder.operator;
    space = builder.space;
    linear = builder.linear;
    operands = Arrays.copyOf(builder.operands, builder.operandCount);
    // Without linear, a record addresses tiles by position; operands stay where they are.
    strideBytes =
        linear
            ? Arrays.copyOf(builder.strideBytes, builder.operandCount)
            : new int[builder.operandCount];
    reads = builder.reads;
    writes = builder.writes;
    positions = builder.positions;
    tilePositions = (int) Math.min(builder.tilePositions, Math.max(1, positions));
    tiles = (int) Math.max(1, Math.ceilDiv(positions, (long) tilePositions));
    sectors = linear || tiles == 1 ? TaskRecord.sectors(operands.length) : 3;
    flags = linear ? TaskRecord.FLAG_LINEAR : 0;
  }

  /** Records one submission takes. */
  public int tiles() {
    return tiles;
  }

  /** Logical operator this invokes. */
  public int operator() {
    return operator;
  }

  /** Positions of tile {@code tile}. */
  int count(int tile) {
    return (int) Math.min(tilePositions, positions - (long) tile * tilePositions);
  }

  /** Operand {@code index} of tile {@code tile}: linear addresses point at the tile's start. */
  long operand(int index, int tile) {
    return operands[index] + (long) tile * tilePositions * strideBytes[index];
  }

  /** First position of tile {@code tile}, in the record's unit. */
  int first(int tile) {
    return linear ? 0 : (int) ((long) tile * tilePositions / TaskRecord.POSITIONS_PER_FIRST);
  }

  /** Starts an invocation of logical operator {@code operator} over {@code positions} positions. */
  public static Builder of(int operator, long positions) {
    return new Builder(operator, positions);
  }

  /** Collects the parts; not thread-safe. */
  public static final class Builder {
    private static final Access[] NONE = {};

    /** A record's count is 32 bits wide, and so is the arithmetic on it. */
    private static final long MAX_TILE = 1 << 30;

    private final int operator;
    private final long positions;
    private final long[] operands = new long[TaskRecord.MAX_OPERANDS];
    private final int[] strideBytes = new int[TaskRecord.MAX_OPERANDS];
    private int operandCount;
    private int space;
    private boolean linear = true;
    private Access[] reads = NONE;
    private Access[] writes = NONE;
    private long tilePositions = MAX_TILE;

    private Builder(int operator, long positions) {
      this.operator = operator;
      this.positions = positions;
    }

    /** The operands are not linear: positions go through interned space {@code number}. */
    public Builder space(int number) {
      space = number;
      linear = false;
      return this;
    }

    /** Next operand: memory whose elements are {@code elementBytes} bytes. */
    public Builder address(long address, int elementBytes) {
      operands[operandCount] = address;
      strideBytes[operandCount++] = elementBytes;
      return this;
    }

    /** Next operand: a runtime scalar. */
    public Builder scalar(long bits) {
      operands[operandCount] = bits;
      strideBytes[operandCount++] = 0;
      return this;
    }

    public Builder reads(Access... accesses) {
      reads = accesses;
      return this;
    }

    public Builder writes(Access... accesses) {
      writes = accesses;
      return this;
    }

    /** Positions in one tile: a multiple of {@link TaskRecord#POSITIONS_PER_FIRST}. */
    public Builder tile(long tilePositions) {
      if (tilePositions <= 0
          || tilePositions > MAX_TILE
          || tilePositions % TaskRecord.POSITIONS_PER_FIRST != 0) {
        throw new IllegalArgumentException(
            "tile: positions=" + tilePositions + ", expected=a multiple of 256 up to " + MAX_TILE);
      }
      this.tilePositions = tilePositions;
      return this;
    }

    public Invocation build() {
      return new Invocation(this);
    }
  }
}

package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * An operator bound to its operands, ready to be submitted any number of times: everything a record
 * holds except its sequence and its dependencies. Immutable and thread-safe.
 *
 * <p>Large work is cut into tiles of {@code tilePositions} positions; each tile is one record, and
 * all tiles of one submission have consecutive sequences.
 */
public final class Invocation {
  /** Longs of a record; those of the unused sectors are never written. */
  private static final int WORDS = TaskRecord.BYTES / Long.BYTES;

  final int operator;

  /** Image of the record of the first tile, without stamps and dependencies. */
  final long[] image = new long[WORDS];

  /** Sectors after the first that hold anything; dependencies may need more. */
  final int sectors;

  final Access[] reads;
  final Access[] writes;
  final int tiles;

  /** Regions of the reads, then of the writes. Guarded by the ordering section. */
  private Region[] regions;

  private int readRegions;

  private final long positions;
  private final int tilePositions;
  private final boolean linear;
  private final int operandCount;
  private final int[] strideBytes;

  private Invocation(Builder builder) {
    operator = builder.operator;
    linear = builder.linear;
    reads = builder.reads;
    writes = builder.writes;
    positions = builder.positions;
    operandCount = builder.operandCount;
    strideBytes = Arrays.copyOf(builder.strideBytes, operandCount);
    tilePositions = (int) Math.min(builder.tilePositions, Math.max(1, positions));
    tiles = (int) Math.max(1, Math.ceilDiv(positions, (long) tilePositions));
    sectors = linear || tiles == 1 ? TaskRecord.sectors(operandCount) : 3;
    put(TaskRecord.LOGICAL_OPERATOR, operator);
    put(TaskRecord.SPACE, builder.space);
    put(TaskRecord.COUNT, count(0));
    put(TaskRecord.FLAGS, linear ? TaskRecord.FLAG_LINEAR : 0);
    for (int k = 0; k < operandCount; k++) {
      image[TaskRecord.operand(k) / Long.BYTES] = builder.operands[k];
    }
  }

  /** Puts the 32-bit word at byte {@code offset} of the image; the host is little-endian. */
  private void put(int offset, int value) {
    image[offset / Long.BYTES] |= Integer.toUnsignedLong(value) << offset % Long.BYTES * 8;
  }

  /** Makes {@code image}, a copy of {@link #image}, that of tile {@code tile}. */
  void moveTo(int tile, long[] target) {
    int count = TaskRecord.COUNT / Long.BYTES;
    target[count] = image[count] & ~0xffffffffL | count(tile);
    if (linear) {
      for (int k = 0; k < operandCount; k++) {
        int word = TaskRecord.operand(k) / Long.BYTES;
        target[word] = image[word] + (long) tile * tilePositions * strideBytes[k];
      }
    }
  }

  /**
   * The regions read, then those written; {@link #readRegions} of them are read. Looks again only
   * after a new view has split one. Inside the ordering section.
   */
  Region[] regions(long completedThrough) {
    Region[] current = regions;
    if (current != null) {
      boolean stale = false;
      for (Region region : current) {
        stale |= region.stale;
      }
      if (!stale) {
        return current;
      }
    }
    return resolve(completedThrough);
  }

  private Region[] resolve(long completedThrough) {
    // Splitting one operand's region may stale another's that was looked up before it.
    for (boolean settled = false; !settled; ) {
      List<Region> found = new ArrayList<>();
      for (Access access : reads) {
        found.addAll(Arrays.asList(access.regions(completedThrough)));
      }
      readRegions = found.size();
      for (Access access : writes) {
        found.addAll(Arrays.asList(access.regions(completedThrough)));
      }
      settled = found.stream().noneMatch(region -> region.stale);
      regions = found.toArray(Region[]::new);
    }
    return regions;
  }

  int readRegions() {
    return readRegions;
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

    private final int operator;
    private final long positions;
    private final long[] operands = new long[TaskRecord.MAX_OPERANDS];
    private final int[] strideBytes = new int[TaskRecord.MAX_OPERANDS];
    private int operandCount;
    private int space;
    private boolean linear = true;
    private Access[] reads = NONE;
    private Access[] writes = NONE;
    private long tilePositions = Integer.MAX_VALUE / 2;

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
      if (tilePositions <= 0 || tilePositions % TaskRecord.POSITIONS_PER_FIRST != 0) {
        throw new IllegalArgumentException(
            "tile: positions=" + tilePositions + ", expected=a multiple of 256");
      }
      this.tilePositions = tilePositions;
      return this;
    }

    public Invocation build() {
      return new Invocation(this);
    }
  }
}

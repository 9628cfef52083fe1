package io.gpuos.queue;

import io.gpuos.abi.NodeRecord;
import io.gpuos.abi.TaskRecord;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Locale;

/**
 * An operator bound to its operands, ready to be submitted any number of times: everything a record
 * holds except its sequence and its dependencies. Thread-safe; what changes is guarded by the
 * ring's ordering section.
 *
 * <p>Large work is cut into tiles of {@code tilePositions} positions; each tile is one record, and
 * all tiles of one submission have consecutive sequences.
 */
public final class Invocation {
  private static final int SECTOR_WORDS = TaskRecord.SECTOR_BYTES / Long.BYTES;

  final int operator;

  /** Image of the record of the first tile: the sectors in use, without stamps and dependencies. */
  final long[] image;

  /** Sectors after the first that hold anything; dependencies may need more. */
  final int sectors;

  final Access[] reads;
  final Access[] writes;
  final int tiles;

  /** Histories of what is read, then of what is written. */
  final RegionMap[] maps;

  /**
   * For each of {@link #maps} the offset of its one region and the map's version then; see {@link
   * #isResolved}. Guarded by the ordering section.
   */
  final int[] resolved;

  /** Whether every operand is one region; set by {@link #resolve}. */
  boolean simple;

  @SuppressWarnings("unused") // by the collector, see Builder.space
  private final Object spaceHolder;

  /** Not to be submitted any more; see {@link SubmissionRing#close(Invocation[])}. */
  boolean closed;

  private boolean everResolved;
  private final long positions;
  private final int tilePositions;
  private final int positionsPerFirst;
  private final boolean linear;
  private final int operandCount;
  private final int[] strideBytes;
  private volatile long[][] tileImages;

  private Invocation(Builder builder) {
    operator = builder.operator;
    spaceHolder = builder.spaceHolder;
    linear = builder.linear;
    positionsPerFirst = builder.positionsPerFirst;
    reads = builder.reads;
    writes = builder.writes;
    maps = new RegionMap[reads.length + writes.length];
    for (int k = 0; k < maps.length; k++) {
      maps[k] = (k < reads.length ? reads[k] : writes[k - reads.length]).map();
    }
    resolved = new int[2 * maps.length];
    positions = builder.positions;
    operandCount = builder.operandCount;
    // Without linear, a record addresses tiles by position; operands stay where they are.
    strideBytes = linear ? Arrays.copyOf(builder.strideBytes, operandCount) : new int[operandCount];
    tilePositions = (int) Math.min(builder.tilePositions, Math.max(1, positions));
    tiles = (int) Math.max(1, Math.ceilDiv(positions, (long) tilePositions));
    sectors = linear || tiles == 1 ? TaskRecord.sectors(operandCount) : 3;
    image = new long[(sectors + 1) * SECTOR_WORDS];
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

  /** Images of all tiles, worked out at the first use. A race makes them twice, equal each time. */
  long[][] tileImages() {
    long[][] images = tileImages;
    if (images == null) {
      images = new long[tiles][];
      for (int tile = 0; tile < tiles; tile++) {
        images[tile] = image.clone();
        moveTo(tile, images[tile]);
      }
      tileImages = images;
    }
    return images;
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
   * Writes the whole record of tile {@code tile}, but for sequence and stamps, to {@code target}
   * from {@code at} on.
   *
   * @param sequence that {@code dependencies} are relative to
   * @param room longs there are
   * @return false if the record does not fit
   */
  boolean writeImage(
      int tile, Dependencies dependencies, long sequence, long[] target, int at, int room) {
    int needed = Math.max(sectors, dependencies.count());
    if ((needed + 1) * SECTOR_WORDS > room) {
      return false;
    }
    long[] record = new long[(needed + 1) * SECTOR_WORDS];
    System.arraycopy(image, 0, record, 0, image.length);
    moveTo(tile, record);
    record[TaskRecord.FLAGS / Long.BYTES] |= (long) needed << TaskRecord.SECTORS_SHIFT + 32;
    if (needed >= 1) {
      record[TaskRecord.STAMP_1 / Long.BYTES] = (long) dependencies.after0(sequence) << 32;
    }
    if (needed >= 2) {
      record[TaskRecord.STAMP_2 / Long.BYTES] = (long) dependencies.after1(sequence) << 32;
    }
    if (needed >= 3) {
      record[TaskRecord.STAMP_3 / Long.BYTES] = (long) first(tile) << 32;
    }
    System.arraycopy(record, 0, target, at, record.length);
    return true;
  }

  /**
   * Writes the program node of tile {@code tile}, whose operands are distances from bases.
   *
   * @param bases number of the base of each operand; 0 for scalars
   */
  public void writeNode(int tile, int[] bases, MemorySegment target) {
    long[] record = image.clone();
    moveTo(tile, record);
    for (int word = 1; word < record.length; word++) {
      target.set(ValueLayout.JAVA_LONG, (long) word * Long.BYTES, record[word]);
    }
    for (int k = 0; k < operandCount; k++) {
      target.set(ValueLayout.JAVA_SHORT, NodeRecord.base(k), (short) bases[k]);
    }
    target.set(ValueLayout.JAVA_INT, TaskRecord.FIRST, first(tile));
  }

  /** Whether {@link #resolved} holds. Inside the ordering section. */
  boolean isResolved() {
    boolean current = everResolved;
    for (int k = 0; k < maps.length; k++) {
      current &= resolved[2 * k + 1] == maps[k].version;
    }
    return current;
  }

  /** Looks the operands' regions up; needed again only after a split. Inside the section. */
  void resolve(long completedThrough) {
    // Splitting for one operand may change what was looked up for another before it.
    while (!isResolved()) {
      everResolved = true;
      simple = true;
      for (int k = 0; k < maps.length; k++) {
        Access access = k < reads.length ? reads[k] : writes[k - reads.length];
        int[] offsets = access.offsets(completedThrough);
        simple &= offsets.length == 1;
        resolved[2 * k] = offsets.length == 1 ? offsets[0] : -1;
        resolved[2 * k + 1] = maps[k].version;
      }
    }
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
    return linear ? 0 : (int) ((long) tile * tilePositions / positionsPerFirst);
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
    private Object spaceHolder;
    private boolean linear = true;
    private int positionsPerFirst = TaskRecord.POSITIONS_PER_FIRST;
    private Access[] reads = NONE;
    private Access[] writes = NONE;
    private long tilePositions = MAX_TILE;

    private Builder(int operator, long positions) {
      this.operator = operator;
      this.positions = positions;
    }

    /**
     * The operands are not linear: positions go through interned space {@code number}.
     *
     * @param holder kept as long as the invocation, and in use until a submission has its
     *     sequences; what keeps the number from being given to another space
     */
    public Builder space(int number, Object holder) {
      space = number;
      spaceHolder = holder;
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

    /**
     * The operator is no elementwise one: tiles may start at any position. Before {@link #tile}.
     */
    public Builder reduction() {
      positionsPerFirst = TaskRecord.POSITIONS_PER_FIRST_OF_REDUCTION;
      return this;
    }

    /** Positions in one tile: a multiple of 256, or any number for a reduction or a product. */
    public Builder tile(long tilePositions) {
      if (tilePositions <= 0
          || tilePositions > MAX_TILE
          || tilePositions % positionsPerFirst != 0
          || positions / positionsPerFirst > 0xffffffffL) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "tile: positions=%d of %d, expected=a multiple of %d up to %d",
                tilePositions,
                positions,
                positionsPerFirst,
                MAX_TILE));
      }
      this.tilePositions = tilePositions;
      return this;
    }

    public Invocation build() {
      return new Invocation(this);
    }
  }
}

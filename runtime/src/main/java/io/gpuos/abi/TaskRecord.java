package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * One slot of the submission ring: 128 bytes in four 32-byte sectors.
 *
 * <p>A worker polls a slot with one coalesced read and takes what that same read brought. Memory is
 * read in sectors, and two sectors of one read may be of different age, so every sector carries its
 * own stamp: the low 32 bits of the sequence. The host writes each sector's words before its stamp
 * and the full 64-bit sequence last; a worker accepts the record when the sequence and the stamps
 * of all sectors in use are the ones it waits for.
 */
public final class TaskRecord {

  public static final int BYTES = 128;
  public static final int SECTOR_BYTES = 32;
  public static final int MAX_OPERANDS = 10;

  /** The space is linear: operand addresses point at the tile's first element. */
  public static final int FLAG_LINEAR = 1;

  /**
   * The task is a segment of a program: operand 0 is the address of its nodes, {@code count} their
   * number, operand 1 the address of the replay's bindings. What to run, each node says.
   */
  public static final int FLAG_SEGMENT = 2;

  /** Bits 28..29 of {@code flags}: number of sectors in use after the first. */
  public static final int SECTORS_SHIFT = 28;

  /** Widest distance, in sequences, that {@code after} words can express. */
  public static final int MAX_DISTANCE = 0xffff;

  /** Logical operator that does nothing; a claimed record without a task names it. */
  public static final int OPERATOR_NOTHING = 0;

  static final Record RECORD =
      Record.builder(
              "gpuos_task",
              BYTES,
              BYTES,
              "One task, or one tile of a task. Written by the submitting thread, read by one"
                  + " worker.")
          .access(Side.HOST, Side.DEVICE, Order.RELEASE)
          .word(U64, "sequence", "sequence", "written last: publishes the record")
          .access(Side.HOST, Side.DEVICE, Order.PLAIN)
          .word(U32, "logical_operator", "index", "what to run; 0 does nothing")
          .word(U32, "space", "index", "interned iteration space; unused when linear")
          .word(U32, "count", "positions", "positions in this tile")
          .word(U32, "flags", "bits", "GPUOS_FLAG_*; bits 28..29: sectors in use after the first")
          .words(U64, "operand0", 1, "address or bits", "operand 0")
          .word(U32, "stamp1", "sequence", "low half of the sequence")
          .word(
              U32,
              "after0",
              "distances",
              "first range of tasks to wait for: far << 16 | near; 0: none")
          .words(U64, "operand1", 3, "address or bits", "operands 1 to 3")
          .word(U32, "stamp2", "sequence", "low half of the sequence")
          .word(U32, "after1", "distances", "second range of tasks to wait for")
          .words(U64, "operand4", 3, "address or bits", "operands 4 to 6")
          .word(U32, "stamp3", "sequence", "low half of the sequence")
          .word(
              U32,
              "first",
              "256 positions",
              "first position of the tile; in single positions for a reduction; unused when linear")
          .words(U64, "operand7", 3, "address or bits", "operands 7 to 9")
          .build();

  public static final int SEQUENCE = RECORD.offset("sequence");
  public static final int LOGICAL_OPERATOR = RECORD.offset("logical_operator");
  public static final int SPACE = RECORD.offset("space");
  public static final int COUNT = RECORD.offset("count");
  public static final int FLAGS = RECORD.offset("flags");
  public static final int STAMP_1 = RECORD.offset("stamp1");
  public static final int AFTER_0 = RECORD.offset("after0");
  public static final int STAMP_2 = RECORD.offset("stamp2");
  public static final int AFTER_1 = RECORD.offset("after1");
  public static final int STAMP_3 = RECORD.offset("stamp3");
  public static final int FIRST = RECORD.offset("first");
  private static final int OPERAND_0 = RECORD.offset("operand0");
  private static final int OPERAND_1 = RECORD.offset("operand1");

  /** Unit of {@code first} for elementwise operators: their tiles start at multiples of it. */
  public static final int POSITIONS_PER_FIRST = 256;

  /** Unit of {@code first} for reductions, one result of which may be much work. */
  public static final int POSITIONS_PER_FIRST_OF_REDUCTION = 1;

  private TaskRecord() {}

  /** Byte offset of operand {@code index}, 0 to 9. */
  public static int operand(int index) {
    return index == 0 ? OPERAND_0 : OPERAND_1 + 8 * (index - 1) + 8 * ((index - 1) / 3);
  }

  /** Sectors after the first that hold {@code operands} operands: 0 to 3. */
  public static int sectors(int operands) {
    return operands <= 1 ? 0 : (operands + 1) / 3;
  }
}

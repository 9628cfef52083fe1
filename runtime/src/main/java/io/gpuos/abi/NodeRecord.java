package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * One task of a program, in device memory. Workers make a task record of it: the words of both lie
 * at the same offsets, but for those that only the ring needs. In their place stand the numbers of
 * the operands' bases: an operand is the sum of its word here and of the base's address among the
 * bindings of the replay. Base 0 is always 0, for scalars.
 */
public final class NodeRecord {

  public static final int BYTES = TaskRecord.BYTES;

  /** Most bases that a program can have, that of number 0 included. */
  public static final int MAX_BASES = 1 << 16;

  static final Record RECORD =
      Record.builder(
              "gpuos_node",
              BYTES,
              BYTES,
              "One task of a program; becomes a gpuos_task when the bases are added to its operands.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .words(U32, "bases0", 2, "2 x 16 bits", "bases of operands 0 to 3")
          .word(U32, "logical_operator", "index", "as in gpuos_task, like all words of that name")
          .word(U32, "space", "index", "")
          .word(U32, "count", "positions", "")
          .word(U32, "flags", "bits", "GPUOS_FLAG_LINEAR")
          .words(U64, "operand0", 1, "bytes or bits", "from the base on")
          .words(U32, "bases4", 2, "2 x 16 bits", "bases of operands 4 to 7")
          .words(U64, "operand1", 3, "bytes or bits", "from the bases on")
          .words(U32, "bases8", 1, "2 x 16 bits", "bases of operands 8 and 9")
          .word(U32, "unused0", "-", "zero")
          .words(U64, "operand4", 3, "bytes or bits", "from the bases on")
          .word(U32, "unused1", "-", "zero")
          .word(U32, "first", "256 positions", "")
          .words(U64, "operand7", 3, "bytes or bits", "from the bases on")
          .build();

  private static final int[] BASES = {
    RECORD.offset("bases0"), RECORD.offset("bases4"), RECORD.offset("bases8")
  };

  private NodeRecord() {}

  /** Byte offset of the 16 bits that number the base of operand {@code index}, 0 to 9. */
  public static int base(int index) {
    return BASES[index / 4] + index % 4 * 2;
  }
}

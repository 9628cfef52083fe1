package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.I64;
import static io.gpuos.abi.Field.Type.U32;

/**
 * An iteration space in device memory, interned: written once before its number is first used,
 * never changed. Dimensions are outermost first, the kept ones before the reduced ones.
 */
public final class SpaceRecord {

  public static final int MAX_RANK = 8;

  static final Record RECORD =
      Record.builder("gpuos_space", 720, 16, "Coalesced sizes and strides of one operation.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U32, "rank", "dimensions", "kept and reduced dimensions together")
          .word(U32, "reduced", "dimensions", "how many of them, the last ones, are folded")
          .words(U32, "pad", 2, "-", "zero")
          .words(I64, "size", MAX_RANK, "positions", "size of each dimension")
          .words(
              I64,
              "stride",
              TaskRecord.MAX_OPERANDS * MAX_RANK,
              "elements",
              "stride of operand k in dimension d at [k * 8 + d]")
          .build();

  public static final int BYTES = 720;
  public static final int RANK = RECORD.offset("rank");
  public static final int REDUCED = RECORD.offset("reduced");
  public static final int SIZE = RECORD.offset("size");
  public static final int STRIDE = RECORD.offset("stride");

  private SpaceRecord() {}
}

package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/** A segment of a program as replays on a stream find it, in device memory. */
public final class SegmentRecord {

  static final Record RECORD =
      Record.builder("gpuos_segment", 32, 16, "Nodes that one block runs one after the other.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "nodes", "address", "gpuos_node[count], device memory")
          .word(U32, "count", "nodes", "at least 1")
          .word(U32, "after_begin", "index", "first of the earlier segments it waits for")
          .word(U32, "after_end", "index", "behind the last one")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int NODES = RECORD.offset("nodes");
  public static final int COUNT = RECORD.offset("count");
  public static final int AFTER_BEGIN = RECORD.offset("after_begin");
  public static final int AFTER_END = RECORD.offset("after_end");

  private SegmentRecord() {}
}

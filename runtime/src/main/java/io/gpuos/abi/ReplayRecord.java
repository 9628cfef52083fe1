package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * Head of the parameter of a kernel that replays a program on somebody else's stream. The bindings
 * follow it, as many as the kernel has room for, or else lie in device memory.
 */
public final class ReplayRecord {

  static final Record RECORD =
      Record.builder("gpuos_replay", 80, 16, "Head of the parameter of a replay on a stream.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "segments", "address", "gpuos_segment[count], device memory")
          .word(U64, "after", "address", "u32[], device memory: numbers of earlier segments")
          .word(U64, "state", "address", "gpuos_replay_state, device memory")
          .word(U64, "entries", "address", "gpuos_entry[], device memory: by logical operator")
          .word(U64, "space_pages", "address", "gpuos_space*[], device memory: pages of 256 spaces")
          .word(U64, "bindings", "address", "u64[], device memory, where they do not follow")
          .word(U64, "times", "address", "u64[], device memory, for a replay that is traced")
          .word(U64, "nodes", "address", "gpuos_node[], device memory: of all segments")
          .word(U32, "count", "segments", "at least 1")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int SEGMENTS = RECORD.offset("segments");
  public static final int AFTER = RECORD.offset("after");
  public static final int STATE = RECORD.offset("state");
  public static final int ENTRIES = RECORD.offset("entries");
  public static final int SPACE_PAGES = RECORD.offset("space_pages");
  public static final int BINDINGS = RECORD.offset("bindings");
  public static final int TIMES = RECORD.offset("times");
  public static final int NODES = RECORD.offset("nodes");
  public static final int COUNT = RECORD.offset("count");

  /** Bindings that follow in the parameter of the small kernel: 512 bytes in all. */
  public static final int NEAR_BINDINGS = 54;

  /** The same of the wide kernel: the 4,096 bytes that any kernel may take. */
  public static final int WIDE_BINDINGS = 502;

  /** Words of a trace for each segment: see {@code Clocks} in gpuos_replay.cuh. */
  public static final int SEGMENT_TIMES = 5;

  /** The same for each node, behind those of all segments: the clock before it and after it. */
  public static final int NODE_TIMES = 2;

  private ReplayRecord() {}
}

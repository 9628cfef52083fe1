package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * Head of the parameter of a kernel that replays a program on somebody else's stream. The bindings
 * follow it, as many as the kernel has room for, or else lie in device memory.
 */
public final class ReplayRecord {

  static final Record RECORD =
      Record.builder("gpuos_replay", 64, 16, "Head of the parameter of a replay on a stream.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "segments", "address", "gpuos_segment[count], device memory")
          .word(U64, "after", "address", "u32[], device memory: numbers of earlier segments")
          .word(U64, "state", "address", "gpuos_replay_state, device memory")
          .word(U64, "entries", "address", "gpuos_entry[], device memory: by logical operator")
          .word(U64, "space_pages", "address", "gpuos_space*[], device memory: pages of 256 spaces")
          .word(U64, "bindings", "address", "u64[], device memory, where they do not follow")
          .word(U32, "count", "segments", "at least 1")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int SEGMENTS = RECORD.offset("segments");
  public static final int AFTER = RECORD.offset("after");
  public static final int STATE = RECORD.offset("state");
  public static final int ENTRIES = RECORD.offset("entries");
  public static final int SPACE_PAGES = RECORD.offset("space_pages");
  public static final int BINDINGS = RECORD.offset("bindings");
  public static final int COUNT = RECORD.offset("count");

  /** Bindings that follow in the parameter of the small kernel: 512 bytes in all. */
  public static final int NEAR_BINDINGS = 56;

  /** The same of the wide kernel: the 4,096 bytes that any kernel may take. */
  public static final int WIDE_BINDINGS = 504;

  private ReplayRecord() {}
}

package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U64;

/**
 * What the blocks of a replay on a stream share, in device memory. The stamps of the segments
 * follow it: one 64-bit word each, the epoch of the replay that completed it last. The stream keeps
 * the replays of one program apart, and the last block that leaves makes ready for the next.
 */
public final class ReplayStateRecord {

  static final Record RECORD =
      Record.builder(
              "gpuos_replay_state",
              32,
              16,
              "Claims and epoch of a program's replays on streams, zero at first; stamps follow.")
          .access(Side.DEVICE, Side.DEVICE, Order.RELAXED)
          .word(U64, "claimed", "segments", "next segment that no block has claimed")
          .word(U64, "left", "blocks", "blocks that have left")
          .word(U64, "epoch", "replays", "replays that are complete")
          .build();

  public static final int BYTES = RECORD.bytes();

  private ReplayStateRecord() {}
}

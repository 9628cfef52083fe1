package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * Control words of one device in pinned host memory. Words with different writers lie 64 bytes
 * apart, so that no cache line is written by both sides.
 *
 * <p>The lease in two words: the device writes {@code parked_epoch = e} when the kernel launched as
 * epoch {@code e} means to leave; the host writes {@code yield_epoch = e} to ask for it. The host
 * launches epoch {@code e + 1} when it finds {@code parked_epoch == e} after having published a
 * record (full fence between); the workers look at the ring once more after {@code parked_epoch}
 * has been written (full fence between). So a record is either seen by that last look, or its
 * submitter sees the parked epoch.
 */
public final class ControlRecord {

  public static final long MAGIC = 0x4750554f53303031L; // "GPUOS001"
  public static final int BYTES = 256;

  static final Record RECORD =
      Record.builder(
              "gpuos_control", BYTES, 64, "Lease and completion words, in pinned host memory.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "magic", "-", "GPUOS_MAGIC")
          .word(U32, "version", "-", "GPUOS_ABI_VERSION")
          .word(U32, "bytes", "bytes", "size of this record")
          .at(64)
          .access(Side.DEVICE, Side.HOST, Order.FENCED)
          .word(U64, "parked_epoch", "epoch", "last launch whose workers mean to leave")
          .at(128)
          .access(Side.DEVICE, Side.HOST, Order.RELEASE)
          .word(
              U64, "completed_through", "sequence", "every task up to and including it is complete")
          .at(192)
          .access(Side.HOST, Side.DEVICE, Order.RELEASE)
          .word(U64, "yield_epoch", "epoch", "launches up to this one are asked to leave")
          .build();

  public static final int RECORD_MAGIC = RECORD.offset("magic");
  public static final int RECORD_VERSION = RECORD.offset("version");
  public static final int RECORD_BYTES = RECORD.offset("bytes");
  public static final int PARKED_EPOCH = RECORD.offset("parked_epoch");
  public static final int COMPLETED_THROUGH = RECORD.offset("completed_through");
  public static final int YIELD_EPOCH = RECORD.offset("yield_epoch");

  private ControlRecord() {}
}

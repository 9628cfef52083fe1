package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/** The worker kernel's only parameter, passed by value at each launch. */
public final class LaunchRecord {

  static final Record RECORD =
      Record.builder("gpuos_launch", 128, 16, "Parameter of the worker kernel.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "control", "address", "gpuos_control, host memory")
          .word(U64, "ring", "address", "gpuos_task[mask + 1], host memory")
          .word(U64, "late", "address", "u64[mask + 1], host memory: completed out of order")
          .word(
              U64,
              "completed",
              "address",
              "u64[mask + 1], device memory: stamps of completed tasks")
          .word(U64, "state", "address", "gpuos_state, device memory")
          .word(U64, "entries", "address", "gpuos_entry[], device memory: by logical operator")
          .word(U64, "space_pages", "address", "gpuos_space*[], device memory: pages of 256 spaces")
          .word(U64, "first_sequence", "sequence", "the first sequence of this ring")
          .word(U64, "epoch", "launches", "number of this launch")
          .word(U64, "linger", "ns", "leave when idle for longer")
          .word(U64, "max_residency", "ns", "leave when resident for longer")
          .word(U32, "mask", "-", "ring capacity - 1; the capacity is a power of two")
          .word(
              U32, "near_window", "tasks", "idle workers whose claim is further ahead poll seldom")
          .build();

  public static final int BYTES = 128;
  public static final int CONTROL = RECORD.offset("control");
  public static final int RING = RECORD.offset("ring");
  public static final int LATE = RECORD.offset("late");
  public static final int COMPLETED = RECORD.offset("completed");
  public static final int STATE = RECORD.offset("state");
  public static final int ENTRIES = RECORD.offset("entries");
  public static final int SPACE_PAGES = RECORD.offset("space_pages");
  public static final int FIRST_SEQUENCE = RECORD.offset("first_sequence");
  public static final int EPOCH = RECORD.offset("epoch");
  public static final int LINGER = RECORD.offset("linger");
  public static final int MAX_RESIDENCY = RECORD.offset("max_residency");
  public static final int MASK = RECORD.offset("mask");
  public static final int NEAR_WINDOW = RECORD.offset("near_window");

  /** Iteration spaces in one page of {@code space_pages}. */
  public static final int SPACES_PER_PAGE = 256;

  private LaunchRecord() {}
}

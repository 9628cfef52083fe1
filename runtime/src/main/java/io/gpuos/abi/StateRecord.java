package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * Words the workers share among themselves, in device memory. They outlive a launch: a worker that
 * leaves writes down the sequence it had claimed, and the worker with its number in the next launch
 * goes on with it.
 */
public final class StateRecord {

  /** Most workers one device can have. */
  public static final int MAX_WORKERS = 2048;

  static final Record RECORD =
      Record.builder(
              "gpuos_state",
              512 + MAX_WORKERS * 20,
              128,
              "Claims, counters and the stop word, in device memory. Zero-filled, then head,"
                  + " reported, fetched and begun are set by the host before the first launch.")
          .access(Side.DEVICE, Side.DEVICE, Order.RELAXED)
          .word(U64, "head", "sequence", "next sequence that no worker has claimed")
          .at(128)
          .word(
              U64,
              "fetched",
              "sequence",
              "first sequence plus the number of tasks taken from the ring")
          .at(256)
          .access(Side.DEVICE, Side.DEVICE, Order.RELEASE)
          .word(
              U64,
              "stop",
              "epoch << 2 | mode",
              "leave: mode 1 when the slot is empty, mode 2 at once")
          .word(U64, "left", "workers", "workers that have left, over all launches")
          .at(384)
          .word(U64, "reported", "sequence", "completed_through as last reported to the host")
          .at(512)
          .words(U64, "claim", MAX_WORKERS, "sequence", "what worker w had claimed when it left")
          .words(U32, "held", MAX_WORKERS, "0 or 1", "whether claim[w] is valid")
          .access(Side.DEVICE, Side.HOST, Order.RELAXED)
          .words(
              U64,
              "begun",
              MAX_WORKERS,
              "sequence",
              "the task that worker w began last; the watchdog copies it")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int HEAD = RECORD.offset("head");
  public static final int FETCHED = RECORD.offset("fetched");
  public static final int REPORTED = RECORD.offset("reported");
  public static final int BEGUN = RECORD.offset("begun");

  private StateRecord() {}
}

package io.gpuos.queue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.CudaHeader;
import io.gpuos.abi.TaskRecord;
import java.lang.foreign.MemorySegment;

/**
 * The shared host memory of one ring: control words, records and the words of tasks that complete
 * out of order, in one piece so that a device can pin it with one call.
 */
public final class RingMemory {

  private final SharedWords control;
  private final SharedWords records;
  private final SharedWords late;
  private final int capacity;
  private final long firstSequence;

  /** Bytes needed for a ring of {@code capacity} records. */
  public static long bytes(int capacity) {
    return ControlRecord.BYTES + (long) capacity * (TaskRecord.BYTES + Long.BYTES);
  }

  /**
   * Lays the ring out in {@code memory} and fills it as if every task before {@code firstSequence}
   * had been completed, so that a slot's content is always that of the previous lap.
   *
   * @param memory at least {@link #bytes} bytes, aligned to 256 bytes, kept alive by this object
   * @param capacity a power of two from 2 to 32768, so that a distance fits 16 bits
   * @param firstSequence where counting starts; any value, also just below a wrap
   */
  public RingMemory(MemorySegment memory, int capacity, long firstSequence) {
    if (capacity < 2 || Integer.bitCount(capacity) != 1 || capacity > TaskRecord.MAX_DISTANCE) {
      throw new IllegalArgumentException(
          "ring capacity: capacity=" + capacity + ", expected=a power of two from 2 to 32768");
    }
    this.capacity = capacity;
    this.firstSequence = firstSequence;
    long recordBytes = (long) capacity * TaskRecord.BYTES;
    control = new SharedWords(memory.asSlice(0, ControlRecord.BYTES));
    records = new SharedWords(memory.asSlice(ControlRecord.BYTES, recordBytes));
    late =
        new SharedWords(
            memory.asSlice(ControlRecord.BYTES + recordBytes, (long) capacity * Long.BYTES));
    fill();
  }

  private void fill() {
    control.putLongPlain(ControlRecord.RECORD_MAGIC, ControlRecord.MAGIC);
    control.putIntPlain(ControlRecord.RECORD_VERSION, CudaHeader.ABI_VERSION);
    control.putIntPlain(ControlRecord.RECORD_BYTES, ControlRecord.BYTES);
    control.putLongPlain(ControlRecord.PARKED_EPOCH, 0);
    control.putLongPlain(ControlRecord.YIELD_EPOCH, 0);
    control.putLongPlain(ControlRecord.COMPLETED_THROUGH, firstSequence - 1);
    for (int k = 0; k < capacity; k++) {
      long sequence = firstSequence - capacity + k;
      long slot = slot(sequence);
      records.putLongPlain(slot + TaskRecord.SEQUENCE, sequence);
      records.putIntPlain(slot + TaskRecord.STAMP_1, (int) sequence);
      records.putIntPlain(slot + TaskRecord.STAMP_2, (int) sequence);
      records.putIntPlain(slot + TaskRecord.STAMP_3, (int) sequence);
      late.putLongPlain(lateOffset(sequence), sequence);
    }
  }

  public SharedWords control() {
    return control;
  }

  public SharedWords records() {
    return records;
  }

  public SharedWords late() {
    return late;
  }

  public int capacity() {
    return capacity;
  }

  public long firstSequence() {
    return firstSequence;
  }

  /** Byte offset of the record of {@code sequence}. */
  public long slot(long sequence) {
    return (sequence & (capacity - 1)) * TaskRecord.BYTES;
  }

  /** Byte offset in {@link #late} of the word of {@code sequence}. */
  public long lateOffset(long sequence) {
    return (sequence & (capacity - 1)) * Long.BYTES;
  }
}

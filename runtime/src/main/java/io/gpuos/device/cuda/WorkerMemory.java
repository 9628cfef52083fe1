package io.gpuos.device.cuda;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.EntryRecord;
import io.gpuos.abi.LaunchRecord;
import io.gpuos.abi.StateRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.device.DeviceSettings;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaMemory;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.queue.RingMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;

/**
 * Everything the workers share: the ring in pinned host memory, and in device memory their state,
 * the completion stamps and the operator entries. Also the launch parameter that points at it all.
 */
final class WorkerMemory {

  /** Logical operators the entry table has room for. */
  static final int MAX_OPERATORS = 65_536;

  /** Idle workers further than this from the front sleep between polls. */
  private static final int NEAR_WINDOW = 16;

  private final CudaMemory memory;
  private final PinnedBuffer pinned;
  private final RingMemory ring;
  private final long state;
  private final long completed;
  private final long entries;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment launch;

  /**
   * @param spacePages device address of the directory of iteration spaces
   * @param parts closes each piece; the workers must have left then
   */
  WorkerMemory(CudaContext context, DeviceSettings settings, long spacePages, CloseStack parts) {
    memory = context.memory();
    parts.push(arena::close);
    pinned = memory.allocatePinned(RingMemory.bytes(settings.ringCapacity()));
    parts.push(pinned::close);
    ring = new RingMemory(pinned.segment(), settings.ringCapacity(), settings.firstSequence());
    state = allocate(StateRecord.BYTES, parts);
    completed = allocate((long) settings.ringCapacity() * Long.BYTES, parts);
    entries = allocate((long) MAX_OPERATORS * EntryRecord.BYTES, parts);
    fill(settings);
    launch = arena.allocate(LaunchRecord.BYTES, 16);
    describe(settings, spacePages);
  }

  private long allocate(long bytes, CloseStack parts) {
    long address = memory.allocate(bytes);
    parts.push(() -> memory.free(address));
    return address;
  }

  private void fill(DeviceSettings settings) {
    long first = settings.firstSequence();
    int capacity = settings.ringCapacity();
    try (Arena staging = Arena.ofConfined()) {
      MemorySegment words = staging.allocate(StateRecord.BYTES, Long.BYTES);
      words.set(ValueLayout.JAVA_LONG, StateRecord.HEAD, first);
      words.set(ValueLayout.JAVA_LONG, StateRecord.FETCHED, first);
      words.set(ValueLayout.JAVA_LONG, StateRecord.REPORTED, first - 1);
      for (int w = 0; w < StateRecord.MAX_WORKERS; w++) {
        words.set(ValueLayout.JAVA_LONG, StateRecord.BEGUN + (long) w * Long.BYTES, first - 1);
      }
      memory.copyToDevice(state, words);
      MemorySegment stamps = staging.allocate((long) capacity * Long.BYTES, Long.BYTES);
      for (int k = 0; k < capacity; k++) {
        long sequence = first - capacity + k;
        stamps.set(ValueLayout.JAVA_LONG, ring.lateOffset(sequence), sequence);
      }
      memory.copyToDevice(completed, stamps);
      long bytes = (long) MAX_OPERATORS * EntryRecord.BYTES;
      memory.copyToDevice(entries, staging.allocate(bytes, Long.BYTES));
    }
  }

  private void describe(DeviceSettings settings, long spacePages) {
    long base = pinned.deviceAddress();
    long records = base + ControlRecord.BYTES;
    put(LaunchRecord.CONTROL, base);
    put(LaunchRecord.RING, records);
    put(LaunchRecord.LATE, records + (long) settings.ringCapacity() * TaskRecord.BYTES);
    put(LaunchRecord.COMPLETED, completed);
    put(LaunchRecord.STATE, state);
    put(LaunchRecord.ENTRIES, entries);
    put(LaunchRecord.SPACE_PAGES, spacePages);
    put(LaunchRecord.FIRST_SEQUENCE, settings.firstSequence());
    put(LaunchRecord.LINGER, nanos(settings.linger()));
    put(LaunchRecord.MAX_RESIDENCY, nanos(settings.maxResidency()));
    launch.set(ValueLayout.JAVA_INT, LaunchRecord.MASK, settings.ringCapacity() - 1);
    launch.set(ValueLayout.JAVA_INT, LaunchRecord.NEAR_WINDOW, NEAR_WINDOW);
  }

  private void put(int offset, long value) {
    launch.set(ValueLayout.JAVA_LONG, offset, value);
  }

  private static long nanos(Duration duration) {
    return duration.compareTo(Duration.ofDays(365)) > 0 ? Long.MAX_VALUE : duration.toNanos();
  }

  RingMemory ring() {
    return ring;
  }

  /** Device address of the words that say which task each worker began last. */
  long begun() {
    return state + StateRecord.BEGUN;
  }

  /** Device address of the entry of logical operator {@code number}. */
  long entry(int number) {
    return entries + (long) number * EntryRecord.BYTES;
  }

  /** Device address of the directory of iteration spaces. */
  long spacePages() {
    return launch.get(ValueLayout.JAVA_LONG, LaunchRecord.SPACE_PAGES);
  }

  /** The launch parameter for {@code epoch}; valid until the next call. Guarded by the lease. */
  MemorySegment launchParameter(long epoch) {
    put(LaunchRecord.EPOCH, epoch);
    return launch;
  }
}

package io.gpuos.device.cuda;

import io.gpuos.abi.LaunchRecord;
import io.gpuos.abi.SpaceRecord;
import io.gpuos.device.SpaceNumber;
import io.gpuos.driver.CudaMemory;
import io.gpuos.driver.CudaStream;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.layout.IterationSpace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Interned iteration spaces in device memory, in pages that never move. A space is written before
 * its number is given out, and never again: workers read it through caches that only a launch
 * empties. Thread-safe.
 */
final class SpaceTable implements AutoCloseable {

  private static final int MAX_PAGES = 4096;

  private final CudaMemory memory;
  private final CudaStream stream;
  private final Map<IterationSpace, SpaceNumber> numbers = new HashMap<>();
  private final List<Long> pages = new ArrayList<>();
  private final long directory;

  /**
   * @param stream for copies, used by nobody else meanwhile
   */
  SpaceTable(CudaMemory memory, CudaStream stream) {
    this.memory = memory;
    this.stream = stream;
    this.directory = memory.allocate((long) MAX_PAGES * Long.BYTES);
  }

  /** Device address of the array of page addresses. */
  long directory() {
    return directory;
  }

  synchronized SpaceNumber intern(IterationSpace space) {
    SpaceNumber known = numbers.get(space);
    if (known != null) {
      return known;
    }
    int number = numbers.size();
    int page = number / LaunchRecord.SPACES_PER_PAGE;
    if (page == pages.size()) {
      addPage();
    }
    long address =
        pages.get(page) + (long) (number % LaunchRecord.SPACES_PER_PAGE) * SpaceRecord.BYTES;
    try (Arena arena = Arena.ofConfined()) {
      copy(address, record(arena, space));
    }
    SpaceNumber named = new SpaceNumber(number);
    numbers.put(space, named);
    return named;
  }

  private void addPage() {
    if (pages.size() == MAX_PAGES) {
      throw new OutOfMemoryException(
          String.format(
              Locale.ROOT,
              "iteration spaces exhausted: spaces=%d, expected=fewer different shapes; open a new runtime",
              numbers.size()));
    }
    long page = memory.allocate((long) LaunchRecord.SPACES_PER_PAGE * SpaceRecord.BYTES);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment word = arena.allocateFrom(ValueLayout.JAVA_LONG, page);
      copy(directory + (long) pages.size() * Long.BYTES, word);
    }
    pages.add(page);
  }

  private static MemorySegment record(Arena arena, IterationSpace space) {
    MemorySegment record = arena.allocate(SpaceRecord.BYTES, Long.BYTES);
    record.set(ValueLayout.JAVA_INT, SpaceRecord.RANK, space.rank());
    record.set(ValueLayout.JAVA_INT, SpaceRecord.REDUCED, space.reduced());
    for (int dim = 0; dim < space.rank(); dim++) {
      record.set(
          ValueLayout.JAVA_LONG, SpaceRecord.SIZE + (long) dim * Long.BYTES, space.size(dim));
      for (int operand = 0; operand < space.operands(); operand++) {
        long index = (long) operand * SpaceRecord.MAX_RANK + dim;
        record.set(
            ValueLayout.JAVA_LONG,
            SpaceRecord.STRIDE + index * Long.BYTES,
            space.stride(operand, dim));
      }
    }
    return record;
  }

  private void copy(long address, MemorySegment source) {
    stream.copyToDevice(address, source);
    stream.synchronize();
  }

  @Override
  public synchronized void close() {
    pages.forEach(memory::free);
    memory.free(directory);
  }
}

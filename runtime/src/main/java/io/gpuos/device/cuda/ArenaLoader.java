package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaMemory;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.CodeArena;
import io.gpuos.inject.CodeMemory;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Brings operators into the running kernel: GPUOS itself verifies and links the machine code and
 * copies it to memory that has never been executed. The kernel goes on meanwhile.
 */
final class ArenaLoader implements CodeLoader, CodeMemory {

  private static final long CHUNK_BYTES = 4L << 20;
  private static final long LIMIT_BYTES = 1L << 30;

  /** Copies go through it: from pageable memory the driver would stage them itself, and wait. */
  private static final int STAGING_BYTES = 256 << 10;

  private final CudaMemory memory;
  private final CudaStream stream;
  private final PinnedBuffer staging;
  private final Limits limits;
  private final CodeArena arena = new CodeArena(this, CHUNK_BYTES, LIMIT_BYTES);
  private final List<Long> chunks = new ArrayList<>();
  private boolean closed;

  /**
   * @param limits what the resident kernel is launched with
   */
  ArenaLoader(CudaContext context, Limits limits) {
    this.memory = context.memory();
    this.limits = limits;
    this.stream = context.newStream();
    try {
      this.staging = memory.allocatePinned(STAGING_BYTES);
    } catch (RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  @Override
  public synchronized long load(String name, byte[] cubin) {
    if (closed) {
      throw new ClosedException(
          "runtime closed: operator=%s, expected=an open runtime".formatted(name));
    }
    return Injector.inject(cubin, ENTRY, limits, arena).entry();
  }

  @Override
  public InjectionStatus status(String reason) {
    CodeArena.Usage usage = arena.usage();
    return new InjectionStatus(
        true,
        "machine code is verified, linked and copied beside the running kernel",
        reason,
        Optional.of(
            new InjectionStatus.Arena(
                usage.images(), usage.usedBytes(), usage.reservedBytes(), usage.limitBytes())));
  }

  // ---- memory for the arena; under this object's monitor, by way of load() ----------------------

  @Override
  public long allocate(long bytes) {
    long address = memory.allocate(bytes);
    chunks.add(address);
    return address;
  }

  @Override
  public void write(long address, byte[] code) {
    for (int from = 0; from < code.length; from += STAGING_BYTES) {
      MemorySegment part = part(code.length - from);
      MemorySegment.copy(code, from, part, ValueLayout.JAVA_BYTE, 0, (int) part.byteSize());
      stream.copyToDevice(address + from, part);
      stream.synchronize();
    }
  }

  @Override
  public byte[] read(long address, int bytes) {
    byte[] code = new byte[bytes];
    for (int from = 0; from < bytes; from += STAGING_BYTES) {
      MemorySegment part = part(bytes - from);
      stream.copyToHost(part, address + from);
      stream.synchronize();
      MemorySegment.copy(part, ValueLayout.JAVA_BYTE, 0, code, from, (int) part.byteSize());
    }
    return code;
  }

  private MemorySegment part(int remaining) {
    return staging.segment().asSlice(0, Math.min(remaining, STAGING_BYTES));
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    chunks.forEach(memory::free);
    staging.close();
    stream.close();
  }
}

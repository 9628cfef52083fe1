package io.gpuos.device.cuda;

import io.gpuos.codegen.CudaGenerator;
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
import io.gpuos.jit.CompileRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/**
 * Brings operators into the running kernel: GPUOS itself verifies and links the machine code and
 * copies it to memory that has never been executed. The kernel goes on meanwhile.
 */
final class ArenaLoader implements CodeLoader, CodeMemory {

  private static final long CHUNK_BYTES = 4L << 20;
  private static final long LIMIT_BYTES = 1L << 30;

  /** Of each half of the staging memory; from pageable memory the driver would wait in between. */
  private static final int STAGING_BYTES = 256 << 10;

  private final CudaMemory memory;
  private final CudaStream stream;
  private final PinnedBuffer staging;
  private final Limits limits;
  private final CodeArena arena = new CodeArena(this, CHUNK_BYTES, LIMIT_BYTES);
  private boolean closed;

  /**
   * @param limits what the resident kernel is launched with
   */
  ArenaLoader(CudaContext context, Limits limits) {
    this.memory = context.memory();
    this.limits = limits;
    this.stream = context.newStream();
    try {
      this.staging = memory.allocatePinned(2L * STAGING_BYTES);
    } catch (RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  @Override
  public CompileRequest request(String source, String architecture) {
    return CudaOperators.operatorRequest(source, architecture);
  }

  @Override
  public synchronized Code.Function load(String source, byte[] cubin) {
    if (closed) {
      throw new ClosedException("runtime closed: loader=live, expected=an open runtime");
    }
    return new Code.Function(Injector.inject(cubin, CudaGenerator.ENTRY, limits, arena).entry());
  }

  @Override
  public boolean immediate() {
    return true;
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
    // Never freed before the context is: the addresses could be given out again, to the next
    // runtime, while instruction caches still hold what was executed there.
    return memory.allocate(bytes);
  }

  @Override
  public byte[] write(long address, byte[] code) {
    byte[] found = new byte[code.length];
    for (int from = 0; from < code.length; from += STAGING_BYTES) {
      int length = Math.min(code.length - from, STAGING_BYTES);
      MemorySegment out = staging.segment().asSlice(0, length);
      MemorySegment back = staging.segment().asSlice(STAGING_BYTES, length);
      MemorySegment.copy(code, from, out, ValueLayout.JAVA_BYTE, 0, length);
      stream.copyToDevice(address + from, out);
      stream.copyToHost(back, address + from);
      stream.synchronize();
      MemorySegment.copy(back, ValueLayout.JAVA_BYTE, 0, found, from, length);
    }
    return found;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    staging.close();
    stream.close();
  }
}

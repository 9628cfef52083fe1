package io.gpuos.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Page-locked host memory that devices reach in place. Any thread may use it; after {@link #close}
 * an access through {@link #segment} throws instead of touching memory that is gone. It does not
 * watch the device: close it only when no kernel or copy uses it.
 */
public final class PinnedBuffer implements AutoCloseable {

  private final CudaContext context;
  private final MemorySegment raw;
  private final long deviceAddress;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;

  PinnedBuffer(CudaContext context, MemorySegment raw, long deviceAddress) {
    this.context = context;
    this.raw = raw;
    this.deviceAddress = deviceAddress;
    this.segment = raw.reinterpret(arena, null);
  }

  /** The memory as the host sees it. */
  public MemorySegment segment() {
    return segment;
  }

  /** Address of its first byte for kernels. */
  public long deviceAddress() {
    return deviceAddress;
  }

  /** Bytes. */
  public long size() {
    return segment.byteSize();
  }

  /**
   * Frees the memory; waits until no kernel runs on the device. Closing again does nothing.
   *
   * @throws IllegalStateException another thread is inside a native call with the segment
   */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      context.release(DriverFunction.MEM_FREE_HOST, raw);
    }
  }
}

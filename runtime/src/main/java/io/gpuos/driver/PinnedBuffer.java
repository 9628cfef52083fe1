package io.gpuos.driver;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Host memory, locked to its pages so that devices reach it in place. The memory itself belongs to
 * the garbage collector: after {@link #close} it is ordinary memory that no device sees, so a
 * thread that still looks at it does no harm. Any thread may use it. It does not watch the device:
 * close it only when no kernel or copy uses it.
 */
public final class PinnedBuffer implements AutoCloseable {

  private final CudaContext context;
  private final MemorySegment segment;
  private final long deviceAddress;
  private final AtomicBoolean closed = new AtomicBoolean();

  PinnedBuffer(CudaContext context, MemorySegment segment, long deviceAddress) {
    this.context = context;
    this.segment = segment;
    this.deviceAddress = deviceAddress;
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

  /** Unlocks the memory; waits until no kernel runs on the device. Closing again does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      context.release(DriverFunction.MEM_HOST_UNREGISTER, segment);
    }
  }
}

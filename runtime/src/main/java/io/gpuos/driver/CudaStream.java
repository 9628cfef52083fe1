package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A queue of work on the device: what is put on it runs in order. Methods enqueue and come back at
 * once unless they say otherwise; host memory handed to a copy must stay alive and untouched until
 * the copy is done.
 *
 * <p>Thread-safe; the order between threads is theirs to arrange. Errors as {@link Cuda} lists
 * them; a fault of earlier work shows at any later call.
 */
public final class CudaStream implements AutoCloseable {

  static final int NON_BLOCKING = 0x1; // CU_STREAM_NON_BLOCKING, cuda.h

  private final CudaContext context;
  private final long handle;
  private final boolean owned;
  private final AtomicBoolean closed = new AtomicBoolean();

  CudaStream(CudaContext context, long handle, boolean owned) {
    this.context = context;
    this.handle = handle;
    this.owned = owned;
  }

  /** When a stream's wait for a value ends. Codes: {@code CUstreamWaitValue_flags}, cuda.h. */
  public enum Condition {
    /** Memory minus value is not negative, as signed numbers; right across a wrap. */
    AT_LEAST(0x0),
    EQUAL(0x1),
    /** Memory and value share a bit. */
    ANY_BIT(0x2);

    private final int code;

    Condition(int code) {
      this.code = code;
    }
  }

  /** The driver's {@code CUstream}; 0 is the legacy stream. */
  public long handle() {
    return handle;
  }

  CudaContext context() {
    return context;
  }

  /** Whether all work put on the stream so far is done. */
  public boolean isDone() {
    return context.query(DriverFunction.STREAM_QUERY, handle);
  }

  /** Whether what is put on the stream is being recorded into a graph instead of run. */
  public boolean isCapturing() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment status = arena.allocate(JAVA_INT);
      context.call(DriverFunction.STREAM_IS_CAPTURING, handle, status);
      return status.get(JAVA_INT, 0) != 0; // CU_STREAM_CAPTURE_STATUS_NONE, cuda.h
    }
  }

  /**
   * Records what {@code body} puts on this stream into a graph instead of running it. Other threads
   * go on calling the driver meanwhile; this one puts nothing on other streams, and neither
   * allocates nor waits.
   *
   * @throws io.gpuos.error.DeviceException if the driver refuses something of it; the stream is as
   *     before then, as it is when {@code body} throws
   */
  public CudaGraph capture(Runnable body) {
    return CudaGraph.capture(context, this, body);
  }

  /** Blocks until all work put on the stream so far is done. */
  public void synchronize() {
    context.call(DriverFunction.STREAM_SYNCHRONIZE, handle);
  }

  /** Later work on this stream waits for the event as last recorded. */
  public void waitFor(CudaEvent event) {
    context.call(DriverFunction.STREAM_WAIT_EVENT, handle, event.handle(), 0);
  }

  /** Later work waits until the 32-bit word at the device address meets the condition. */
  public void waitValue32(long address, int value, Condition condition) {
    context.call(DriverFunction.STREAM_WAIT_VALUE_32, handle, address, value, condition.code);
  }

  /** As {@link #waitValue32}, for a 64-bit word. */
  public void waitValue64(long address, long value, Condition condition) {
    context.call(DriverFunction.STREAM_WAIT_VALUE_64, handle, address, value, condition.code);
  }

  /** Writes a 32-bit word when earlier work is done and its writes are visible. */
  public void writeValue32(long address, int value) {
    context.call(DriverFunction.STREAM_WRITE_VALUE_32, handle, address, value, 0);
  }

  /** As {@link #writeValue32}, for a 64-bit word. */
  public void writeValue64(long address, long value) {
    context.call(DriverFunction.STREAM_WRITE_VALUE_64, handle, address, value, 0);
  }

  /** Copies all of a native segment to the device; from pageable memory it may block. */
  public void copyToDevice(long target, MemorySegment source) {
    context.call(
        DriverFunction.MEMCPY_HTOD_ASYNC,
        target,
        CudaMemory.requireNative(source),
        source.byteSize(),
        handle);
  }

  /** Fills all of a native segment from the device; into pageable memory it may block. */
  public void copyToHost(MemorySegment target, long source) {
    context.call(
        DriverFunction.MEMCPY_DTOH_ASYNC,
        CudaMemory.requireNative(target),
        source,
        target.byteSize(),
        handle);
  }

  /** Copies within the device. */
  public void copy(long target, long source, long bytes) {
    context.call(DriverFunction.MEMCPY_DTOD_ASYNC, target, source, bytes, handle);
  }

  /** Sets each of {@code count} bytes. */
  public void fill8(long target, byte value, long count) {
    context.call(DriverFunction.MEMSET_D8_ASYNC, target, value, count, handle);
  }

  /** Sets each of {@code count} 32-bit words; the address is aligned to 4. */
  public void fill32(long target, int value, long count) {
    context.call(DriverFunction.MEMSET_D32_ASYNC, target, value, count, handle);
  }

  /** Gives the stream back; work on it still runs to its end. Closing again does nothing. */
  @Override
  public void close() {
    if (owned && closed.compareAndSet(false, true)) {
      context.release(DriverFunction.STREAM_DESTROY, handle);
    }
  }
}

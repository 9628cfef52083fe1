package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import io.gpuos.error.InvalidInputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A mark in a stream that can be waited for. An event never recorded counts as reached.
 * Thread-safe; errors as {@link Cuda} lists them.
 */
public final class CudaEvent implements AutoCloseable {

  static final int DEFAULT = 0x0; // CU_EVENT_DEFAULT, cuda.h
  static final int DISABLE_TIMING = 0x2; // CU_EVENT_DISABLE_TIMING, cuda.h

  private final CudaContext context;
  private final long handle;
  private final boolean timed;
  private final AtomicBoolean closed = new AtomicBoolean();

  CudaEvent(CudaContext context, long handle, boolean timed) {
    this.context = context;
    this.handle = handle;
    this.timed = timed;
  }

  /** The driver's {@code CUevent}. */
  public long handle() {
    return handle;
  }

  /** Sets the mark behind all work now on the stream; an earlier mark is forgotten. */
  public void record(CudaStream stream) {
    context.call(DriverFunction.EVENT_RECORD, handle, stream.handle());
  }

  /** Whether the work before the mark is done. */
  public boolean isDone() {
    return context.query(DriverFunction.EVENT_QUERY, handle);
  }

  /** Blocks until the work before the mark is done. */
  public void synchronize() {
    context.call(DriverFunction.EVENT_SYNCHRONIZE, handle);
  }

  /**
   * Milliseconds from another mark to this one, to about half a microsecond. Both events must be
   * {@link CudaContext#newTimingEvent timing} events, recorded and reached.
   */
  public float millisSince(CudaEvent start) {
    if (!timed || !start.timed) {
      throw new InvalidInputException("event takes no time: expected=two timing events");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_FLOAT);
      context.call(DriverFunction.EVENT_ELAPSED_TIME, out, start.handle, handle);
      return out.get(JAVA_FLOAT, 0);
    }
  }

  /** Gives the event back; waits on it still end. Closing again does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      context.release(DriverFunction.EVENT_DESTROY, handle);
    }
  }
}

package io.gpuos.driver;

import io.gpuos.error.InvalidInputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Device memory, pinned host memory and blocking copies of one context. Addresses are plain
 * numbers: what lives where is the business of the layers above.
 *
 * <p>Thread-safe. {@link #free} and {@link PinnedBuffer#close} wait until no kernel runs on the
 * device; allocation and copies do not. Errors as {@link Cuda} lists them.
 */
public final class CudaMemory {

  /** {@code CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP}, cuda.h. */
  private static final int PORTABLE_AND_MAPPED = 0x1 | 0x2;

  private static final long PAGE_BYTES = 4096;

  private final CudaContext context;

  CudaMemory(CudaContext context) {
    this.context = context;
  }

  /**
   * Memory of the device, in bytes.
   *
   * @param free not allocated by any process
   * @param total all of it
   */
  public record Usage(long free, long total) {}

  /**
   * Allocates device memory.
   *
   * @param bytes more than 0
   * @return device address, aligned to 256 bytes; contents undefined
   */
  public long allocate(long bytes) {
    return context.callLong(DriverFunction.MEM_ALLOC, bytes);
  }

  /** Frees what {@link #allocate} gave; silent when the context is closed or has faulted. */
  public void free(long address) {
    context.release(DriverFunction.MEM_FREE, address);
  }

  /** How much device memory there is and is free now. */
  public Usage usage() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG, 2);
      context.call(
          DriverFunction.MEM_GET_INFO,
          out.asSlice(0, Long.BYTES),
          out.asSlice(Long.BYTES, Long.BYTES));
      return new Usage(
          out.getAtIndex(ValueLayout.JAVA_LONG, 0), out.getAtIndex(ValueLayout.JAVA_LONG, 1));
    }
  }

  /**
   * Allocates page-locked host memory that every device reads and writes in place.
   *
   * @param bytes more than 0
   * @return page-aligned memory, zero-filled, to be closed
   */
  public PinnedBuffer allocatePinned(long bytes) {
    long pages = Math.ceilDiv(bytes, PAGE_BYTES) * PAGE_BYTES;
    MemorySegment memory = Arena.ofAuto().allocate(pages, PAGE_BYTES).asSlice(0, bytes);
    context.call(DriverFunction.MEM_HOST_REGISTER, memory, bytes, PORTABLE_AND_MAPPED);
    try {
      long device = context.callLong(DriverFunction.MEM_HOST_GET_DEVICE_POINTER, memory, 0);
      return new PinnedBuffer(context, memory, device);
    } catch (RuntimeException e) {
      context.release(DriverFunction.MEM_HOST_UNREGISTER, memory);
      throw e;
    }
  }

  /** Copies all of a native segment to the device; back when the source may be reused. */
  public void copyToDevice(long target, MemorySegment source) {
    context.call(DriverFunction.MEMCPY_HTOD, target, requireNative(source), source.byteSize());
  }

  /** Fills all of a native segment from the device; back when the bytes are there. */
  public void copyToHost(MemorySegment target, long source) {
    context.call(DriverFunction.MEMCPY_DTOH, requireNative(target), source, target.byteSize());
  }

  /** Copies within the device, on the legacy stream; may be back before it is done. */
  public void copy(long target, long source, long bytes) {
    context.call(DriverFunction.MEMCPY_DTOD, target, source, bytes);
  }

  static MemorySegment requireNative(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new InvalidInputException(
          "memory on the Java heap: segment=" + segment + ", expected=native memory");
    }
    return segment;
  }
}

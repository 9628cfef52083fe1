package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Code in host memory, laid out as the driver wants it, so that {@link
 * CudaContext#loadModule(CudaImage)} is the driver's call and nothing else: whoever has workers
 * leave for a load copies a megabyte before that. For the thread that made it; may be loaded more
 * than once.
 */
public final class CudaImage implements AutoCloseable {

  /** {@code CUjit_option}: the log buffers and their sizes, cuda.h. */
  private static final int[] LOG_OPTIONS = {
    3, // CU_JIT_INFO_LOG_BUFFER
    4, // CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES
    5, // CU_JIT_ERROR_LOG_BUFFER
    6 // CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
  };

  private static final int LOG_BYTES = 16 * 1024;
  private static final int IMAGE_ALIGNMENT = 16;

  private final Arena arena = Arena.ofConfined();
  private final long bytes;
  private final MemorySegment code;
  private final MemorySegment info;
  private final MemorySegment error;
  private final MemorySegment options;
  private final MemorySegment values;

  /** Copies {@code image}: cubin, fatbin or PTX text. */
  public CudaImage(byte[] image) {
    bytes = image.length;
    // One byte more than the image, zero: PTX is text that must end so.
    code = arena.allocate(image.length + 1L, IMAGE_ALIGNMENT);
    MemorySegment.copy(image, 0, code, JAVA_BYTE, 0, image.length);
    info = arena.allocate(LOG_BYTES);
    error = arena.allocate(LOG_BYTES);
    options = arena.allocateFrom(JAVA_INT, LOG_OPTIONS);
    values = arena.allocate(JAVA_LONG, LOG_OPTIONS.length);
  }

  /** Bytes of the code. */
  public long bytes() {
    return bytes;
  }

  MemorySegment code() {
    return code;
  }

  int optionCount() {
    return LOG_OPTIONS.length;
  }

  MemorySegment options() {
    return options;
  }

  /** Values of the options; the driver writes how long its logs are, so they are set each time. */
  MemorySegment freshValues() {
    values.setAtIndex(JAVA_LONG, 0, info.address());
    values.setAtIndex(JAVA_LONG, 1, LOG_BYTES);
    values.setAtIndex(JAVA_LONG, 2, error.address());
    values.setAtIndex(JAVA_LONG, 3, LOG_BYTES);
    return values;
  }

  /** What the driver remarked when it loaded the image. */
  String info() {
    return info.getString(0).strip();
  }

  /** Why it refused it. */
  String error() {
    return error.getString(0).strip();
  }

  @Override
  public void close() {
    arena.close();
  }
}

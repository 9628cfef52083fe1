package io.gpuos;

import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Moves elements between device memory and host memory, converted and in any layout, by way of
 * staging memory. What spans more than {@link #PIECE_BYTES} goes in pieces, so that a copy of any
 * size needs little memory of its own.
 *
 * <p>Used by one thread, for one copy. Whoever makes it holds the device memory meanwhile.
 */
final class HostCopy {

  static final long PIECE_BYTES = 16L << 20;

  /** Moves bytes between staging and device memory. */
  @FunctionalInterface
  interface Transfer {
    void move(MemorySegment staging, long address, long bytes);
  }

  private final long address;
  private final MemorySegment staging;
  private final MemorySegment host;
  private final long hostOffset;
  private final Transfer download;
  private final Transfer upload;

  /** One of {@code download} and {@code upload} is null. */
  private HostCopy(
      long address,
      MemorySegment staging,
      MemorySegment host,
      long hostOffset,
      Transfer download,
      Transfer upload) {
    this.address = address;
    this.staging = staging;
    this.host = host;
    this.hostOffset = hostOffset;
    this.download = download;
    this.upload = upload;
  }

  /**
   * Reads the elements at {@code address}, laid out as {@code layout}, to the begin of {@code
   * target} as {@code targetLayout}, of the same shape.
   */
  static void read(
      long address, Layout layout, MemorySegment target, Layout targetLayout, Transfer download) {
    staged(
        layout,
        staging ->
            new HostCopy(address, staging, target, 0, download, null)
                .copy(View.of(layout), View.of(targetLayout)));
  }

  /**
   * Writes the elements at {@code address}, laid out as {@code layout} without gaps.
   *
   * @param sourceLayout of {@code source} from {@code offset} bytes on; broadcasts to the shape
   */
  static void write(
      long address,
      Layout layout,
      MemorySegment source,
      long offset,
      Layout sourceLayout,
      Transfer upload) {
    staged(
        layout,
        staging ->
            new HostCopy(address, staging, source, offset, null, upload)
                .copy(View.of(layout), View.of(sourceLayout).expand(layout.shape())));
  }

  private interface Body {
    void with(MemorySegment staging);
  }

  private static void staged(Layout layout, Body body) {
    if (layout.isZeroSize()) {
      return;
    }
    // Another thread makes a virtual thread's driver calls.
    boolean virtual = Thread.currentThread().isVirtual();
    try (Arena arena = virtual ? Arena.ofShared() : Arena.ofConfined()) {
      body.with(allocate(arena, Math.min(span(layout), PIECE_BYTES)));
    }
  }

  private static MemorySegment allocate(Arena arena, long bytes) {
    try {
      return arena.allocate(bytes, Long.BYTES);
    } catch (OutOfMemoryError none) {
      throw new OutOfMemoryException(
          "out of memory: host memory for a copy=" + bytes + " bytes, expected=room; close tensors",
          none);
    }
  }

  private static long span(Layout layout) {
    return layout.maxByteOffset() - layout.minByteOffset();
  }

  private void copy(View device, View hostView) {
    if (span(device.layout()) <= PIECE_BYTES) {
      move(device, hostView);
      return;
    }
    int dim = farthest(device.layout());
    long size = device.layout().size(dim);
    long half = size / 2;
    copy(device.narrow(dim, 0, half), hostView.narrow(dim, 0, half));
    copy(device.narrow(dim, half, size - half), hostView.narrow(dim, half, size - half));
  }

  /** The dimension that spreads the elements most: halving it halves the span, more or less. */
  private static int farthest(Layout layout) {
    int farthest = 0;
    for (int dim = 1; dim < layout.rank(); dim++) {
      if (reach(layout, dim) > reach(layout, farthest)) {
        farthest = dim;
      }
    }
    return farthest;
  }

  private static long reach(Layout layout, int dim) {
    return Math.abs(layout.stride(dim)) * (layout.size(dim) - 1);
  }

  private void move(View device, View hostView) {
    Layout layout = device.layout();
    long begin = layout.minByteOffset();
    long from = address + device.elementOffset() * layout.dtype().bytes() + begin;
    Layout hostLayout = hostView.layout();
    long hostAt = hostOffset + hostView.elementOffset() * hostLayout.dtype().bytes();
    if (download != null) {
      download.move(staging, from, span(layout));
      ElementCopy.copy(staging, -begin, layout, host, hostAt, hostLayout);
    } else {
      ElementCopy.copy(host, hostAt, hostLayout, staging, -begin, layout);
      upload.move(staging, from, span(layout));
    }
  }

  // ---- the user's memory --------------------------------------------------------------------

  /**
   * Refuses memory that cannot be used, before anything is waited for or written.
   *
   * @param layout of the elements in {@code memory} from {@code offset} on
   */
  static void check(MemorySegment memory, long offset, Layout layout, boolean written) {
    if (!memory.scope().isAlive() || !memory.isAccessibleBy(Thread.currentThread())) {
      throw new InvalidInputException(
          "memory segment: segment=%s, expected=an open one that this thread may use"
              .formatted(memory));
    }
    if (written && memory.isReadOnly()) {
      throw new InvalidInputException(
          "memory segment: segment=%s, expected=one that may be written".formatted(memory));
    }
    if (layout.isZeroSize()) {
      return;
    }
    long begin = offset + layout.minByteOffset();
    long end = offset + layout.maxByteOffset();
    if (offset < 0 || begin < 0 || end < offset || end > memory.byteSize()) {
      throw new InvalidInputException(
          "memory segment: bytes=%s, used=%s to %s, expected=room for %s"
              .formatted(memory.byteSize(), begin, end, layout));
    }
  }
}

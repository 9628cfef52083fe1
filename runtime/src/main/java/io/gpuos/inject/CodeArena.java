package io.gpuos.inject;

import io.gpuos.error.InjectionException;
import io.gpuos.error.OutOfMemoryException;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.LongFunction;

/**
 * Device memory that holds machine code, given out once from front to back. No address is used
 * twice, because instruction caches are not coherent: overwritten code goes on running as it was.
 *
 * <p>Memory comes in chunks; when the last has no room, another is allocated, until the limit. An
 * image starts at a multiple of {@link #ALIGNMENT}. It is read back after the upload, and refused
 * when it differs. Memory is never given back; that is the business of whoever made the {@link
 * CodeMemory}, once nothing can run any more. Thread-safe: one image at a time.
 */
public final class CodeArena {

  /**
   * Bytes: an image's address and size are multiples of it. On an H200 code at 256 and 1024 bytes
   * behind executed code died of an illegal instruction, at 4096 it ran.
   */
  public static final int ALIGNMENT = 4096;

  private final CodeMemory memory;
  private final long chunkBytes;
  private final long limitBytes;
  private long next;
  private long end;
  private long used;
  private long reserved;
  private long burned;
  private int images;
  private int chunks;

  /**
   * How full the arena is, at one moment.
   *
   * @param usedBytes taken by images
   * @param burnedBytes of addresses that are lost: uploads that failed, ends of chunks
   * @param reservedBytes allocated on the device
   * @param limitBytes that may be allocated
   * @param images that were placed
   * @param chunks that were allocated
   */
  public record Usage(
      long usedBytes,
      long burnedBytes,
      long reservedBytes,
      long limitBytes,
      int images,
      int chunks) {}

  /**
   * An arena that has allocated nothing yet.
   *
   * @param chunkBytes to allocate at a time, at least; a multiple of {@link #ALIGNMENT}
   * @param limitBytes to allocate in all, at most
   */
  public CodeArena(CodeMemory memory, long chunkBytes, long limitBytes) {
    if (chunkBytes < ALIGNMENT || chunkBytes % ALIGNMENT != 0 || limitBytes < 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sizes: chunk=%d, limit=%d, expected=chunk a multiple of %d",
              chunkBytes,
              limitBytes,
              ALIGNMENT));
    }
    this.memory = memory;
    this.chunkBytes = chunkBytes;
    this.limitBytes = limitBytes;
  }

  /**
   * Takes a place of {@code bytes}, has the image linked for its address, uploads it and compares
   * what arrived. If anything fails, the place is never used again.
   *
   * @param bytes size of the image, a multiple of {@link #ALIGNMENT}
   * @param linker makes the image for an address; its size is {@code bytes}
   * @return the image as it lies in device memory
   * @throws OutOfMemoryException if the limit is reached
   * @throws InjectionException if another image arrived than was sent
   */
  public synchronized CodeImage place(int bytes, LongFunction<CodeImage> linker) {
    long address = take(bytes);
    boolean placed = false;
    try {
      CodeImage image = linker.apply(address);
      upload(address, bytes, image);
      placed = true;
      return image;
    } finally {
      if (placed) {
        used += bytes;
        images++;
      } else {
        burned += bytes;
      }
    }
  }

  private long take(int bytes) {
    if (bytes <= 0 || bytes % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "image: bytes=%d, expected=a multiple of %d", bytes, ALIGNMENT));
    }
    if (bytes > end - next) {
      allocate(bytes);
    }
    long address = next;
    next += bytes;
    return address;
  }

  /** A new chunk with room for {@code bytes}; what was left of the last is lost. */
  private void allocate(int bytes) {
    // One alignment more than the image: the chunk may start anywhere.
    long size = Math.max(chunkBytes, (long) bytes + ALIGNMENT);
    if (size > limitBytes - reserved) {
      throw new OutOfMemoryException(
          String.format(
              Locale.ROOT,
              "code arena full: used=%d, reserved=%d, image=%d, expected=at most %d bytes; raise the limit or use fewer operators",
              used,
              reserved,
              bytes,
              limitBytes));
    }
    long chunk = memory.allocate(size);
    long begin = (chunk + ALIGNMENT - 1) & -ALIGNMENT;
    reserved += size;
    chunks++;
    burned += end - next;
    next = begin;
    end = chunk + size & -ALIGNMENT;
    burned += size - (end - begin);
  }

  private void upload(long address, int bytes, CodeImage image) {
    byte[] sent = image.bytes();
    if (image.base() != address || sent.length != bytes) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "image: %s, expected=base=0x%x, bytes=%d", image, address, bytes));
    }
    byte[] arrived = memory.write(address, sent);
    int different = Arrays.mismatch(sent, arrived);
    if (different >= 0) {
      throw new InjectionException(
          String.format(
              Locale.ROOT,
              "code arrived differently: address=0x%x, offset=%d, expected=what was sent; check the device",
              address,
              different));
    }
  }

  /** How full the arena is now. */
  public synchronized Usage usage() {
    return new Usage(used, burned, reserved, limitBytes, images, chunks);
  }

  @Override
  public String toString() {
    return "CodeArena[" + usage() + "]";
  }
}

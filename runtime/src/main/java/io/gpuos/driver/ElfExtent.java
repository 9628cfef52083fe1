package io.gpuos.driver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/**
 * Whether a library's file is as long as its segments need. The dynamic loader does not check: it
 * maps what is not there, and the process dies of SIGBUS when it is touched. Offsets are those of
 * {@code Elf64_Ehdr} and {@code Elf64_Phdr} in {@code elf.h}.
 */
final class ElfExtent {

  private static final int HEADER_BYTES = 64;
  private static final int SEGMENT_BYTES = 56;
  private static final int MAGIC = 0x464c457f;
  private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;
  private static final int LOAD = 1;

  private ElfExtent() {}

  /**
   * What is missing; empty if nothing is, and for what is no 64-bit ELF file or cannot be read,
   * which the loader refuses in words of its own.
   */
  static Optional<String> defect(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      long needed = needed(channel);
      return needed <= channel.size()
          ? Optional.empty()
          : Optional.of(
              String.format(
                  Locale.ROOT,
                  "truncated library: file=%s, bytes=%d, expected=at least %d",
                  file,
                  channel.size(),
                  needed));
    } catch (IOException _) {
      return Optional.empty();
    }
  }

  /** Where the last byte of any segment that is loaded ends. */
  private static long needed(FileChannel channel) throws IOException {
    ByteBuffer header = read(channel, 0, HEADER_BYTES);
    if (header.remaining() < HEADER_BYTES
        || header.getInt(0) != MAGIC
        || header.getShort(4) != CLASS_64_LITTLE_ENDIAN) {
      return 0;
    }
    long at = header.getLong(32);
    int size = Short.toUnsignedInt(header.getShort(54));
    int count = Short.toUnsignedInt(header.getShort(56));
    long needed = at + (long) size * count;
    if (size < SEGMENT_BYTES || at < 0) {
      return 0;
    }
    for (int k = 0; k < count; k++) {
      ByteBuffer segment = read(channel, at + (long) k * size, SEGMENT_BYTES);
      if (segment.remaining() < SEGMENT_BYTES) {
        return needed;
      }
      if (segment.getInt(0) == LOAD) {
        needed = Math.max(needed, segment.getLong(8) + segment.getLong(32));
      }
    }
    return needed;
  }

  private static ByteBuffer read(FileChannel channel, long at, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && channel.read(buffer, at + buffer.position()) >= 0) {
      // Until it is full, or the file ends.
    }
    return buffer.flip();
  }
}

package io.gpuos.inject;

import io.gpuos.error.InjectionException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * The bytes of a file that nobody has checked. Every read is bounds-checked with arithmetic that
 * cannot overflow, and fails as {@link InjectionException}. Little-endian.
 *
 * <p>Reads go to an array and not through a memory segment: an operator is brought in while
 * somebody waits, most often by code that the JVM still interprets, where a segment's checks cost
 * ten times what they cost when compiled.
 */
final class ElfBytes {

  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int MAX_NAME = 4096;

  private final byte[] bytes;
  private final MemorySegment segment;

  /** Reads {@code bytes}, which the caller no longer changes. */
  ElfBytes(byte[] bytes) {
    this.bytes = bytes;
    this.segment = MemorySegment.ofArray(bytes).asReadOnly();
  }

  long size() {
    return bytes.length;
  }

  int u8(long at) {
    return bytes[(int) within(at, 1)] & 0xff;
  }

  int u16(long at) {
    int i = (int) within(at, 2);
    return bytes[i] & 0xff | (bytes[i + 1] & 0xff) << 8;
  }

  int i32(long at) {
    return i32(bytes, (int) within(at, 4));
  }

  long i64(long at) {
    return i64(bytes, (int) within(at, 8));
  }

  private static int i32(byte[] from, int i) {
    return from[i] & 0xff
        | (from[i + 1] & 0xff) << 8
        | (from[i + 2] & 0xff) << 16
        | from[i + 3] << 24;
  }

  /** The 64-bit word of {@code from} at byte {@code i}, which must be there. */
  static long i64(byte[] from, int i) {
    return i32(from, i) & 0xffffffffL | (long) i32(from, i + 4) << 32;
  }

  /** Makes the 64-bit word of {@code to} at byte {@code i} that number. */
  static void put64(byte[] to, int i, long number) {
    for (int k = 0; k < Long.BYTES; k++) {
      to[i + k] = (byte) (number >>> 8 * k);
    }
  }

  /** {@code length} bytes from {@code at}, read-only. */
  MemorySegment slice(long at, long length) {
    return segment.asSlice(within(at, length), length);
  }

  /** The text that starts at {@code at} and ends with a zero byte before {@code end}. */
  String text(long at, long end) {
    int first = (int) within(at, 0);
    int last = (int) Math.min(Math.min(end, at + MAX_NAME), bytes.length);
    for (int i = first; i < last; i++) {
      if (bytes[i] == 0) {
        return new String(bytes, first, i - first, StandardCharsets.ISO_8859_1);
      }
    }
    throw malformed("name without end", "offset", at, "a zero byte before " + last);
  }

  /** {@code at}, when {@code length} bytes from there lie within the file. */
  private long within(long at, long length) {
    if (at < 0 || length < 0 || at > size() || length > size() - at) {
      throw malformed(
          "range outside the file",
          "offset",
          at,
          String.format(Locale.ROOT, "%d bytes within %d", length, size()));
    }
    return at;
  }

  static InjectionException malformed(String rule, String name, long value, String expected) {
    return new InjectionException(
        String.format(
            Locale.ROOT,
            "malformed cubin: %s, %s=%d, expected=%s; compile the operator again",
            rule,
            name,
            value,
            expected));
  }
}

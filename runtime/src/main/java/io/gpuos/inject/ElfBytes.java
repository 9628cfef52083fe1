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
 */
final class ElfBytes {

  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int MAX_NAME = 4096;

  private final MemorySegment bytes;

  /** Reads {@code bytes}, which the caller no longer changes. */
  ElfBytes(byte[] bytes) {
    this.bytes = MemorySegment.ofArray(bytes).asReadOnly();
  }

  long size() {
    return bytes.byteSize();
  }

  int u8(long at) {
    return bytes.get(ValueLayout.JAVA_BYTE, within(at, 1)) & 0xff;
  }

  int u16(long at) {
    return bytes.get(SHORT, within(at, 2)) & 0xffff;
  }

  int i32(long at) {
    return bytes.get(INT, within(at, 4));
  }

  long i64(long at) {
    return bytes.get(LONG, within(at, 8));
  }

  /** {@code length} bytes from {@code at}, read-only. */
  MemorySegment slice(long at, long length) {
    return bytes.asSlice(within(at, length), length);
  }

  /** The text that starts at {@code at} and ends with a zero byte before {@code end}. */
  String text(long at, long end) {
    within(at, 0);
    long last = Math.min(end, at + MAX_NAME);
    for (long i = at; i < last; i++) {
      if (bytes.get(ValueLayout.JAVA_BYTE, within(i, 1)) == 0) {
        byte[] name = bytes.asSlice(at, i - at).toArray(ValueLayout.JAVA_BYTE);
        return new String(name, StandardCharsets.ISO_8859_1);
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

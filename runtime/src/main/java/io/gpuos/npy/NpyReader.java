package io.gpuos.npy;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.gpuos.error.FileFormatException;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** Reads one file. */
final class NpyReader {

  static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};

  /** Magic, version and the shorter header length. */
  static final int PREAMBLE_BYTES = 10;

  /** Far above any header of up to 8 sizes; version 1 cannot say more. */
  private static final int LONGEST_HEADER = 0xffff;

  private final Path file;
  private final Arena arena;

  NpyReader(Path file, Arena arena) {
    this.file = file;
    this.arena = arena;
  }

  NpyArray read() {
    // Opening a pipe could wait for ever, so look before.
    if (!Files.exists(file)) {
      throw NpyErrors.refused("cannot read", file, "found=no such file", "an existing .npy file");
    }
    if (!Files.isRegularFile(file)) {
      String found = Files.isDirectory(file) ? "found=a directory" : "found=no regular file";
      throw NpyErrors.refused("cannot read", file, found, "a .npy file");
    }
    try (FileChannel channel = FileChannel.open(file)) {
      return read(channel);
    } catch (IOException e) {
      throw NpyErrors.failed("cannot read", file, e);
    }
  }

  private NpyArray read(FileChannel channel) throws IOException {
    byte[] preamble = readAt(channel, 0, PREAMBLE_BYTES);
    requireMagic(preamble);
    int version = preamble[6];
    if (version < 1 || version > 3 || preamble[7] != 0) {
      String found = "version=" + (version & 0xff) + "." + (preamble[7] & 0xff);
      throw NpyErrors.refused("unsupported .npy version", file, found, "1.0, 2.0 or 3.0");
    }
    int lengthBytes = version == 1 ? 2 : 4;
    int headerAt = PREAMBLE_BYTES - 2 + lengthBytes;
    long headerBytes = headerLength(channel, version);
    NpyHeader header = header(readAt(channel, headerAt, (int) headerBytes), headerBytes, version);
    return elements(channel, header, headerAt + headerBytes);
  }

  private void requireMagic(byte[] preamble) {
    int length = Math.min(preamble.length, MAGIC.length);
    if (length == 0 || !Arrays.equals(preamble, 0, length, MAGIC, 0, length)) {
      byte[] start = Arrays.copyOf(preamble, length);
      boolean zip = length > 1 && start[0] == 'P' && start[1] == 'K';
      String found = zip ? "found=a zip archive" : "found=" + bytes(start);
      String expected =
          zip ? "one array: unpack the .npz" : "the .npy magic " + bytes(MAGIC) + " first";
      throw NpyErrors.refused("not a .npy file", file, found, expected);
    }
    if (preamble.length < PREAMBLE_BYTES) {
      throw truncated("header", preamble.length, PREAMBLE_BYTES);
    }
  }

  private long headerLength(FileChannel channel, int version) throws IOException {
    int width = version == 1 ? 2 : 4;
    byte[] field = readAt(channel, PREAMBLE_BYTES - 2, width);
    if (field.length < width) {
      throw truncated("header length", field.length, width);
    }
    ByteBuffer number = ByteBuffer.wrap(field).order(ByteOrder.LITTLE_ENDIAN);
    long length =
        version == 1
            ? Short.toUnsignedLong(number.getShort())
            : Integer.toUnsignedLong(number.getInt());
    if (length > LONGEST_HEADER) {
      throw NpyErrors.refused(
          "malformed .npy header", file, "length=" + length, "at most " + LONGEST_HEADER);
    }
    return length;
  }

  private NpyHeader header(byte[] bytes, long expected, int version) {
    if (bytes.length < expected) {
      throw truncated("header", bytes.length, expected);
    }
    Charset charset = version < 3 ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8;
    try {
      String text = charset.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return new NpyHeaderParser(file, text).parse();
    } catch (CharacterCodingException _) {
      throw NpyErrors.refused("malformed .npy header", file, "found=no UTF-8 text", "UTF-8 text");
    }
  }

  private NpyArray elements(FileChannel channel, NpyHeader header, long dataAt) throws IOException {
    long expected = header.layout().byteSize();
    long found = channel.size() - dataAt;
    if (found < expected) {
      throw truncated("data", found, expected);
    }
    if (found > expected) {
      throw NpyErrors.refused(
          "bytes after the data", file, "found=" + found + " bytes", expected + " bytes of data");
    }
    MemorySegment stored =
        expected == 0 ? arena.allocate(0) : channel.map(MapMode.READ_ONLY, dataAt, expected, arena);
    return new NpyArray(
        header.layout(), header.fortranOrder(), usable(stored, header).asReadOnly());
  }

  private MemorySegment usable(MemorySegment stored, NpyHeader header) {
    DType dtype = header.layout().dtype();
    if (dtype.bytes() > 1 && header.order() != ByteOrder.nativeOrder()) {
      return swapped(stored, dtype.bytes());
    }
    return dtype == DType.BOOL ? zerosAndOnes(stored) : stored;
  }

  private MemorySegment swapped(MemorySegment stored, int width) {
    MemorySegment target = arena.allocate(stored.byteSize(), width);
    for (long at = 0; at < stored.byteSize(); at += width) {
      switch (width) {
        case 2 ->
            target.set(
                JAVA_SHORT_UNALIGNED, at, Short.reverseBytes(stored.get(JAVA_SHORT_UNALIGNED, at)));
        case 4 ->
            target.set(
                JAVA_INT_UNALIGNED, at, Integer.reverseBytes(stored.get(JAVA_INT_UNALIGNED, at)));
        default ->
            target.set(
                JAVA_LONG_UNALIGNED, at, Long.reverseBytes(stored.get(JAVA_LONG_UNALIGNED, at)));
      }
    }
    return target;
  }

  /** Operators take a BOOL for 0 or 1; a file may hold any byte for true. */
  private MemorySegment zerosAndOnes(MemorySegment stored) {
    long size = stored.byteSize();
    long at = 0;
    while (at < size && (stored.get(JAVA_BYTE, at) & ~1) == 0) {
      at++;
    }
    if (at == size) {
      return stored;
    }
    MemorySegment target = arena.allocate(size);
    for (long i = 0; i < size; i++) {
      target.set(JAVA_BYTE, i, (byte) (stored.get(JAVA_BYTE, i) == 0 ? 0 : 1));
    }
    return target;
  }

  /** Up to {@code length} bytes; fewer at the end of the file. */
  private static byte[] readAt(FileChannel channel, long position, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    int read = 0;
    while (buffer.hasRemaining() && read >= 0) {
      read = channel.read(buffer, position + buffer.position());
    }
    return Arrays.copyOf(buffer.array(), buffer.position());
  }

  private FileFormatException truncated(String part, long found, long expected) {
    return NpyErrors.refused(
        "truncated .npy file",
        file,
        String.format(Locale.ROOT, "found=%d bytes of %s", Math.max(found, 0), part),
        expected + " bytes");
  }

  private static String bytes(byte[] bytes) {
    if (bytes.length == 0) {
      return "an empty file";
    }
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) {
      boolean plain = b > 0x20 && b < 0x7f;
      text.append(
          plain ? String.valueOf((char) b) : String.format(Locale.ROOT, "\\x%02x", b & 0xff));
    }
    return text.toString();
  }
}

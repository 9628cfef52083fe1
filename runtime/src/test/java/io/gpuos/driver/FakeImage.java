package io.gpuos.driver;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** ELF64 files with nothing in them but a table of variables, written down from elf.h. */
public final class FakeImage {

  private static final int HEADER = 64;
  private static final int SECTION = 64;
  private static final int SYMBOL = 24;
  private static final int SECTIONS = 4; // none, variables, symbols, names
  private static final byte GLOBAL_DATA = 0x11;

  private FakeImage() {}

  /** Variable k of {@code names} is {@code k * stride} bytes from the beginning of its section. */
  public static byte[] of(List<String> names, int stride) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    text.write(0);
    int symbols = HEADER + SECTIONS * SECTION;
    int strings = symbols + SYMBOL * names.size();
    ByteBuffer head = ByteBuffer.allocate(strings).order(ByteOrder.LITTLE_ENDIAN);
    head.putInt(0, 0x464c457f);
    head.putLong(0x28, HEADER);
    head.putShort(0x3c, (short) SECTIONS);
    head.putShort(0x3e, (short) 3);
    for (int k = 0; k < names.size(); k++) {
      int at = symbols + SYMBOL * k;
      head.putInt(at, text.size());
      head.put(at + 4, GLOBAL_DATA);
      head.putShort(at + 6, (short) 1);
      head.putLong(at + 8, (long) stride * k);
      head.putLong(at + 16, 16);
      text.writeBytes(names.get(k).getBytes(StandardCharsets.ISO_8859_1));
      text.write(0);
    }
    section(head, 1, 1, 0, (long) stride * names.size(), 0);
    section(head, 2, 2, symbols, (long) SYMBOL * names.size(), 3);
    section(head, 3, 3, strings, text.size(), 0);
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(head.array());
    all.writeBytes(text.toByteArray());
    return all.toByteArray();
  }

  private static void section(
      ByteBuffer head, int index, int type, long offset, long size, int link) {
    int at = HEADER + SECTION * index;
    head.putInt(at + 4, type);
    head.putLong(at + 0x18, offset);
    head.putLong(at + 0x20, size);
    head.putInt(at + 0x28, link);
  }
}

package io.gpuos.inject;

import static io.gpuos.inject.ElfBytes.malformed;

import io.gpuos.inject.Cubin.Attribute;
import io.gpuos.inject.Cubin.Section;
import java.util.List;
import java.util.Locale;

/**
 * Reads {@code .nv.info} sections: records of one byte format, one byte code, then two bytes that
 * are the value, or the size of the payload that follows.
 */
final class AttributeReader {

  /** Has no value. */
  static final int FLAG = 1;

  /** The value is a byte. */
  static final int BYTE = 2;

  /** The value is two bytes. */
  static final int HALF = 3;

  /** The two bytes are a size, a payload follows. */
  static final int SIZED = 4;

  private static final int HEADER_BYTES = 4;

  private AttributeReader() {}

  /** Appends the records of {@code section} to {@code out}. */
  static void read(Section section, int sections, List<Attribute> out) {
    ElfBytes bytes = new ElfBytes(section.toByteArray());
    int owner = owner(section, sections);
    long at = 0;
    while (at < bytes.size()) {
      int format = bytes.u8(at);
      int value = bytes.u16(at + 2);
      if (format < FLAG || format > SIZED) {
        throw malformed(
            String.format(Locale.ROOT, "attribute at %d of %s", at, section),
            "format",
            format,
            "1 to 4");
      }
      int payload = format == SIZED ? value : 0;
      out.add(
          new Attribute(
              owner,
              format,
              bytes.u8(at + 1),
              format == SIZED ? 0 : value,
              bytes.slice(at + HEADER_BYTES, payload)));
      at += HEADER_BYTES + payload;
    }
  }

  /** The code section the records describe; 0 for the section that describes the whole file. */
  private static int owner(Section section, int sections) {
    if (!section.is(Cubin.INFO_LINK)) {
      return 0;
    }
    if (section.info() <= 0 || section.info() >= sections) {
      throw malformed("owner of " + section, "section", section.info(), "below " + sections);
    }
    return section.info();
  }
}

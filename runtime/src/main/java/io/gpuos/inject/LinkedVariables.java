package io.gpuos.inject;

import io.gpuos.error.InjectionException;
import java.util.HashMap;
import java.util.Map;

/**
 * Where the linker has put variables of an image that it has linked, read from the image's own
 * tables. Addresses are the driver's choice when it loads the image. That it loads a section in one
 * piece is what it has always done and nothing promises, so what is found by these offsets must be
 * checked.
 */
public final class LinkedVariables {

  private static final int SECTION_BYTES = 64;
  private static final int SYMBOL_BYTES = 24;
  private static final int DATA = 1;

  private final ElfBytes elf;
  private final long sections;
  private final int count;
  private final Map<String, Long> offsets = new HashMap<>();
  private int variables;

  private LinkedVariables(byte[] image) {
    elf = new ElfBytes(image);
    sections = elf.i64(0x28);
    count = elf.u16(0x3c);
  }

  /**
   * Offsets, in bytes, of the variables whose name begins with {@code prefix}, by name, in the one
   * section that all of them lie in.
   *
   * @param image an ELF64 file; not changed meanwhile
   * @throws InjectionException if its tables contradict themselves, or there are several sections
   */
  public static Map<String, Long> offsets(byte[] image, String prefix) {
    LinkedVariables found = new LinkedVariables(image);
    for (int section = 0; section < found.count; section++) {
      if (found.elf.i32(found.header(section) + 4) == SectionTypes.SYMBOLS) {
        found.read(found.header(section), prefix);
      }
    }
    return found.offsets;
  }

  private long header(int section) {
    return sections + (long) section * SECTION_BYTES;
  }

  private void read(long table, String prefix) {
    long names = elf.i64(header(elf.i32(table + 0x28)) + 0x18);
    long begin = elf.i64(table + 0x18);
    long size = elf.i64(table + 0x20);
    for (long at = begin; at - begin < size; at += SYMBOL_BYTES) {
      if ((elf.u8(at + 4) & 15) == DATA) {
        String name = elf.text(names + Integer.toUnsignedLong(elf.i32(at)), elf.size());
        if (name.startsWith(prefix)) {
          add(name, elf.u16(at + 6), elf.i64(at + 8));
        }
      }
    }
  }

  private void add(String name, int section, long offset) {
    if (!offsets.isEmpty() && section != variables) {
      throw ElfBytes.malformed(
          "variable " + name, "section", section, "as the others: " + variables);
    }
    variables = section;
    offsets.put(name, offset);
  }
}

package io.gpuos.inject;

import io.gpuos.inject.Cubin.Section;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;

/** Changes single fields of a cubin, to make what no compiler makes. */
final class ElfEditor {

  private static final int SECTION_BYTES = 64;
  private static final int SYMBOL_BYTES = 24;
  private static final int RELA_BYTES = 24;

  private final byte[] bytes;
  private final ByteBuffer elf;
  private final Cubin cubin;

  ElfEditor(byte[] cubin) {
    this.bytes = cubin.clone();
    this.elf = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    this.cubin = CubinReader.read(cubin);
  }

  byte[] bytes() {
    return bytes.clone();
  }

  Cubin cubin() {
    return cubin;
  }

  ElfEditor putByte(int at, int value) {
    elf.put(at, (byte) value);
    return this;
  }

  ElfEditor putInt(int at, int value) {
    elf.putInt(at, value);
    return this;
  }

  ElfEditor putLong(int at, long value) {
    elf.putLong(at, value);
    return this;
  }

  Section section(String name) {
    return cubin.sections().stream()
        .filter(s -> s.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new NoSuchElementException(name));
  }

  /** File offset of the header of section {@code name}. */
  int header(String name) {
    return (int) elf.getLong(0x28) + SECTION_BYTES * section(name).index();
  }

  /** File offset of the bytes of section {@code name}. */
  int begin(String name) {
    return (int) elf.getLong(header(name) + 0x18);
  }

  /** File offset of the entry of symbol {@code name}. */
  int symbol(String name) {
    int index =
        cubin.symbols().stream()
            .filter(s -> s.name().equals(name))
            .findFirst()
            .orElseThrow(() -> new NoSuchElementException(name))
            .index();
    return begin(".symtab") + SYMBOL_BYTES * index;
  }

  /** File offset of entry {@code index} of a RELA table. */
  int rela(String table, int index) {
    return begin(table) + RELA_BYTES * index;
  }

  /** File offset of the first attribute of that code in section {@code name}. */
  int attribute(String name, int code) {
    int at = begin(name);
    int end = at + (int) section(name).size();
    while (at < end) {
      if ((elf.get(at + 1) & 0xff) == code) {
        return at;
      }
      at += 4 + (elf.get(at) == 4 ? elf.getShort(at + 2) & 0xffff : 0);
    }
    throw new NoSuchElementException(name + " " + AttributeNames.of(code));
  }

  /** File offset of the first instruction of that opcode in section {@code name}. */
  int instruction(String name, int opcode) {
    int at = begin(name);
    int end = at + (int) section(name).size();
    for (; at < end; at += 16) {
      if ((elf.getShort(at) & 0xfff) == opcode) {
        return at;
      }
    }
    throw new NoSuchElementException(String.format(Locale.ROOT, "%s 0x%03x", name, opcode));
  }

  /** The first of {@code opcodes} that section {@code name} has. */
  int anyInstruction(String name, List<Integer> opcodes) {
    for (int opcode : opcodes) {
      try {
        return instruction(name, opcode);
      } catch (NoSuchElementException _) {
        // Another architecture's.
      }
    }
    throw new NoSuchElementException(name + " " + opcodes);
  }

  Instruction instructionAt(int at) {
    return new Instruction(elf.getLong(at), elf.getLong(at + 8));
  }

  ElfEditor put(int at, Instruction instruction) {
    return putLong(at, instruction.low()).putLong(at + 8, instruction.high());
  }
}

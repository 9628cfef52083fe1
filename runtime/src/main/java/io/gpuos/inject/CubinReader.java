package io.gpuos.inject;

import static io.gpuos.inject.ElfBytes.malformed;

import io.gpuos.error.InjectionException;
import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Reads the tables of a relocatable cubin, an ELF64 file for machine {@code EM_CUDA}.
 *
 * <p>Made for hostile input: a file from the cache may be damaged or forged. Whatever it holds, the
 * outcome is a {@link Cubin} that is consistent in itself or an {@link InjectionException}; time
 * and memory are proportional to the file's size. Sections that hold bytes must not overlap:
 * compilers do not share bytes between sections, so an offset that was tampered with rarely passes.
 */
public final class CubinReader {

  /** A 32-bit word of the file. */
  static final ValueLayout.OfInt INT = ElfBytes.INT;

  /** Largest file read. An operator's is some 50 KiB. */
  static final int MAX_BYTES = 8 << 20;

  private static final int MAX_SECTIONS = 4096;
  private static final int MAX_SYMBOLS = 16_384;

  private static final int MAGIC = 0x464c457f;
  private static final int CLASS_64_LITTLE_ENDIAN_VERSION_1 = 0x010102;
  private static final int OS_ABI_CUDA = 0x41;
  private static final int RELOCATABLE = 1;
  private static final int EM_CUDA = 190;
  private static final int HEADER_BYTES = 64;
  private static final int SECTION_BYTES = 64;
  private static final int SYMBOL_BYTES = 24;
  private static final int REL_BYTES = 16;
  private static final int RELA_BYTES = 24;
  private static final int FIRST_RESERVED_SECTION = 0xff00;

  private final ElfBytes elf;
  private final List<Section> sections = new ArrayList<>();
  private final List<Symbol> symbols = new ArrayList<>();
  private final List<Relocation> relocations = new ArrayList<>();

  private CubinReader(byte[] cubin) {
    this.elf = new ElfBytes(cubin);
  }

  /**
   * Reads {@code cubin}. The array is copied.
   *
   * @throws InjectionException if it is not a relocatable cubin or contradicts itself
   */
  public static Cubin read(byte[] cubin) {
    if (cubin.length > MAX_BYTES) {
      throw malformed("too large", "bytes", cubin.length, "at most " + MAX_BYTES);
    }
    return new CubinReader(cubin.clone()).read();
  }

  private Cubin read() {
    header();
    sections();
    checkOverlaps();
    symbols();
    List<Cubin.Attribute> attributes = new ArrayList<>();
    for (Section section : sections) {
      switch (section.type()) {
        case SectionTypes.REL -> relocations(section, REL_BYTES);
        case SectionTypes.RELA -> relocations(section, RELA_BYTES);
        case SectionTypes.INFO -> AttributeReader.read(section, sections.size(), attributes);
        default -> {}
      }
    }
    return new Cubin(elf.u8(8), elf.i32(0x30), sections, symbols, relocations, attributes);
  }

  private void header() {
    expect("not an ELF file", "magic", elf.i32(0), MAGIC);
    expect("not ELF64", "class", elf.i32(4) & 0xffffff, CLASS_64_LITTLE_ENDIAN_VERSION_1);
    expect("not a cubin", "os_abi", elf.u8(7), OS_ABI_CUDA);
    for (int i = 9; i < 16; i++) {
      expect("not a cubin", "ident_padding", elf.u8(i), 0);
    }
    expect("not relocatable", "type", elf.u16(16), RELOCATABLE);
    expect("not a cubin", "machine", elf.u16(18), EM_CUDA);
    expect("not a cubin", "version", elf.i32(20), 1);
    expect("header", "entry", elf.i64(24), 0);
    expect("header", "header_bytes", elf.u16(0x34), HEADER_BYTES);
    expect("header", "segments", elf.u16(0x38), 0);
    expect("header", "section_bytes", elf.u16(0x3a), SECTION_BYTES);
  }

  private void sections() {
    long table = elf.i64(0x28);
    int count = elf.u16(0x3c);
    int names = elf.u16(0x3e);
    if (count > MAX_SECTIONS || names >= count) {
      throw malformed(
          "sections",
          "names",
          names,
          String.format(Locale.ROOT, "below %d, at most %d", count, MAX_SECTIONS));
    }
    elf.slice(table, (long) count * SECTION_BYTES);
    long header = table + (long) names * SECTION_BYTES;
    expect("names of sections", "type", elf.i32(header + 4), SectionTypes.STRINGS);
    long text = elf.i64(header + 0x18);
    long textBytes = elf.i64(header + 0x20);
    elf.slice(text, textBytes);
    for (int i = 0; i < count; i++) {
      sections.add(section(i, table + (long) i * SECTION_BYTES, text, textBytes, count));
    }
    Section first = sections.getFirst();
    if (first.type() != 0 || first.size() != 0 || !first.name().isEmpty()) {
      throw malformed("first section", "type", first.type(), "an empty section");
    }
  }

  private Section section(int index, long at, long text, long textBytes, int count) {
    long name = Integer.toUnsignedLong(elf.i32(at));
    if (name >= textBytes) {
      throw malformed("name of section " + index, "offset", name, "below " + textBytes);
    }
    int type = elf.i32(at + 4);
    long size = elf.i64(at + 0x20);
    int link = elf.i32(at + 0x28);
    long alignment = Math.max(1, elf.i64(at + 0x30));
    if (size < 0 || Long.bitCount(alignment) != 1 || link < 0 || link >= count) {
      throw malformed("section " + index, "size", size, "size >= 0, alignment 2^n, link < count");
    }
    if (elf.i64(at + 0x10) != 0) {
      throw malformed("section " + index, "address", elf.i64(at + 0x10), "0");
    }
    boolean inFile = type != 0 && !SectionTypes.isZeros(type);
    long offset = elf.i64(at + 0x18);
    MemorySegment bytes = inFile ? elf.slice(offset, size) : elf.slice(0, 0);
    return new Section(
        index,
        elf.text(text + name, text + textBytes),
        type,
        elf.i64(at + 8),
        size,
        alignment,
        link,
        elf.i32(at + 0x2c),
        bytes);
  }

  /**
   * Bytes belong to the header, the section table or one section. Only the second copy of the
   * tables that cubins for sm_100 carry, for NVIDIA's own finalizer, shares bytes with the first.
   */
  private void checkOverlaps() {
    record Range(String name, long begin, long end) {}
    long table = elf.i64(0x28);
    List<Range> ranges = new ArrayList<>();
    ranges.add(new Range("header", 0, HEADER_BYTES));
    ranges.add(new Range("sections", table, table + (long) sections.size() * SECTION_BYTES));
    for (Section section : sections) {
      if (section.bytes().byteSize() > 0 && !section.is(Cubin.SECOND_COPY)) {
        long begin = elf.i64(table + (long) section.index() * SECTION_BYTES + 0x18);
        ranges.add(new Range(section.name(), begin, begin + section.size()));
      }
    }
    ranges.sort(Comparator.comparingLong(Range::begin));
    for (int i = 1; i < ranges.size(); i++) {
      Range before = ranges.get(i - 1);
      Range range = ranges.get(i);
      if (range.begin() < before.end()) {
        String rule = "%s overlaps %s".formatted(range.name(), before.name());
        throw malformed(rule, "offset", range.begin(), "at least " + before.end());
      }
    }
  }

  private void symbols() {
    List<Section> tables = sections.stream().filter(s -> s.type() == SectionTypes.SYMBOLS).toList();
    expect("symbol tables", "tables", tables.size(), 1);
    Section table = tables.getFirst();
    Section names = sections.get(table.link());
    expect("names of symbols", "type", names.type(), SectionTypes.STRINGS);
    int count = entries(table, SYMBOL_BYTES);
    if (count > MAX_SYMBOLS) {
      throw malformed("too many symbols", "symbols", count, "at most " + MAX_SYMBOLS);
    }
    ElfBytes texts = new ElfBytes(names.toByteArray());
    ElfBytes entries = new ElfBytes(table.toByteArray());
    for (int i = 0; i < count; i++) {
      symbols.add(symbol(i, entries, (long) i * SYMBOL_BYTES, texts));
    }
  }

  private Symbol symbol(int index, ElfBytes entries, long at, ElfBytes texts) {
    int section = entries.u16(at + 6);
    long value = entries.i64(at + 8);
    long size = entries.i64(at + 16);
    if (section >= sections.size() && section < FIRST_RESERVED_SECTION) {
      throw malformed("symbol " + index, "section", section, "below " + sections.size());
    }
    boolean defined = section != 0 && section < FIRST_RESERVED_SECTION;
    long limit = defined ? sections.get(section).size() : Integer.MAX_VALUE;
    if (value < 0 || value > limit || size < 0 || size > Integer.MAX_VALUE) {
      throw malformed("symbol " + index, "value", value, "at most " + limit);
    }
    int info = entries.u8(at + 4);
    String name = texts.text(Integer.toUnsignedLong(entries.i32(at)), texts.size());
    return new Symbol(index, name, info >> 4, info & 15, entries.u8(at + 5), section, value, size);
  }

  private void relocations(Section table, int bytes) {
    int linked = sections.get(table.link()).type();
    if (linked != SectionTypes.SYMBOLS) {
      throw malformed(table + " links to", "type", linked, Long.toString(SectionTypes.SYMBOLS));
    }
    if (table.info() <= 0 || table.info() >= sections.size()) {
      throw malformed("target of " + table, "section", table.info(), "below " + sections.size());
    }
    Section target = sections.get(table.info());
    ElfBytes entries = new ElfBytes(table.toByteArray());
    int count = entries(table, bytes);
    for (int i = 0; i < count; i++) {
      long at = (long) i * bytes;
      long offset = entries.i64(at);
      long symbol = entries.i64(at + 8) >>> 32;
      if (offset < 0 || offset >= target.size() || symbol >= symbols.size()) {
        throw malformed(
            String.format(Locale.ROOT, "entry %d of %s", i, table),
            "offset",
            offset,
            String.format(Locale.ROOT, "below %d, symbol below %d", target.size(), symbols.size()));
      }
      boolean inPlace = bytes == REL_BYTES;
      relocations.add(
          new Relocation(
              target.index(),
              offset,
              (int) entries.i64(at + 8),
              (int) symbol,
              inPlace ? 0 : entries.i64(at + 16),
              inPlace));
    }
  }

  /** Number of entries of a table; its size is a whole number of them. */
  private static int entries(Section table, int bytes) {
    if (table.size() % bytes != 0) {
      throw malformed("table " + table, "size", table.size(), "a multiple of " + bytes);
    }
    return (int) (table.size() / bytes);
  }

  private static void expect(String rule, String name, long value, long expected) {
    if (value != expected) {
      throw malformed(rule, name, value, Long.toString(expected));
    }
  }
}

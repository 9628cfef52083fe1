package io.gpuos.inject;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;

/**
 * A relocatable cubin as its tables describe it, before anything is believed of it. Immutable, and
 * consistent in itself: every index, offset and size lies within what it refers to ({@link
 * CubinReader} refuses the rest). Whether the code may run is {@link CubinVerifier}'s question.
 *
 * @param abiVersion of the ELF header, {@code e_ident[8]}
 * @param flags {@code e_flags} as they are
 * @param sections by index; index 0 is the empty one
 * @param symbols by index; index 0 is the empty one
 * @param relocations of all sections, in file order
 * @param attributes of all {@code .nv.info} sections, in file order
 */
public record Cubin(
    int abiVersion,
    int flags,
    List<Section> sections,
    List<Symbol> symbols,
    List<Relocation> relocations,
    List<Attribute> attributes) {

  /** Bit of {@link Section#flags}: occupies memory of the device. */
  static final long ALLOCATED = 2;

  /** Bit of {@link Section#flags}: {@link Section#info} is the section this one belongs to. */
  static final long INFO_LINK = 0x40;

  /** Bit of {@link Section#flags}: belongs to NVIDIA's finalizer, not to the code itself. */
  static final long SECOND_COPY = 0x10000000;

  public Cubin {
    sections = List.copyOf(sections);
    symbols = List.copyOf(symbols);
    relocations = List.copyOf(relocations);
    attributes = List.copyOf(attributes);
  }

  /** The architecture the code is for, as a number: 90 for {@code sm_90}. */
  public int architecture() {
    return flags >>> 8 & 0xff;
  }

  /**
   * One section.
   *
   * @param index in the section table
   * @param type {@code sh_type}
   * @param flags {@code sh_flags}
   * @param size in bytes, also where the file has no bytes for it
   * @param alignment in bytes, a power of two
   * @param link {@code sh_link}, a section's index
   * @param info {@code sh_info}: a section's index, a symbol's, or neither, as the type says
   * @param bytes read-only; empty for sections of zeros
   */
  public record Section(
      int index,
      String name,
      int type,
      long flags,
      long size,
      long alignment,
      int link,
      int info,
      MemorySegment bytes) {

    /** A copy of the section's bytes in the file. */
    public byte[] toByteArray() {
      return bytes.toArray(ValueLayout.JAVA_BYTE);
    }

    /** Whether it holds a function. Decided by the name alone; the verifier checks the rest. */
    boolean isCode() {
      return name.startsWith(".text.");
    }

    boolean is(long flag) {
      return (flags & flag) != 0;
    }

    @Override
    public String toString() {
      return name + "#" + index;
    }
  }

  /**
   * One symbol.
   *
   * @param binding 0 local, 1 global, 2 weak
   * @param type 1 data, 2 function, 3 section, 13 data of this file's own
   * @param other {@code st_other}: bit 0x10 marks kernels, bits 0xe0 the kind of memory
   * @param section index of its section, 0 if undefined, or a reserved number from 0xff00
   * @param value offset in its section, in bytes
   * @param size in bytes
   */
  public record Symbol(
      int index,
      String name,
      int binding,
      int type,
      int other,
      int section,
      long value,
      long size) {

    private static final int FUNCTION = 2;
    private static final int FIRST_RESERVED_SECTION = 0xff00;
    private static final int KERNEL = 0x10;
    private static final int MEMORY = 0xe0;
    private static final int SHARED = 0x40;
    private static final int CONSTANT = 0x80;

    boolean isFunction() {
      return type == FUNCTION;
    }

    /** Whether it is memory of a block, as {@code __shared__} declares it. */
    boolean isShared() {
      return (other & MEMORY) == SHARED;
    }

    /** Whether it lies in a constant bank. */
    boolean isConstant() {
      return (other & MEMORY) == CONSTANT;
    }

    boolean isKernel() {
      return (other & KERNEL) != 0;
    }

    boolean isDefined() {
      return section != 0 && section < FIRST_RESERVED_SECTION;
    }
  }

  /**
   * One place to be filled in when addresses are known.
   *
   * @param section index of the section it changes
   * @param offset in that section, in bytes
   * @param type number of the {@link RelocationType}
   * @param symbol index of the symbol whose address is meant
   * @param addend added to the symbol's address, in bytes; 0 where the file says it is in place
   * @param inPlace whether the addend is what the place holds already (a REL, not a RELA, table)
   */
  public record Relocation(
      int section, long offset, int type, int symbol, long addend, boolean inPlace) {}

  /**
   * One attribute record.
   *
   * @param owner index of the code section it describes, 0 for those of the whole file, which name
   *     their function in the payload
   * @param format how the value is stored: 1 none, 2 a byte, 3 two bytes, 4 a payload
   * @param code its number; {@link AttributeNames} names it
   * @param value of formats 2 and 3
   * @param payload of format 4, read-only; else empty
   */
  public record Attribute(int owner, int format, int code, int value, MemorySegment payload) {

    /** 32-bit word {@code index} of the payload, which must have it. */
    int word(int index) {
      return payload.get(CubinReader.INT, 4L * index);
    }
  }

  /** The only global symbol of that name, if there is exactly one. */
  Optional<Symbol> global(String name) {
    List<Symbol> found =
        symbols.stream().filter(s -> s.binding() != 0 && s.name().equals(name)).toList();
    return found.size() == 1 ? Optional.of(found.getFirst()) : Optional.empty();
  }
}

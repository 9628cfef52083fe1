package io.gpuos.inject;

import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lays a verified operator out and fills its addresses in.
 *
 * <pre>
 * 0            entry function, then the others, each aligned
 *              guard: GUARD_BYTES of branches to themselves
 *              variables with first values, variables that start as zeros
 *              filled up to a multiple of CodeArena.ALIGNMENT
 * </pre>
 *
 * <p>The layout does not depend on the address, so the size is known before a place is taken.
 */
final class CubinLinker {

  /**
   * Behind the last instruction. The instruction prefetcher keeps what lies there: on an H200, code
   * that was uploaded later to 1024 bytes behind executed code died of an illegal instruction.
   */
  static final int GUARD_BYTES = 4096;

  private static final int CODE_ALIGNMENT = 128;
  private static final int DATA_ALIGNMENT = 16;

  private final VerifiedCubin operator;
  private final Map<Integer, Integer> places = new HashMap<>();
  private final int codeBytes;
  private final int size;

  CubinLinker(VerifiedCubin operator) {
    this.operator = operator;
    long end = 0;
    for (Section code : operator.code()) {
      end = place(code, end, CODE_ALIGNMENT);
    }
    codeBytes = Math.toIntExact(end);
    end = align(end, CODE_ALIGNMENT) + GUARD_BYTES;
    for (Section data : operator.data()) {
      end = place(data, end, DATA_ALIGNMENT);
    }
    size = Math.toIntExact(align(end, CodeArena.ALIGNMENT));
  }

  private long place(Section section, long end, int alignment) {
    long begin = align(end, Math.max(alignment, section.alignment()));
    places.put(section.index(), Math.toIntExact(begin));
    return begin + section.size();
  }

  /** Bytes of the image, a multiple of {@link CodeArena#ALIGNMENT}. */
  int size() {
    return size;
  }

  /** The image for the address {@code base}, a multiple of {@link CodeArena#ALIGNMENT}. */
  CodeImage link(long base) {
    byte[] bytes = new byte[size];
    MemorySegment image = MemorySegment.ofArray(bytes);
    fillWithBranches(bytes);
    for (Section section : operator.code()) {
      MemorySegment.copy(section.bytes(), 0, image, offset(section), section.size());
      relocate(bytes, section, base);
    }
    for (Section section : operator.data()) {
      MemorySegment.copy(section.bytes(), 0, image, offset(section), section.bytes().byteSize());
      relocate(bytes, section, base);
    }
    return new CodeImage(base, offset(operator.code().getFirst()), codeBytes, bytes);
  }

  private void fillWithBranches(byte[] image) {
    put(image, 0, operator.architecture().branchToItself());
    int end = Math.toIntExact(align(codeBytes, CODE_ALIGNMENT) + GUARD_BYTES);
    for (int done = Architecture.INSTRUCTION_BYTES; done < end; done *= 2) {
      System.arraycopy(image, 0, image, done, Math.min(done, end - done));
    }
  }

  private void relocate(byte[] image, Section section, long base) {
    for (Relocation change : operator.relocations().getOrDefault(section.index(), List.of())) {
      RelocationType type = RelocationType.of(change.type()).orElseThrow();
      int at = Math.toIntExact(offset(section) + change.offset());
      int target = operator.cubin().symbols().get(change.symbol()).section();
      long address =
          base
              + places.get(target)
              + RelocationRules.targetOffset(operator.cubin(), section, change);
      if (type.place() == RelocationType.Place.DATA) {
        ElfBytes.put64(image, at, address);
      } else {
        Instruction found =
            new Instruction(ElfBytes.i64(image, at), ElfBytes.i64(image, at + Long.BYTES));
        put(image, at, type.apply(found, address));
      }
    }
  }

  /** Offset of {@code section}, which the operator uses, in the image. */
  int offset(Section section) {
    return places.get(section.index());
  }

  private static void put(byte[] image, int at, Instruction instruction) {
    ElfBytes.put64(image, at, instruction.low());
    ElfBytes.put64(image, at + Long.BYTES, instruction.high());
  }

  private static long align(long value, long alignment) {
    return (value + alignment - 1) & -alignment;
  }
}

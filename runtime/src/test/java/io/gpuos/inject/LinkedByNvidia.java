package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;

/**
 * An operator and a kernel that calls it, linked by NVIDIA's linker. That leaves addresses to the
 * driver, as relocations; they are filled in here by rules of this class alone, with the addresses
 * of an image of ours, and then both have to be equal byte for byte.
 */
final class LinkedByNvidia {

  /** A kernel that calls the operator, from another file: a linker drops what no kernel reaches. */
  private static final String CALLER =
      """
      _Pragma("nv_abi preserve_n_data(2)")
      extern "C" __device__ void gpuos_op(const void* task, const void* space, char* scratch,
                                          unsigned long long argument);
      extern "C" __global__ void gpuos_caller(const void* task, const void* space, char* scratch) {
        gpuos_op(task, space, scratch, 0);
      }
      """;

  private static final int RELOCATABLE = 1;

  private final Cubin linked;

  LinkedByNvidia(byte[] operator, String architecture) {
    byte[] executable =
        NvJitLink.link(List.of(operator, Cubins.compile(CALLER, architecture)), architecture);
    // Its tables are those of a relocatable file; only the header says that it has segments too.
    executable[16] = RELOCATABLE;
    executable[0x38] = 0;
    this.linked = CubinReader.read(executable);
  }

  /** Asserts that the code and the variables of {@code image} are what NVIDIA's linker made. */
  void assertSame(VerifiedCubin operator, CubinLinker linker, CodeImage image) {
    MemorySegment bytes = MemorySegment.ofArray(image.bytes());
    int compared = 0;
    for (Section code : operator.code()) {
      byte[] theirs = resolved(section(code.name()), operator, linker, image.base());
      byte[] ours = bytes.asSlice(linker.offset(code), code.size()).toArray(ValueLayout.JAVA_BYTE);
      assertArrayEquals(theirs, ours, code.name());
      compared++;
    }
    assertEquals(operator.code().size(), compared);
    for (Section data : operator.data()) {
      for (Symbol variable : operator.cubin().symbols()) {
        if (variable.section() == data.index() && isUsed(operator, variable)) {
          assertSameVariable(variable, linker.offset(data), bytes);
        }
      }
    }
  }

  /** Variables without addresses in them, which are all that operators have. */
  private void assertSameVariable(Symbol variable, int offset, MemorySegment bytes) {
    Symbol theirs = symbol(variable.name());
    Section section = linked.sections().get(theirs.section());
    byte[] expected =
        section.bytes().byteSize() == 0
            ? new byte[(int) theirs.size()]
            : section.bytes().asSlice(theirs.value(), theirs.size()).toArray(ValueLayout.JAVA_BYTE);
    byte[] ours =
        bytes.asSlice(offset + variable.value(), variable.size()).toArray(ValueLayout.JAVA_BYTE);
    assertArrayEquals(expected, ours, variable.name());
  }

  private static boolean isUsed(VerifiedCubin operator, Symbol variable) {
    return operator.cubin().relocations().stream()
        .anyMatch(
            r ->
                r.symbol() == variable.index()
                    && operator.code().stream().anyMatch(c -> c.index() == r.section()));
  }

  private byte[] resolved(Section section, VerifiedCubin operator, CubinLinker linker, long base) {
    byte[] code = section.toByteArray();
    for (Relocation change : linked.relocations()) {
      if (change.section() == section.index()) {
        String name = linked.symbols().get(change.symbol()).name();
        long address = base + ourOffset(name, operator, linker) + change.addend();
        patch(code, (int) change.offset(), change.type(), address);
      }
    }
    return code;
  }

  private static long ourOffset(String name, VerifiedCubin operator, CubinLinker linker) {
    for (Symbol symbol : operator.cubin().symbols()) {
      if (symbol.name().equals(name)) {
        Section section = operator.cubin().sections().get(symbol.section());
        return linker.offset(section) + symbol.value();
      }
    }
    throw new NoSuchElementException(name);
  }

  /** Fills {@code address} into the instruction at {@code at}, bit by bit. */
  private static void patch(byte[] code, int at, int type, long address) {
    switch (type) {
      case 0x38 -> insert(code, at, 32, 32, address);
      case 0x39 -> insert(code, at, 32, 32, address >>> 32);
      case 0x3a -> insert(code, at, 34, 47, address / 4);
      case 0x4b -> {
        insert(code, at, 16, 8, address / 4);
        insert(code, at, 34, 47, address / 1024);
      }
      default -> throw new IllegalStateException(String.format(Locale.ROOT, "type=0x%x", type));
    }
  }

  private static void insert(byte[] code, int at, int from, int count, long value) {
    BigInteger part = BigInteger.valueOf(value);
    for (int i = 0; i < count; i++) {
      int bit = from + i;
      int mask = 1 << bit % 8;
      assertTrue((code[at + bit / 8] & mask) == 0, "place in use");
      if (part.testBit(i)) {
        code[at + bit / 8] |= (byte) mask;
      }
    }
  }

  private Section section(String name) {
    return linked.sections().stream()
        .filter(s -> s.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new NoSuchElementException(name));
  }

  private Symbol symbol(String name) {
    return linked.symbols().stream()
        .filter(s -> s.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new NoSuchElementException(name));
  }
}

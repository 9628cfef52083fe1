package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.InjectionException;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CubinReaderTest {

  private static final String SOURCE =
      Cubins.operator(
          "__device__ float t[4] = {1, 2, 3, 4}; __device__ int zeros[5];",
          "__syncthreads(); x[0] = pow((double)x[1], (double)x[2]) + t[n] + ++zeros[n];");

  private static byte[] compiled() {
    return Cubins.compile(SOURCE, "sm_90");
  }

  private static void assertMalformed(String expected, byte[] cubin) {
    String message =
        assertThrows(InjectionException.class, () -> CubinReader.read(cubin)).getMessage();
    assertTrue(message.startsWith("malformed cubin: "), message);
    assertTrue(message.contains(expected), message);
    assertEquals(1, message.lines().count(), message);
  }

  private static void assertMalformed(String expected, Consumer<ElfEditor> change) {
    ElfEditor editor = new ElfEditor(compiled());
    change.accept(editor);
    assertMalformed(expected, editor.bytes());
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldReadWhatTheCompilerWrites(String architecture) {
    Cubin cubin = CubinReader.read(Cubins.compile(SOURCE, architecture));
    assertEquals(Integer.parseInt(architecture.substring(3)), cubin.architecture());
    assertEquals(8, cubin.abiVersion());
    Symbol entry = cubin.global("gpuos_op").orElseThrow();
    Section code = cubin.sections().get(entry.section());
    assertEquals(".text.gpuos_op", code.name());
    assertEquals(code.size(), entry.size());
    assertTrue(entry.isFunction() && !entry.isKernel());
    Symbol table = cubin.global("t").orElseThrow();
    Section variables = cubin.sections().get(table.section());
    assertEquals(".nv.global.init", variables.name());
    assertEquals(
        Float.floatToIntBits(3), variables.bytes().get(CubinReader.INT, table.value() + 8));
    Section zeros = cubin.sections().get(cubin.global("zeros").orElseThrow().section());
    assertEquals(".nv.global", zeros.name());
    assertEquals(20, zeros.size());
    assertEquals(0, zeros.bytes().byteSize());
    assertTrue(cubin.relocations().stream().anyMatch(r -> r.section() == code.index()));
    assertEquals(
        1,
        cubin.attributes().stream()
            .filter(a -> a.owner() == code.index() && a.code() == 0x4c)
            .count());
  }

  @Test
  void shouldNotSeeLaterChangesOfTheArray() {
    byte[] bytes = compiled();
    Cubin cubin = CubinReader.read(bytes);
    Section code =
        cubin.sections().stream()
            .filter(s -> s.name().equals(".text.gpuos_op"))
            .findFirst()
            .orElseThrow();
    byte[] before = code.toByteArray();
    Arrays.fill(bytes, (byte) 0);
    assertArrayEquals(before, code.toByteArray());
    assertThrows(IllegalArgumentException.class, () -> code.bytes().set(CubinReader.INT, 0, 1));
  }

  @Test
  void shouldRefuseEveryTruncation() {
    byte[] cubin = compiled();
    for (int length = 0; length < cubin.length; length++) {
      byte[] shorter = Arrays.copyOf(cubin, length);
      assertThrows(InjectionException.class, () -> CubinReader.read(shorter));
    }
  }

  @Test
  void shouldRefuseWhatIsNoCubin() {
    assertMalformed("range outside the file", new byte[0]);
    assertMalformed("not an ELF file", new byte[64]);
    assertMalformed(
        "not an ELF file",
        "// PTX\n.version 9.0\n".repeat(9).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    assertMalformed("too large", new byte[CubinReader.MAX_BYTES + 1]);
    assertMalformed("not ELF64", e -> e.putByte(4, 1));
    assertMalformed("not ELF64", e -> e.putByte(5, 2));
    assertMalformed("os_abi=51", e -> e.putByte(7, 0x33));
    assertMalformed("ident_padding", e -> e.putByte(12, 1));
    assertMalformed("not relocatable, type=2", e -> e.putByte(16, 2));
    assertMalformed("machine=62", e -> e.putByte(18, 62));
    assertMalformed("version=2", e -> e.putByte(20, 2));
    assertMalformed("entry=4096", e -> e.putLong(24, 4096));
    assertMalformed("header_bytes=65", e -> e.putByte(0x34, 65));
    assertMalformed("segments=1", e -> e.putByte(0x38, 1));
    assertMalformed("section_bytes=40", e -> e.putByte(0x3a, 40));
  }

  @Test
  void shouldRefuseTablesOutsideTheFile() {
    for (long offset : new long[] {-1, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 32, 1 << 30}) {
      assertMalformed("range outside the file", e -> e.putLong(0x28, offset));
      assertMalformed("", e -> e.putLong(e.header(".text.gpuos_op") + 0x18, offset));
      assertMalformed("", e -> e.putLong(e.header(".text.gpuos_op") + 0x20, offset));
      assertMalformed("", e -> e.putLong(e.header(".symtab") + 0x20, offset));
      assertMalformed("", e -> e.putLong(e.header(".shstrtab") + 0x18, offset));
      assertMalformed("", e -> e.putLong(e.symbol("gpuos_op") + 8, offset));
      assertMalformed("", e -> e.putLong(e.rela(".rela.text.gpuos_op", 0), offset));
    }
    assertMalformed("at most 4096", e -> e.putInt(0x3c, 0xffff));
    assertMalformed("sections, names=", e -> e.putInt(0x3c, 0xfff00000));
    assertMalformed("symbol 1, section=", e -> e.putInt(e.begin(".symtab") + 24 + 4, 0x70000003));
    assertMalformed("symbol below", e -> e.putInt(e.rela(".rela.text.gpuos_op", 0) + 12, 1 << 20));
    assertMalformed("symbol below", e -> e.putInt(e.rela(".rela.text.gpuos_op", 0) + 12, -1));
    assertMalformed("name of section", e -> e.putInt(e.header(".symtab"), -1));
    assertMalformed("range outside", e -> e.putInt(e.symbol("gpuos_op"), -1));
    assertMalformed("target of .rela", e -> e.putInt(e.header(".rela.text.gpuos_op") + 0x2c, -1));
    assertMalformed("owner of .nv.info", e -> e.putInt(e.header(".nv.info.gpuos_op") + 0x2c, 999));
  }

  @Test
  void shouldRefuseTablesThatContradictThemselves() {
    assertMalformed("a multiple of 24", e -> e.putLong(e.header(".symtab") + 0x20, 25));
    assertMalformed("links to", e -> e.putInt(e.header(".rela.text.gpuos_op") + 0x28, 1));
    assertMalformed("names of symbols", e -> e.putInt(e.header(".symtab") + 0x28, 3));
    assertMalformed("symbol tables, tables=0", e -> e.putInt(e.header(".symtab") + 4, 1));
    assertMalformed("symbol tables, tables=2", e -> e.putInt(e.header(".nv.callgraph") + 4, 2));
    assertMalformed("alignment 2^n", e -> e.putLong(e.header(".text.gpuos_op") + 0x30, 96));
    assertMalformed("address=4096", e -> e.putLong(e.header(".text.gpuos_op") + 0x10, 4096));
    assertMalformed("first section", e -> e.putInt((int) tables(e) + 4, 1));
    assertMalformed(
        "overlaps",
        e ->
            e.putLong(e.header(".text.gpuos_op") + 0x18, e.begin(".text.__internal_accurate_pow")));
    assertMalformed("overlaps header", e -> e.putLong(e.header(".nv.compat") + 0x18, 0));
    assertMalformed("overlaps", e -> e.putLong(e.header(".nv.compat") + 0x18, tables(e)));
    assertMalformed("name without end", CubinReaderTest::removeZeros);
  }

  @Test
  void shouldRefuseMoreSymbolsThanAnyOperatorHas() {
    ElfEditor editor = new ElfEditor(compiled());
    byte[] cubin = editor.bytes();
    int bytes = 24 * 16_385;
    editor.putLong(editor.header(".symtab") + 0x18, cubin.length);
    editor.putLong(editor.header(".symtab") + 0x20, bytes);
    assertMalformed(
        "too many symbols, symbols=16385", Arrays.copyOf(editor.bytes(), cubin.length + bytes));
  }

  @Test
  void shouldTakeLittleTimeForTheLargestFile() {
    ElfEditor editor = new ElfEditor(compiled());
    byte[] cubin = editor.bytes();
    int bytes = CubinReader.MAX_BYTES - cubin.length & -4;
    editor.putLong(editor.header(".nv.info") + 0x18, cubin.length);
    editor.putLong(editor.header(".nv.info") + 0x20, bytes);
    byte[] large = Arrays.copyOf(editor.bytes(), cubin.length + bytes);
    for (int i = cubin.length; i < large.length; i += 4) {
      large[i] = 1; // an attribute without value
    }
    assertTimeout(
        Duration.ofSeconds(5),
        () -> assertThrows(InjectionException.class, () -> Cubins.verify(large, "sm_90")));
  }

  private static long tables(ElfEditor editor) {
    return editor.header(".shstrtab") - 64L * editor.section(".shstrtab").index();
  }

  private static void removeZeros(ElfEditor editor) {
    int begin = editor.begin(".strtab");
    for (int i = 0; i < editor.section(".strtab").size(); i++) {
      editor.putByte(begin + i, 'a');
    }
  }

  @Test
  void shouldRefuseAttributesThatAreCutOff() {
    assertMalformed("format=0", e -> e.putByte(e.begin(".nv.info.gpuos_op"), 0));
    assertMalformed("format=5", e -> e.putByte(e.begin(".nv.info.gpuos_op"), 5));
    assertMalformed(
        "range outside", e -> e.putInt(e.attribute(".nv.info.gpuos_op", 0x37), 0xffff3704));
    assertMalformed("range outside", e -> e.putLong(e.header(".nv.info.gpuos_op") + 0x20, 6));
  }
}

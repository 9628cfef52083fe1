package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.InjectionException;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What no compiler makes: a real cubin with one field changed is refused for that field. */
class MutatedCubinTest {

  private static final String CODE = ".text.gpuos_op";
  private static final String INFO = ".nv.info.gpuos_op";
  private static final String RELA = ".rela.text.gpuos_op";

  private static final String SOURCE =
      Cubins.operator(
          "__device__ float t[4] = {1, 2, 3, 4}; __device__ float* p[2] = {t, t + 1};"
              + " __device__ int zeros[4];",
          "__syncthreads(); if (n > 3) x[5] += sinf(x[4]) + zeros[n]; x[0] = pow((double)x[1], (double)x[2]) + *p[n & 1] + blockDim.x;");

  private static byte[] compiled(String architecture) {
    return Cubins.compile(SOURCE, architecture);
  }

  private static String refusal(byte[] cubin, String architecture) {
    return assertThrows(InjectionException.class, () -> Cubins.verify(cubin, architecture))
        .getMessage();
  }

  private static void assertRefused(String expected, Consumer<ElfEditor> change) {
    ElfEditor editor = new ElfEditor(compiled("sm_90"));
    change.accept(editor);
    String message = refusal(editor.bytes(), "sm_90");
    assertTrue(message.contains(expected), message);
    assertEquals(1, message.lines().count(), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldAcceptTheUnchangedCubin(String architecture) {
    Cubins.verify(new ElfEditor(compiled(architecture)).bytes(), architecture);
  }

  /** Attributes may lie: the instruction itself is found. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFindExitsThatNoAttributeNames(String architecture) {
    String source = Cubins.operator("if (n) asm volatile(\"exit;\"); x[0] = 1;");
    ElfEditor editor = new ElfEditor(Cubins.compile(source, architecture));
    int annotations = 0x55;
    editor.putByte(editor.attribute(INFO, 0x1c) + 1, annotations);
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("opcode=EXIT(0x94d)"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFindBarriersThatNoAttributeNames(String architecture) {
    String source = Cubins.operator("asm volatile(\"bar.sync 3;\");");
    ElfEditor editor = new ElfEditor(Cubins.compile(source, architecture));
    editor.putByte(editor.attribute(INFO, 0x4c) + 2, 1);
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("barrier 3 for 0 threads, section=.text.gpuos_op"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFindBarriersByRegisterThatNoAttributeNames(String architecture) {
    String source = Cubins.operator("asm volatile(\"bar.sync %0;\" :: \"r\"(n));");
    ElfEditor editor = new ElfEditor(Cubins.compile(source, architecture));
    editor.putByte(editor.attribute(INFO, 0x4c) + 2, 1);
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("opcode=BAR with a register(0x"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseEachForbiddenInstruction(String architecture) {
    for (int opcode : new int[] {0x94d, 0x95c, 0x95b, 0x94f, 0x949, 0x94a, 0x94c, 0x343, 0x000}) {
      ElfEditor editor = new ElfEditor(compiled(architecture));
      int at = editor.instruction(CODE, 0x918);
      editor.put(at, editor.instructionAt(at).with(0, 12, opcode));
      String message = refusal(editor.bytes(), architecture);
      assertTrue(
          message.contains("instruction, section=.text.gpuos_op, offset=0x")
              && message.contains(String.format(Locale.ROOT, "0x%03x", opcode)),
          message);
    }
  }

  /** Parameters of the kernel lie behind the words of the launch; bank 2 and 3 are the kernel's. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80 0x160", "sm_90 0x210", "sm_100 0x380"})
  void shouldRefuseParametersOfKernelsAndOtherBanks(String text) {
    String architecture = text.split(" ")[0];
    int parameters = Integer.decode(text.split(" ")[1]);
    byte[] cubin = Cubins.compile(Cubins.operator("x[0] = blockDim.x;"), architecture);
    for (int[] constant : new int[][] {{0, parameters}, {2, 0}, {3, 0}, {4, 0}}) {
      ElfEditor editor = new ElfEditor(cubin);
      int at = editor.anyInstruction(CODE, List.of(0x7ac, 0xb82, 0xab9));
      Instruction load = editor.instructionAt(at);
      int from = load.opcode() == 0x7ac ? 37 : 38;
      editor.put(at, load.with(from, 54 - from, constant[1]).with(54, 5, constant[0]));
      String message = refusal(editor.bytes(), architecture);
      String expected =
          String.format(Locale.ROOT, "constant c[%d][0x%x]", constant[0], constant[1]);
      assertTrue(message.contains(expected), message);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseConstantsByIndexAndByDescriptor(String architecture) {
    byte[] cubin = Cubins.compile(Cubins.operator("x[0] = blockDim.x;"), architecture);
    ElfEditor editor = new ElfEditor(cubin);
    int at = editor.anyInstruction(CODE, List.of(0x7ac, 0xb82, 0xab9));
    Instruction load = editor.instructionAt(at);
    editor.put(at, load.with(24, 8, 4));
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("constants by index, section=.text.gpuos_op"), message);
    if (load.opcode() != 0x7ac) {
      editor.put(at, load.with(91, 1, 1));
      message = refusal(editor.bytes(), architecture);
      assertTrue(message.contains("constants by index, section=.text.gpuos_op"), message);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseArrivingAtBarrierZero(String architecture) {
    ElfEditor editor = new ElfEditor(compiled(architecture));
    int at = editor.instruction(CODE, 0xb1d);
    editor.put(at, editor.instructionAt(at).with(77, 3, 1));
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("barrier 0 for 0 threads, section=.text.gpuos_op"), message);
  }

  @Test
  void shouldRefuseConstantOperandsOfArithmetic() {
    byte[] cubin =
        Cubins.compile(Cubins.operator("if (threadIdx.x + n > blockDim.x) x[0] = 1;"), "sm_80");
    ElfEditor editor = new ElfEditor(cubin);
    int at = editor.anyInstruction(CODE, List.of(0xa0c, 0xa10, 0x624, 0xa02));
    Instruction instruction = editor.instructionAt(at);
    editor.put(at, instruction.with(38, 16, 0x160));
    String message = refusal(editor.bytes(), "sm_80");
    assertTrue(message.contains("constant c[0][0x160], section=.text.gpuos_op"), message);
    editor.put(at, instruction.with(91, 1, 1));
    message = refusal(editor.bytes(), "sm_80");
    assertTrue(message.contains("constants by descriptor, section=.text.gpuos_op"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseBranchesOutOfTheFunction(String architecture) {
    ElfEditor editor = new ElfEditor(compiled(architecture));
    int at = editor.instruction(CODE, 0x947);
    Instruction branch = editor.instructionAt(at);
    for (long distance : new long[] {1L << 20, -(1L << 20), 8}) {
      editor.put(at, withDistance(branch, distance, architecture));
      String message = refusal(editor.bytes(), architecture);
      assertTrue(message.contains("branch out of the function, section=.text.gpuos_op"), message);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseRegionsThatEndOutsideTheFunction(String architecture) {
    ElfEditor editor = new ElfEditor(compiled(architecture));
    int at = editor.instruction(CODE, 0x945);
    editor.put(at, editor.instructionAt(at).with(34, 30, 1 << 20));
    String message = refusal(editor.bytes(), architecture);
    assertTrue(message.contains("branch out of the function, section=.text.gpuos_op"), message);
  }

  private static Instruction withDistance(Instruction branch, long bytes, String architecture) {
    return architecture.equals("sm_80")
        ? branch.with(34, 48, bytes / 4)
        : branch.with(16, 8, bytes / 4).with(34, 48, bytes >> 10);
  }

  @Test
  void shouldRefuseReturnsElsewhereAndCallsOfFixedAddresses() {
    assertRefused(
        "return to another place, section=.text.gpuos_op",
        e -> {
          int at = e.instruction(CODE, 0x950);
          e.put(at, e.instructionAt(at).with(24, 8, 4));
        });
    assertRefused(
        "return to another place, section=.text.gpuos_op",
        e -> {
          int at = e.instruction(CODE, 0x950);
          e.put(at, e.instructionAt(at).with(85, 1, 0));
        });
    assertRefused(
        "call of a fixed address, section=.text.gpuos_op",
        e -> {
          int at = e.instruction(CODE, 0x918);
          e.put(at, e.instructionAt(at).with(0, 12, 0x943));
        });
    assertRefused(
        "branch out of the function",
        e -> {
          int at = e.instruction(CODE, 0x918);
          e.put(at, e.instructionAt(at).with(0, 12, 0x944).with(34, 47, 1L << 20));
        });
  }

  @Test
  void shouldRefuseHalfInstructions() {
    assertRefused(
        "code, section=.text.gpuos_op",
        e -> {
          long size = e.section(CODE).size() - 8;
          e.putLong(e.header(CODE) + 0x20, size).putLong(e.symbol("gpuos_op") + 16, size);
        });
  }

  @Test
  void shouldRefuseAttributesThatAskForMore() {
    assertRefused(
        "attribute, section=.text.gpuos_op, attribute=unknown(0xf0)", attribute(0x37, 0xf0));
    assertRefused("attribute=TCGEN05_1CTA_USED(0x51)", attribute(0x37, 0x51));
    assertRefused("attribute=REG_RECONFIG(0x54)", attribute(0x37, 0x54));
    assertRefused(
        "attribute=SW_WAR(0x36), value=24", e -> e.putInt(e.attribute(INFO, 0x36) + 4, 24));
    assertRefused(
        "attribute=unknown(0xf0)", e -> e.putByte(e.attribute(".nv.info", 0x5f) + 1, 0xf0));
    assertRefused(
        "attribute missing, section=.text",
        e -> e.putByte(e.attribute(".nv.info", 0x2f) + 1, 0x12));
    assertRefused(
        "attribute twice, section=.text", e -> e.putByte(e.attribute(".nv.info", 0x23) + 1, 0x2f));
    assertRefused("registers, section=.text", e -> e.putInt(e.attribute(".nv.info", 0x2f) + 8, 65));
    assertRefused("two words", e -> e.putByte(e.attribute(".nv.info", 0x5f) + 1, 0x2f));
    assertRefused(
        "attribute=FRAME_SIZE(0x11), value=-1",
        e -> e.putInt(e.attribute(".nv.info", 0x11) + 8, -1));
    assertRefused(
        "stack, section=.text.gpuos_op, bytes=",
        e -> e.putInt(e.attribute(".nv.info", 0x11) + 8, Integer.MAX_VALUE));
  }

  private static Consumer<ElfEditor> attribute(int from, int to) {
    return e -> e.putByte(e.attribute(INFO, from) + 1, to);
  }

  @Test
  void shouldRefuseRelocationsItDoesNotKnow() {
    assertRefused(
        "unknown relocation, section=.text.gpuos_op", e -> e.putInt(e.rela(RELA, 0) + 8, 0x28));
    assertRefused("relocation=0x40", e -> e.putInt(e.rela(RELA, 0) + 8, 0x40));
    assertRefused("unknown relocation", e -> e.putInt(e.rela(RELA, 0) + 8, -1));
    assertRefused("instructions in code, words in data", e -> e.putInt(e.rela(RELA, 0) + 8, 0x02));
  }

  @Test
  void shouldRefuseRelocationsOfOtherPlacesAndTargets() {
    int call = entryOf(0x4b);
    int move = entryOf(0x38);
    assertRefused("the beginning of an instruction", e -> e.putLong(e.rela(RELA, move), 8));
    assertRefused("relocation of opcode", e -> e.putLong(e.rela(RELA, move), 0));
    assertRefused(
        "address inside .text.__internal_accurate_pow",
        e ->
            e.putInt(e.rela(RELA, move) + 12, callSymbol(e, call))
                .putLong(e.rela(RELA, move) + 16, 16));
    assertRefused("target outside .", e -> e.putLong(e.rela(RELA, move) + 16, Long.MAX_VALUE));
    assertRefused("call into .text", e -> e.putLong(e.rela(RELA, call) + 16, 16));
    assertRefused("target outside .text", e -> e.putLong(e.rela(RELA, call) + 16, 1L << 40));
    assertRefused("target outside .text", e -> e.putLong(e.rela(RELA, call) + 16, Long.MIN_VALUE));
    assertRefused(
        "relocation of a place in use",
        e -> {
          int at = e.begin(CODE) + (int) callOffset(e, call);
          e.put(at, e.instructionAt(at).with(40, 8, 1));
        });
    assertRefused(
        "relocation of opcode",
        e -> {
          int at = e.begin(CODE) + (int) callOffset(e, call);
          e.put(at, e.instructionAt(at).with(0, 12, 0x918));
        });
    assertRefused(
        "relocations overlap",
        e -> {
          int other = call == 0 ? 1 : 0;
          e.putLong(e.rela(RELA, other), callOffset(e, call));
          e.putInt(e.rela(RELA, other) + 8, 0x4b);
          e.putInt(e.rela(RELA, other) + 12, callSymbol(e, call));
          e.putLong(e.rela(RELA, other) + 16, 0);
        });
  }

  @Test
  void shouldRefuseRelocationsOfOtherWordsInVariables() {
    String table = ".rela.nv.global.init";
    assertRefused("a whole word", e -> e.putLong(e.rela(table, 0), 4));
    assertRefused("instructions in code, words in data", e -> e.putInt(e.rela(table, 0) + 8, 0x38));
    assertRefused("target outside .nv.global.init", e -> e.putLong(e.rela(table, 0) + 16, 1 << 20));
    assertRefused(
        "a variable with a first value",
        e -> e.putInt(e.header(table) + 0x2c, e.section(".nv.global").index()));
    assertRefused(
        "relocation over the end",
        e -> e.putLong(e.rela(table, 0), e.section(".nv.global.init").size() - 4));
  }

  @Test
  void shouldRefuseRecursionThatOnlyRelocationsShow() {
    int call = entryOf(0x4b);
    assertRefused(
        "recursion, section=.text.gpuos_op",
        e -> {
          int self = e.cubin().global("gpuos_op").orElseThrow().index();
          e.putInt(e.rela(RELA, call) + 12, self);
        });
  }

  /** Index of the first relocation of that type. */
  private static int entryOf(int type) {
    ElfEditor editor = new ElfEditor(compiled("sm_90"));
    int entries = (int) editor.section(RELA).size() / 24;
    for (int i = 0; i < entries; i++) {
      if ((int) editor.instructionAt(editor.rela(RELA, i)).high() == type) {
        return i;
      }
    }
    throw new IllegalStateException("no relocation of type " + type);
  }

  private static long callOffset(ElfEditor editor, int entry) {
    return editor.instructionAt(editor.rela(RELA, entry)).low();
  }

  private static int callSymbol(ElfEditor editor, int entry) {
    return (int) (editor.instructionAt(editor.rela(RELA, entry)).high() >>> 32);
  }

  @Test
  void shouldRefuseSectionsAndSymbolsThatAreNotAsExpected() {
    assertRefused("ABI version, section=header, abi_version=7", e -> e.putByte(8, 7));
    assertRefused("architecture, section=header, flags=0x6005a05", e -> e.putByte(0x30, 5));
    assertRefused("code section, section=.text.gpuos_op", e -> e.putLong(e.header(CODE) + 8, 7));
    assertRefused("alignment, section=.text.gpuos_op", e -> e.putLong(e.header(CODE) + 0x30, 8192));
    assertRefused(
        "entry, section=symbols, name=gpuos_op",
        e -> e.putByte(e.symbol("gpuos_op") + 6, e.section(".nv.global.init").index()));
    assertRefused("kernel, section=.text.gpuos_op", e -> e.putByte(e.symbol("gpuos_op") + 5, 0x10));
    assertRefused(
        "entry, section=symbols, name=gpuos_op", e -> e.putByte(e.symbol("gpuos_op") + 4, 0x11));
    assertRefused(
        "entry, section=symbols, name=gpuos_op", e -> e.putByte(e.symbol("gpuos_op") + 4, 0x02));
    assertRefused("function, section=.text.gpuos_op", e -> e.putLong(e.symbol("gpuos_op") + 8, 16));
    assertRefused(
        "function, section=.text.gpuos_op", e -> e.putLong(e.symbol("gpuos_op") + 16, 16));
    assertRefused(
        "functions, section=.text.gpuos_op, functions=2",
        e -> e.putByte(e.symbol("__internal_accurate_pow") + 6, e.section(CODE).index()));
    assertRefused(
        "memory of a launch, section=.nv.callgraph",
        e ->
            e.putLong(e.header(".nv.callgraph") + 8, 0x42)
                .putInt(e.header(".nv.callgraph") + 0x2c, e.section(CODE).index()));
    assertRefused(
        "variables, section=.nv.global, bytes=1073741824",
        e -> e.putLong(e.header(".nv.global") + 0x20, 1 << 30));
    assertRefused(
        "memory of a launch, section=.nv.global.init",
        e -> e.putInt(e.header(".nv.global.init") + 4, 1));
    assertRefused(
        "alignment, section=.nv.global.init",
        e -> e.putLong(e.header(".nv.global.init") + 0x30, 1 << 20));
  }
}

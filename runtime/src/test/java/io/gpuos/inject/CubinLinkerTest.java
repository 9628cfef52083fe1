package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.driver.Nvrtc;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CubinLinkerTest {

  private static final long BASE = 0x7f00_1234_5000L;

  private static final String SOURCE =
      Cubins.operator(
          "__device__ float t[4] = {1, 2, 3, 4}; __device__ float* p[2] = {t, t + 1};"
              + " __device__ int zeros[5];"
              + " extern \"C\" __device__ __noinline__ void helper(float* x) {"
              + " x[0] = pow((double)x[1], (double)x[2]); }",
          "helper(x); x[3] = *p[n & 1] + t[n] + ++zeros[n];");

  private record Linked(VerifiedCubin operator, CubinLinker linker, CodeImage image) {
    static Linked of(String architecture) {
      VerifiedCubin operator = Cubins.verify(Cubins.compile(SOURCE, architecture), architecture);
      CubinLinker linker = new CubinLinker(operator);
      return new Linked(operator, linker, linker.link(BASE));
    }

    MemorySegment bytes() {
      return MemorySegment.ofArray(image.bytes());
    }

    Section section(String name) {
      return operator.cubin().sections().stream()
          .filter(s -> s.name().equals(name))
          .findFirst()
          .orElseThrow();
    }

    long address(String symbol) {
      Symbol found = operator.cubin().global(symbol).orElseThrow();
      Section section = operator.cubin().sections().get(found.section());
      return BASE + linker.offset(section) + found.value();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldStartWithTheEntryAndKeepSectionsApartAndAligned(String architecture) {
    Linked linked = Linked.of(architecture);
    assertEquals(BASE, linked.image().entry());
    assertEquals(0, linked.image().size() % CodeArena.ALIGNMENT);
    long end = 0;
    for (Section section : linked.operator().code()) {
      long offset = linked.linker().offset(section);
      assertEquals(0, offset % section.alignment(), section.name());
      assertTrue(offset >= end, section.name());
      end = offset + section.size();
    }
    assertEquals(end, linked.image().codeBytes());
    end += CubinLinker.GUARD_BYTES;
    for (Section section : linked.operator().data()) {
      long offset = linked.linker().offset(section);
      assertEquals(0, offset % section.alignment(), section.name());
      assertTrue(offset >= end, section.name());
      end = offset + section.size();
    }
    assertTrue(linked.image().size() >= end);
    assertEquals(3, linked.operator().code().size());
    assertEquals(2, linked.operator().data().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFillTheGuardAndTheGapsWithBranchesToThemselves(String architecture) {
    Linked linked = Linked.of(architecture);
    Instruction branch = Architecture.of(architecture).orElseThrow().branchToItself();
    Section last = linked.operator().code().getLast();
    long at = linked.linker().offset(last) + last.size();
    for (long end = at + CubinLinker.GUARD_BYTES; at < end; at += 16) {
      assertEquals(branch, CodeScan.instruction(linked.bytes(), at));
    }
    // As compilers end functions.
    ElfEditor compiled = new ElfEditor(Cubins.compile(SOURCE, architecture));
    int function = compiled.begin(".text.helper");
    int end = function + (int) compiled.section(".text.helper").size();
    boolean found = false;
    for (int i = function; i < end; i += 16) {
      found |= compiled.instructionAt(i).equals(branch);
    }
    assertTrue(found, "no function ends with " + branch);
  }

  /** The call's target, read by the layout of the architecture, is the function's address. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCallAbsoluteAddresses(String architecture) {
    Linked linked = Linked.of(architecture);
    Section entry = linked.section(".text.gpuos_op");
    Set<Long> targets = new HashSet<>();
    for (long at = 0; at < entry.size(); at += 16) {
      Instruction instruction =
          CodeScan.instruction(linked.bytes(), linked.linker().offset(entry) + at);
      if (instruction.opcode() == Opcodes.CALL_ABSOLUTE) {
        long words = instruction.bits(34, 47);
        boolean split = !architecture.equals("sm_80");
        targets.add(split ? words * 1024 + instruction.bits(16, 8) * 4 : words * 4);
      }
    }
    assertEquals(Set.of(linked.address("helper")), targets);
  }

  /** Low and high halves come in pairs of moves; together they are addresses of the image. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldMoveAddressesInHalves(String architecture) {
    Linked linked = Linked.of(architecture);
    Section entry = linked.section(".text.gpuos_op");
    Set<Long> low = new HashSet<>();
    Set<Long> high = new HashSet<>();
    for (Cubin.Relocation change : linked.operator().cubin().relocations()) {
      if (change.section() == entry.index()) {
        long value =
            CodeScan.instruction(linked.bytes(), linked.linker().offset(entry) + change.offset())
                .bits(32, 32);
        if (change.type() == 0x38) {
          low.add(value);
        } else if (change.type() == 0x39) {
          high.add(value);
        }
      }
    }
    assertEquals(Set.of(BASE >>> 32), high);
    assertTrue(low.contains(linked.address("t") & 0xffffffffL), low::toString);
    assertTrue(low.contains(linked.address("p") & 0xffffffffL), low::toString);
    assertTrue(low.contains(linked.address("zeros") & 0xffffffffL), low::toString);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFillPointersInVariables(String architecture) {
    Linked linked = Linked.of(architecture);
    long pointers = linked.address("p") - BASE;
    assertEquals(linked.address("t"), linked.bytes().get(ElfBytes.LONG, pointers));
    assertEquals(linked.address("t") + 4, linked.bytes().get(ElfBytes.LONG, pointers + 8));
    assertEquals(0, linked.bytes().get(ElfBytes.INT, linked.address("zeros") - BASE));
    long floats = linked.address("t") - BASE;
    assertEquals(Float.floatToIntBits(2), linked.bytes().get(ElfBytes.INT, floats + 4));
  }

  @Test
  void shouldDependOnTheAddressOnlyWhereAddressesAre() {
    Linked linked = Linked.of("sm_90");
    assertEquals(linked.image(), linked.linker().link(BASE));
    CodeImage moved = linked.linker().link(BASE + CodeArena.ALIGNMENT);
    assertNotEquals(linked.image(), moved);
    byte[] ours = linked.image().bytes();
    byte[] theirs = moved.bytes();
    int different = 0;
    for (int i = 0; i < ours.length; i++) {
      different += ours[i] == theirs[i] ? 0 : 1;
    }
    long changes =
        linked.operator().cubin().relocations().stream()
            .filter(
                r ->
                    !linked
                        .operator()
                        .cubin()
                        .sections()
                        .get(r.section())
                        .name()
                        .startsWith(".debug"))
            .count();
    assertTrue(different > 0 && different <= changes * 8, () -> "changes=" + changes);
  }

  /**
   * What each call relocation writes, confirmed by calls whose distance the compiler filled in
   * itself: within one file that is not relocatable, relative calls have the same fields.
   */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldEncodeTargetsAsTheCompilerDoes(String architecture) {
    String source =
        """
        extern "C" __global__ void k(double* x) {
          x[0] = pow(x[1], x[2]) / x[3];
          x[7] = pow(x[5], x[6]);
        }
        """;
    byte[] executable =
        Nvrtc.open()
            .compile(
                source,
                "k.cu",
                Map.of(),
                List.of("--gpu-architecture=" + architecture),
                Nvrtc.Target.CUBIN)
            .code();
    executable[16] = 1; // relocatable, so that it is read
    executable[0x38] = 0; // without segments
    Cubin cubin = CubinReader.read(executable);
    Section code =
        cubin.sections().stream().filter(s -> s.name().equals(".text.k")).findFirst().orElseThrow();
    List<Long> functions =
        cubin.symbols().stream()
            .filter(s -> s.isFunction() && s.section() == code.index())
            .map(Symbol::value)
            .toList();
    RelocationType type =
        architecture.equals("sm_80")
            ? RelocationType.R_CUDA_ABS47_34
            : RelocationType.R_CUDA_ABS55_16_34;
    int calls = 0;
    for (long at = 0; at < code.size(); at += 16) {
      Instruction call = CodeScan.instruction(code.bytes(), at);
      if (call.opcode() == 0x944) {
        long behind = at + 16;
        Instruction cleared = call.with(16, 8, 0).with(34, 47, 0);
        assertTrue(
            functions.stream().anyMatch(f -> type.apply(cleared, f - behind).equals(call)),
            () -> String.format(Locale.ROOT, "%s at 0x%x of %s", call, behind - 16, functions));
        calls++;
      }
    }
    assertTrue(calls >= 3, "calls=" + calls);
  }

  @Test
  void shouldReadAndWriteBitsAcrossBothWords() {
    Instruction zero = new Instruction(0, 0);
    for (int from = 0; from < 128; from += 3) {
      for (int count = 1; count <= Math.min(64, 128 - from); count += 5) {
        long value = 0x9e3779b97f4a7c15L;
        long mask = count == 64 ? -1 : (1L << count) - 1;
        Instruction with = zero.with(from, count, value);
        assertEquals(value & mask, with.bits(from, count));
        Instruction ones = new Instruction(-1, -1);
        assertEquals(zero, ones.with(from, count, 0).with(0, 64, 0).with(64, 64, 0));
        assertEquals(0, ones.with(from, count, 0).bits(from, count));
        assertEquals(ones, ones.with(from, count, 0).with(from, count, -1));
      }
    }
    assertEquals(-1, new Instruction(-1, -1).signed(34, 48));
    assertEquals(1L << 40, new Instruction(1L << 44, 0).signed(4, 48));
  }

  @Test
  void shouldKeepItsBytesToItself() {
    byte[] bytes = new byte[CodeArena.ALIGNMENT];
    CodeImage image = new CodeImage(BASE, 0, 16, bytes);
    bytes[0] = 1;
    image.bytes()[1] = 1;
    assertArrayEquals(new byte[CodeArena.ALIGNMENT], image.bytes());
    assertEquals(
        "CodeImage[base=0x7f0012345000, entry=0x7f0012345000, code=16, bytes=4096]",
        image.toString());
  }
}

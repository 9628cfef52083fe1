package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.DeviceKernels;
import io.gpuos.error.InjectionException;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Real cubins, damaged at random: each is refused with the one exception, or the image made of it
 * still keeps every promise of the verifier. {@code -Dgpuos.fuzz.cases=N} for more, {@code
 * -Dgpuos.fuzz.seed=N} for others; a failure names the case's own seed.
 */
class CubinFuzzTest {

  private static final int CASES = Integer.getInteger("gpuos.fuzz.cases", 6000);
  private static final long SEED = Long.getLong("gpuos.fuzz.seed", 20_261_125);
  private static final long BASE = 0x7f00_0000_1000L;
  private static final long MAX_IMAGE = 64L << 20;

  private record Original(byte[] bytes, String architecture, Cubin cubin) {}

  private static final List<Original> ORIGINALS = new ArrayList<>();

  @BeforeAll
  static void compile() {
    for (String architecture : Cubins.ARCHITECTURES) {
      add(
          Cubins.operator(DeviceKernels.single(Function.POW, DType.F64), architecture),
          architecture);
      add(
          Cubins.operator(DeviceKernels.single(Function.SIN, DType.F32), architecture),
          architecture);
      add(
          Cubins.compile(
              Cubins.operator(
                  "__device__ float t[4] = {1, 2}; __device__ float* p[2] = {t, t + 1};",
                  "x[0] = *p[n & 1] / t[n]; __syncthreads(); x[n] = x[0];"),
              architecture),
          architecture);
    }
  }

  private static void add(byte[] bytes, String architecture) {
    ORIGINALS.add(new Original(bytes, architecture, CubinReader.read(bytes)));
  }

  private int refused;
  private int accepted;

  @Test
  void shouldRefuseOrKeepItsPromises() {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60 + CASES / 100),
        () -> {
          for (int i = 0; i < CASES; i++) {
            long seed = SEED + i;
            try {
              one(seed);
            } catch (RuntimeException | AssertionError e) {
              throw new AssertionError(
                  String.format(Locale.ROOT, "-Dgpuos.fuzz.seed=%d -Dgpuos.fuzz.cases=1", seed), e);
            }
          }
        });
    assertEquals(CASES, refused + accepted);
    if (CASES >= 1000) {
      assertTrue(refused > CASES / 3, "refused=" + refused);
      assertTrue(accepted > CASES / 20, "accepted=" + accepted);
    }
  }

  private void one(long seed) {
    Random random = new Random(seed);
    Original original = ORIGINALS.get(random.nextInt(ORIGINALS.size()));
    byte[] damaged = damage(original, random);
    VerifiedCubin operator;
    CodeImage image;
    try {
      operator = Cubins.verify(damaged, original.architecture());
      CubinLinker linker = new CubinLinker(operator);
      assertTrue(linker.size() <= MAX_IMAGE, () -> "size=" + linker.size());
      image = linker.link(BASE);
      checkPromises(operator, linker, image);
    } catch (InjectionException e) {
      assertEquals(1, e.getMessage().lines().count(), e.getMessage());
      refused++;
      return;
    }
    accepted++;
  }

  private static byte[] damage(Original original, Random random) {
    byte[] bytes = original.bytes().clone();
    switch (random.nextInt(8)) {
      case 0 -> {
        return Arrays.copyOf(bytes, random.nextInt(bytes.length));
      }
      case 1 -> flipBits(bytes, 0, bytes.length, random);
      case 2 -> flipBits(bytes, 0, 64, random);
      case 3 -> putNumber(bytes, field(original, random), random);
      case 4 -> putNumber(bytes, field(original, random), random);
      case 5 -> damageKind(original, bytes, random, ".symtab", ".rel");
      case 6 -> damageKind(original, bytes, random, ".nv.info", ".nv.global.init");
      default -> damageKind(original, bytes, random, ".text", ".text");
    }
    return bytes;
  }

  private static void flipBits(byte[] bytes, int begin, int end, Random random) {
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      bytes[begin + random.nextInt(end - begin)] ^= (byte) (1 << random.nextInt(8));
    }
  }

  /** File offset of a field of a section's header, 4-byte aligned. */
  private static int field(Original original, Random random) {
    int section = random.nextInt(original.cubin().sections().size());
    return headers(original.bytes()) + 64 * section + 4 * random.nextInt(16);
  }

  private static int headers(byte[] bytes) {
    return (int) MemorySegment.ofArray(bytes).get(ElfBytes.LONG, 0x28);
  }

  /** A number near a limit, or any. */
  private static void putNumber(byte[] bytes, int at, Random random) {
    long[] numbers = {
      0,
      1,
      -1,
      0x7fffffff,
      0x80000000L,
      0xffffffffL,
      Long.MAX_VALUE,
      Long.MIN_VALUE,
      bytes.length,
      bytes.length - 1,
      random.nextInt(),
      random.nextLong(),
      random.nextInt(bytes.length),
      8,
      64
    };
    long number = numbers[random.nextInt(numbers.length)];
    MemorySegment segment = MemorySegment.ofArray(bytes);
    if (random.nextBoolean() || at + Long.BYTES > bytes.length) {
      segment.set(ElfBytes.INT, at, (int) number);
    } else {
      segment.set(ElfBytes.LONG, at, number);
    }
  }

  /** Damages the bytes of one of the sections whose names start so. */
  private static void damageKind(
      Original original, byte[] bytes, Random random, String first, String second) {
    List<Section> found =
        original.cubin().sections().stream()
            .filter(s -> s.name().startsWith(first) || s.name().startsWith(second))
            .filter(s -> s.bytes().byteSize() >= 16)
            .toList();
    Section section = found.get(random.nextInt(found.size()));
    int header = headers(bytes) + 64 * section.index();
    int begin = (int) MemorySegment.ofArray(bytes).get(ElfBytes.LONG, header + 0x18);
    if (random.nextBoolean()) {
      flipBits(bytes, begin, begin + (int) section.size(), random);
    } else {
      int word = random.nextInt((int) section.size() / 4 - 1);
      putNumber(bytes, begin + 4 * word, random);
    }
  }

  /** Reads the image as the GPU would. */
  private static void checkPromises(VerifiedCubin operator, CubinLinker linker, CodeImage image) {
    assertEquals(BASE, image.entry());
    assertTrue(operator.registers() <= Cubins.REGISTERS);
    assertTrue(operator.stackBytes() <= Cubins.STACK_BYTES);
    MemorySegment bytes = MemorySegment.ofArray(image.bytes());
    Set<Long> functions = new HashSet<>();
    operator.code().forEach(code -> functions.add(BASE + linker.offset(code)));
    boolean split = operator.architecture().splitsOffsets();
    for (long at = 0; at < image.codeBytes(); at += 16) {
      Instruction instruction = CodeScan.instruction(bytes, at);
      int opcode = instruction.opcode();
      Set<Integer> forbidden = Set.of(0x94d, 0x95c, 0x95b, 0x949, 0x94a, 0x94c, 0x343, 0x91d);
      assertTrue(
          !forbidden.contains(opcode), () -> String.format(Locale.ROOT, "opcode=0x%x", opcode));
      if (opcode == Opcodes.CALL_ABSOLUTE) {
        long words = instruction.bits(34, 47);
        long target = split ? words * 1024 + instruction.bits(16, 8) * 4 : words * 4;
        assertTrue(
            functions.contains(target), () -> String.format(Locale.ROOT, "target=0x%x", target));
      }
    }
  }
}

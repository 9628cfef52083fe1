package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.DeviceKernels;
import io.gpuos.error.InjectionException;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InjectorTest {

  private static final long START = 0x7f00_0000_0000L;

  /** One piece of host memory that plays the device's. */
  private static final class HostMemory implements CodeMemory {
    private final byte[] bytes = new byte[1 << 20];
    private int allocations;

    @Override
    public long allocate(long size) {
      assertEquals(1, ++allocations);
      return START;
    }

    @Override
    public byte[] write(long address, byte[] code) {
      int from = (int) (address - START);
      System.arraycopy(code, 0, bytes, from, code.length);
      return Arrays.copyOfRange(bytes, from, from + code.length);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldBringAnOperatorIntoMemoryAndSayWhatItNeeds(String architecture) {
    byte[] cubin = Cubins.operator(DeviceKernels.single(Function.POW, DType.F64), architecture);
    HostMemory memory = new HostMemory();
    CodeArena arena = new CodeArena(memory, 1 << 20, 1 << 20);
    Limits limits = Cubins.limits(architecture);
    InjectedCode first = Injector.inject(cubin, Cubins.ENTRY, limits, arena);
    InjectedCode second = Injector.inject(cubin, Cubins.ENTRY, limits, arena);
    assertEquals(START, first.entry());
    assertEquals(START + first.imageBytes(), second.entry());
    assertEquals(2L * first.imageBytes(), arena.usage().usedBytes());
    assertTrue(first.registers() > 16 && first.registers() <= 64, first::toString);
    assertTrue(first.stackBytes() > 0 && first.stackBytes() <= 1024, first::toString);
    assertEquals(2, first.functions(), "entry and pow");
    Cubin read = CubinReader.read(cubin);
    byte[] entry =
        read.sections().get(read.global(Cubins.ENTRY).orElseThrow().section()).toByteArray();
    byte[] placed = Arrays.copyOf(memory.bytes, entry.length);
    assertEquals(Arrays.mismatch(entry, placed) > 0, true, "addresses are filled in");
    assertArrayEquals(Arrays.copyOf(entry, 64), Arrays.copyOf(placed, 64));
  }

  @Test
  void shouldTakeNoMemoryForCodeThatIsRefused() {
    CodeArena arena = new CodeArena(new HostMemory(), 1 << 20, 1 << 20);
    byte[] cubin = Cubins.compile(Cubins.operator("asm volatile(\"exit;\");"), "sm_90");
    assertThrows(
        InjectionException.class,
        () -> Injector.inject(cubin, Cubins.ENTRY, Cubins.limits("sm_90"), arena));
    assertEquals(new CodeArena.Usage(0, 0, 0, 1 << 20, 0, 0), arena.usage());
  }
}

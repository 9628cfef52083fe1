package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.InjectionException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images as NVIDIA's linker makes them of code as NVIDIA's compiler makes it. */
class LinkedVariablesTest {

  private static final String KERNEL = "extern \"C\" __global__ void gpuos_worker() {}";

  private static byte[] operator(String name, long key, String architecture) {
    String source =
        """
        typedef void (*Operator)(float*);
        extern "C" void op_%1$s(float* x) { *x = sinf(*x) + %2$s; }
        struct Told { unsigned long long key; Operator code; };
        extern "C" __device__ Told told_%1$s = {%2$s, op_%1$s};
        extern "C" __device__ int other_%1$s = 3;
        """
            .formatted(name, Long.toString(key));
    return Cubins.compile(source, architecture);
  }

  private static byte[] image(String architecture) {
    return NvJitLink.link(
        List.of(
            Cubins.compile(KERNEL, architecture),
            operator("a", 11, architecture),
            operator("b", 22, architecture),
            operator("c", 33, architecture)),
        architecture);
  }

  /** Also shows that functions are kept that nothing but such a variable names. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldFindVariablesWhereTheLinkerPutThem(String architecture) {
    byte[] image = image(architecture);
    Map<String, Long> offsets = LinkedVariables.offsets(image, "told_");
    assertEquals(Set.of("told_a", "told_b", "told_c"), offsets.keySet());
    byte[] executable = image.clone();
    executable[16] = 1; // relocatable: the header alone says otherwise
    executable[0x38] = 0;
    Cubin linked = CubinReader.read(executable);
    Cubin.Section section =
        linked.sections().stream()
            .filter(s -> s.name().equals(".nv.global.init"))
            .findFirst()
            .orElseThrow();
    ByteBuffer bytes = ByteBuffer.wrap(section.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
    for (var key : Map.of("a", 11L, "b", 22L, "c", 33L).entrySet()) {
      long offset = offsets.get("told_" + key.getKey());
      assertEquals(key.getValue(), bytes.getLong((int) offset));
      // The driver fills in the function's address.
      Cubin.Relocation code =
          linked.relocations().stream()
              .filter(r -> r.section() == section.index() && r.offset() == offset + 8)
              .findFirst()
              .orElseThrow();
      Cubin.Symbol function = linked.symbols().get(code.symbol());
      assertEquals("op_" + key.getKey(), function.name());
      assertNotEquals(0, function.section());
    }
  }

  @Test
  void shouldFindNothingWhereThereIsNothing() {
    assertEquals(Map.of(), LinkedVariables.offsets(image("sm_90"), "none_"));
  }

  @Test
  void shouldRefuseTablesThatLeadOutOfTheFile() {
    byte[] image = image("sm_90");
    assertThrows(InjectionException.class, () -> LinkedVariables.offsets(new byte[10], "told_"));
    assertThrows(
        InjectionException.class,
        () -> LinkedVariables.offsets(Arrays.copyOf(image, image.length / 2), "told_"));
    Random random = new Random(1);
    int refused = 0;
    for (int k = 0; k < 3000; k++) {
      byte[] damaged = image.clone();
      damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      damaged[random.nextInt(64)] = (byte) random.nextInt();
      try {
        LinkedVariables.offsets(damaged, "told_");
      } catch (InjectionException _) {
        refused++;
      }
    }
    assertTrue(refused > 30, "refused=" + refused);
  }
}

package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.driver.Nvrtc;
import io.gpuos.error.CompileException;
import io.gpuos.inject.NvJitLink;
import io.gpuos.jit.CompileRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compiles the device's kernels for real, as the device does; needs NVRTC, no GPU. */
class DeviceSourcesTest {

  /**
   * Attributes of {@code .nv.info}: EIATTR_REGCOUNT and, of linked kernels, EIATTR_MIN_STACK_SIZE.
   */
  private static final int REGISTERS = 0x2f;

  private static final int KERNEL_STACK = 0x12;

  private static Nvrtc.Compiled compile(CompileRequest request) {
    return Nvrtc.open()
        .compile(
            request.source(),
            request.name(),
            request.headers(),
            request.allOptions(),
            Nvrtc.Target.CUBIN);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldCompileKernelsWithoutRemarksWithinTheirRegisters(String architecture) {
    for (CompileRequest request :
        List.of(
            CudaOperators.workerRequest(architecture),
            CudaOperators.replaysRequest(architecture))) {
      Nvrtc.Compiled compiled = compile(request);
      assertEquals("", compiled.log().strip());
      // As linked: the linker counts with what a kernel may call through a pointer. With fewer
      // registers than an operator has it is an illegal instruction, with less stack worse.
      byte[] linked = NvJitLink.link(List.of(compiled.code()), architecture);
      Map<Integer, Integer> registers = numbers(linked, REGISTERS);
      Map<Integer, Integer> stacks = numbers(linked, KERNEL_STACK);
      assertFalse(stacks.isEmpty(), request.name());
      stacks.forEach(
          (kernel, stack) -> {
            assertTrue(stack >= WorkerKernel.STACK_BYTES, request.name() + " stack=" + stack);
            int granted = Math.ceilDiv(registers.get(kernel), 8) * 8;
            assertEquals(WorkerKernel.REGISTERS, granted, request.name());
          });
    }
  }

  @Test
  void shouldCompileEveryHeaderOnItsOwn() {
    CompileRequest worker = CudaOperators.workerRequest("sm_90");
    for (String header : worker.headers().keySet()) {
      CompileRequest alone =
          new CompileRequest(
              "#include \"%s\"\n".formatted(header), worker.headers(), worker.options(), "sm_90");
      assertEquals("", compile(alone).log().strip(), header);
    }
  }

  @Test
  void shouldRefuseAHeaderThatDisagreesWithTheHost() {
    CompileRequest worker = CudaOperators.workerRequest("sm_90");
    Map<String, String> headers = new TreeMap<>(worker.headers());
    headers.computeIfPresent(
        "gpuos_abi.cuh",
        (_, text) -> text.replaceFirst("unsigned int count;", "unsigned long long count;"));
    CompileRequest changed =
        new CompileRequest(
            worker.name(), worker.source(), headers, worker.options(), worker.architecture());
    CompileException refused = assertThrows(CompileException.class, () -> compile(changed));
    assertTrue(
        refused.getMessage().contains("layout differs from io.gpuos.abi"), refused::getMessage);
  }

  /** An attribute of functions by the number of their symbol, from the section {@code .nv.info}. */
  private static Map<Integer, Integer> numbers(byte[] cubin, int attribute) {
    ByteBuffer elf = ByteBuffer.wrap(cubin).order(ByteOrder.LITTLE_ENDIAN);
    int sections = (int) elf.getLong(40);
    int size = elf.getShort(58);
    int names = (int) elf.getLong(sections + elf.getShort(62) * size + 24);
    for (int k = 0; k < elf.getShort(60); k++) {
      int section = sections + k * size;
      if (text(cubin, names + elf.getInt(section)).equals(".nv.info")) {
        return numbers(
            elf.slice((int) elf.getLong(section + 24), (int) elf.getLong(section + 32)), attribute);
      }
    }
    return Map.of();
  }

  /** Records: format, attribute, 16 bits of value or size; format 4 has that many bytes more. */
  private static Map<Integer, Integer> numbers(ByteBuffer slice, int wanted) {
    ByteBuffer info = slice.order(ByteOrder.LITTLE_ENDIAN);
    Map<Integer, Integer> numbers = new TreeMap<>();
    while (info.remaining() >= 4) {
      int format = info.get();
      int attribute = info.get();
      int bytes = format == 4 ? info.getShort(info.position()) : 0;
      info.position(info.position() + 2);
      if (attribute == wanted) {
        numbers.put(info.getInt(info.position()), info.getInt(info.position() + 4));
      }
      info.position(info.position() + bytes);
    }
    return numbers;
  }

  private static String text(byte[] bytes, int from) {
    int to = from;
    while (bytes[to] != 0) {
      to++;
    }
    return new String(bytes, from, to - from, StandardCharsets.US_ASCII);
  }
}

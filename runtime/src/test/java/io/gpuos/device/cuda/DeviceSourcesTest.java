package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.driver.Nvrtc;
import io.gpuos.error.CompileException;
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
      // The most is that of gpuos_reserve, if not of a kernel: what each kernel is launched with.
      // Fewer, and an operator that needs more would be an illegal instruction.
      assertEquals(
          WorkerKernel.REGISTERS, Math.ceilDiv(registers(compiled.code()), 8) * 8, request.name());
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

  /** Most registers that any function of a cubin uses, from the section {@code .nv.info}. */
  private static int registers(byte[] cubin) {
    ByteBuffer elf = ByteBuffer.wrap(cubin).order(ByteOrder.LITTLE_ENDIAN);
    int sections = (int) elf.getLong(40);
    int size = elf.getShort(58);
    int names = (int) elf.getLong(sections + elf.getShort(62) * size + 24);
    for (int k = 0; k < elf.getShort(60); k++) {
      int section = sections + k * size;
      if (text(cubin, names + elf.getInt(section)).equals(".nv.info")) {
        return registers(
            elf.slice((int) elf.getLong(section + 24), (int) elf.getLong(section + 32)));
      }
    }
    return 0;
  }

  /** Records: format, attribute, 16 bits of value or size; format 4 has that many bytes more. */
  private static int registers(ByteBuffer slice) {
    ByteBuffer info = slice.order(ByteOrder.LITTLE_ENDIAN);
    int most = 0;
    while (info.remaining() >= 4) {
      int format = info.get();
      int attribute = info.get();
      int bytes = format == 4 ? info.getShort(info.position()) : 0;
      info.position(info.position() + 2);
      if (attribute == 0x2f) { // REGCOUNT: symbol, registers
        most = Math.max(most, info.getInt(info.position() + 4));
      }
      info.position(info.position() + bytes);
    }
    return most;
  }

  private static String text(byte[] bytes, int from) {
    int to = from;
    while (bytes[to] != 0) {
      to++;
    }
    return new String(bytes, from, to - from, StandardCharsets.US_ASCII);
  }
}

package io.gpuos.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.CompileException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The real compiler, which needs no GPU. */
class NvrtcTest {

  private static final String KERNEL =
      """
      #include "scale.h"
      extern "C" __global__ void scale(float* x, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[i] = x[i] * SCALE + expf(x[i]);
      }
      """;
  private static final Map<String, String> HEADERS = Map.of("scale.h", "#define SCALE 3.0f\n");
  private static final int EM_CUDA = 190;

  private static List<String> options(String architecture) {
    return List.of("--gpu-architecture=" + architecture, "--std=c++17");
  }

  private static Nvrtc.Compiled compile(String source, String architecture) {
    return Nvrtc.open()
        .compile(source, "test.cu", HEADERS, options(architecture), Nvrtc.Target.CUBIN);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldMakeMachineCode(String architecture) {
    byte[] cubin = compile(KERNEL, architecture).code();
    ByteBuffer elf = ByteBuffer.wrap(cubin).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(0x464c457f, elf.getInt(0));
    assertEquals(EM_CUDA, elf.getShort(18));
    assertTrue(new String(cubin, StandardCharsets.ISO_8859_1).contains(".text.scale"));
    assertTrue(Nvrtc.open().architectures().contains(architecture));
  }

  @Test
  void shouldGiveTheSameCodeForTheSameSource() {
    assertArrayEquals(compile(KERNEL, "sm_90").code(), compile(KERNEL, "sm_90").code());
  }

  @Test
  void shouldMakePtxOnRequest() {
    var compiled =
        Nvrtc.open().compile(KERNEL, "test.cu", HEADERS, options("sm_90"), Nvrtc.Target.PTX);
    assertTrue(new String(compiled.code(), StandardCharsets.UTF_8).contains(".target sm_90"));
  }

  @Test
  void shouldNameFileLineAndErrorFirstAndCarryTheLog() {
    String source = "// one\n__device__ int f() {\n  return undeclared;\n}\n";
    var e = assertThrows(CompileException.class, () -> compile(source, "sm_90"));
    String first = e.getMessage().lines().findFirst().orElseThrow();
    assertTrue(first.contains("file=test.cu, line=3, error=identifier \"undeclared\""), first);
    assertTrue(first.contains("--gpu-architecture=sm_90"), first);
    assertTrue(e.getMessage().contains("test.cu(3): error"), e.getMessage());
    assertTrue(e.getMessage().contains("1 error detected"), e.getMessage());
  }

  @Test
  void shouldNameTheHeaderAtFault() {
    Map<String, String> headers = Map.of("scale.h", "#define SCALE 3.0f\n\nint broken(;\n");
    var e =
        assertThrows(
            CompileException.class,
            () ->
                Nvrtc.open()
                    .compile(KERNEL, "test.cu", headers, options("sm_90"), Nvrtc.Target.CUBIN));
    assertTrue(e.getMessage().contains("file=scale.h, line=3, error="), e.getMessage());
  }

  @Test
  void shouldRefuseUnknownOptionsAndHeaders() {
    var option =
        assertThrows(
            CompileException.class,
            () ->
                Nvrtc.open()
                    .compile("", "a.cu", Map.of(), List.of("--no-such"), Nvrtc.Target.CUBIN));
    assertTrue(option.getMessage().contains("--no-such"), option.getMessage());
    var header =
        assertThrows(CompileException.class, () -> compile("#include \"none.h\"\n", "sm_90"));
    assertTrue(header.getMessage().contains("none.h"), header.getMessage());
  }

  @Test
  void shouldReturnWarnings() {
    String source = "__global__ void k(int* x) { int unused = 1; *x = 0; }";
    assertTrue(compile(source, "sm_90").log().contains("unused"));
    assertEquals("", compile(KERNEL, "sm_90").log());
  }

  @Test
  void shouldSayWhatIsMissingWhenThereIsNoMachineCode() {
    List<String> virtual = List.of("--gpu-architecture=compute_90");
    var e =
        assertThrows(
            CompileException.class,
            () -> Nvrtc.open().compile("", "a.cu", Map.of(), virtual, Nvrtc.Target.CUBIN));
    assertTrue(e.getMessage().contains("expected=option --gpu-architecture"), e.getMessage());
  }

  @Test
  void shouldServeManyThreads() {
    List<CompletableFuture<byte[]>> futures = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      String source = KERNEL.replace("expf(x[i])", i % 2 + ".5f");
      futures.add(CompletableFuture.supplyAsync(() -> compile(source, "sm_90").code()));
    }
    for (int i = 2; i < 6; i++) {
      assertArrayEquals(futures.get(i % 2).join(), futures.get(i).join());
    }
    assertFalse(Arrays.equals(futures.get(0).join(), futures.get(1).join()));
  }

  @Test
  void shouldReadEveryShapeOfErrorLine() {
    String plain = "a.cu(7): error: expected a \";\"";
    String numbered = "warning first\nb.h(12): error #20-D: identifier \"x\" is undefined";
    String fatal = "c.cu(1): catastrophic error: cannot open source file \"d.h\"";
    assertFirst("file=a.cu, line=7, error=expected a \";\"", plain);
    assertFirst("file=b.h, line=12, error=identifier \"x\" is undefined", numbered);
    assertFirst("file=c.cu, line=1, error=cannot open source file \"d.h\"", fatal);
    assertFirst("file=z.cu, error=nvrtc: something else", "\nnvrtc: something else\n");
    assertFirst("file=z.cu, error=NVRTC_ERROR_X", "");
  }

  private static void assertFirst(String expected, String log) {
    String message = CompileLog.message("z.cu", "NVRTC_ERROR_X", List.of("-o"), log);
    String first = message.lines().findFirst().orElseThrow();
    assertTrue(first.startsWith("source does not compile: " + expected), first);
    assertTrue(first.endsWith("result=NVRTC_ERROR_X, options=[-o], expected=CUDA C++"), first);
    assertTrue(message.endsWith(log), message);
  }
}

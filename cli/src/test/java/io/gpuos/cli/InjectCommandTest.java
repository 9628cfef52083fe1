package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.npy.NpyFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code inject} as far as it goes without a GPU: the conformance suite runs operators. */
class InjectCommandTest {

  private static final String SWISH =
      """
      // gpuos: f32 swish(f32 x, f32 beta)
      __device__ float swish(float x, float beta) {
        return x / (1.0f + expf(-beta * x));
      }
      """;

  @TempDir private Path directory;
  private Path out;

  @BeforeEach
  void nameTheOutput() {
    out = directory.resolve("y.npy");
  }

  private Path write(String source) {
    try {
      return Files.writeString(directory.resolve("swish.cu"), source);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private Path save(String name, DType type, double... values) {
    Path file = directory.resolve(name + ".npy");
    Layout layout = Layout.contiguous(type, values.length);
    MemorySegment memory = MemorySegment.ofArray(new byte[(int) layout.byteSize()]);
    ElementCopy.fromDoubles(values, memory, 0, layout);
    NpyFile.write(file, layout, memory, 0);
    return file;
  }

  private Program.Result runOnCpu(Object... more) {
    Object[] all = new Object[more.length + 3];
    all[0] = "inject";
    all[1] = "--device";
    all[2] = "cpu";
    System.arraycopy(more, 0, all, 3, more.length);
    return Command.run(all);
  }

  private void assertRefused(Program.Result result, String expected) {
    assertAll(
        () -> assertEquals(2, result.exitCode()),
        () -> assertEquals("", result.out()),
        () ->
            assertTrue(result.err().lines().toList().getLast().startsWith("gpuos: "), result::err),
        () -> assertTrue(result.err().contains(expected), result::err),
        () -> assertTrue(Files.notExists(out)));
  }

  @Test
  void shouldCompileWithoutADevice() {
    Program.Result result = Command.run("inject", write(SWISH));
    assertEquals("", result.err());
    assertEquals(0, result.exitCode());
    assertTrue(
        result
            .out()
            .matches(
                "swish: f32 swish\\(f32 x, f32 beta\\)\\R"
                    + "compiled for sm_90 by NVRTC [0-9.]+: \\d+ bytes in [0-9.]+ (us|ms|s)\\R"),
        result::out);
  }

  @Test
  void shouldCompileForTheArchitectureAndTheNameGiven() {
    Program.Result result =
        Command.run("inject", write(SWISH), "--arch", "sm_80", "--name", "mine", "--json");
    assertEquals(0, result.exitCode(), result::err);
    Map<?, ?> document = (Map<?, ?>) JsonReader.read(result.out());
    assertEquals("mine", document.get("operator"));
    assertEquals("f32 swish(f32 x, f32 beta)", document.get("signature"));
    assertEquals("sm_80", document.get("architecture"));
    assertEquals(false, document.get("ran"));
    assertNull(document.get("device"));
    assertNull(document.get("run_us"));
    assertTrue(((Number) document.get("cubin_bytes")).intValue() > 1_000);
  }

  @Test
  void shouldSayThatRunningNeedsACudaDevice() {
    Path x = save("x", DType.F32, 1, 2, 3);
    Path beta = save("beta", DType.F32, 1);
    Object[] arguments = {
      write(SWISH), "--in", "x=" + x, "--in", "beta=" + beta, "--out", out, "--json"
    };
    Program.Result result = runOnCpu(arguments);
    assertEquals(2, result.exitCode());
    assertEquals(
        "gpuos: operator needs a CUDA device: operator=swish, device=cpu, expected=--device cuda:N"
            + " on a machine with a GPU; it was compiled for sm_90 and not run\n",
        result.err());
    Map<?, ?> document = (Map<?, ?>) JsonReader.read(result.out());
    assertEquals("cpu", document.get("device"));
    assertEquals(false, document.get("ran"));
    assertEquals(List.of(), document.get("outputs"));
    assertEquals(2, ((List<?>) document.get("inputs")).size());
    assertTrue(Files.notExists(out));
  }

  @Test
  void shouldCompileForADeviceThatIsNotThere() {
    Path x = save("x", DType.F32, 1);
    Program.Result result =
        Command.run(
            "inject",
            write(SWISH),
            "--in",
            "x=" + x,
            "--in",
            "beta=" + x,
            "--out",
            out,
            "--device",
            "cuda:4711");
    assertEquals(2, result.exitCode());
    assertTrue(result.out().contains("compiled for sm_90"), result::out);
    assertTrue(result.err().matches("gpuos: [^\\n]*=[^\\n]*\\R"), result::err);
  }

  @Test
  void shouldPrintTheCompilersLogAndTheLine() {
    Path source = write("// gpuos: f32 f(f32 x)\nfloat f(float x) {\n  return y;\n}\n");
    Program.Result result = Command.run("inject", source);
    assertRefused(result, "  return y;");
    assertTrue(
        result
            .err()
            .contains(
                "gpuos: source does not compile: file=swish.cu, line=3, error=identifier \"y\""),
        result::err);
  }

  @Test
  void shouldNameAFunctionThatIsNotInTheFile() {
    Program.Result result = Command.run("inject", write(SWISH), "--signature", "f32 swoosh(f32 x)");
    assertRefused(result, "identifier \"swoosh\" is undefined");
    assertRefused(
        Command.run("inject", write(SWISH), "--signature", "f32 swish(f32 x)"),
        "signature of f32 swish(f32 x)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "f32 swish          | malformed signature: signature=f32 swish",
        "swish(f32 x)       | malformed signature",
        "(f32 x) -> f32     | expected=TYPE NAME(TYPE NAME, ...)",
        "f31 swish(f32 x)   | type=f31",
        "f32 swish(x)       | parameter=x",
        "f32 swish(f32 x,)  | parameter=,",
        "f32 2swish(f32 x)  | name=2swish",
        "f32 f(f32 x,f32 x) | parameter=x",
        "f32 f(f32 a,f32 b,f32 c,f32 d,f32 e,f32 f,f32 g,f32 h,f32 i) | at most 8 parameters",
      })
  void shouldRefuseMalformedSignatures(String signature, String expected) {
    assertRefused(Command.run("inject", write(SWISH), "--signature", signature), expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "__device__ float swish(float x) { return x; }\n// gpuos: f32 swish(f32 x)",
        "/* gpuos: f32 swish(f32 x) */"
      })
  void shouldRefuseAFileWithoutSignature(String source) {
    assertRefused(Command.run("inject", write(source)), "no signature: file=");
  }

  @Test
  void shouldFindTheSignatureAmongTheFirstComments() {
    Path source = write("\n// Copyright\n\n" + SWISH);
    assertEquals(0, Command.run("inject", source).exitCode());
  }

  @Test
  void shouldRefuseFilesItCannotRead() throws IOException {
    assertRefused(Command.run("inject", directory.resolve("none.cu")), "cannot read");
    assertRefused(Command.run("inject", directory), "cannot read");
    Path binary = directory.resolve("b.cu");
    Files.write(binary, new byte[] {'/', '/', (byte) 0xff, (byte) 0xfe});
    assertRefused(Command.run("inject", binary), "not text");
    Files.write(binary, "// gpuos: f32 f(f32 x)\n\0".getBytes(StandardCharsets.UTF_8));
    assertRefused(Command.run("inject", binary), "source is no text");
  }

  @Test
  void shouldRefuseInputsThatDoNotFitTheSignature() {
    Path source = write(SWISH);
    Path x = save("x", DType.F32, 1, 2, 3);
    Path wide = save("wide", DType.F64, 1, 2, 3);
    Path two = save("two", DType.F32, 1, 2);
    assertRefused(runOnCpu(source, "--in", "x=" + x, "--out", out), "input not given: name=beta");
    assertRefused(
        runOnCpu(source, "--in", "x=" + x, "--in", "b=" + x, "--in", "beta=" + x, "--out", out),
        "input not in the operator: name=b");
    assertRefused(
        runOnCpu(source, "--in", "x=" + wide, "--in", "beta=" + x, "--out", out),
        "x=f64, expected=f32 for x");
    assertRefused(runOnCpu(source, "--in", "x=" + x, "--in", "beta=" + two, "--out", out), "x=[3]");
    assertRefused(runOnCpu(source, "--in", "x=" + x), "no output: --in=x=");
    assertRefused(
        runOnCpu(
            source,
            "--in",
            "x=" + x,
            "--in",
            "beta=" + x,
            "--out",
            directory.resolve("none/y.npy")),
        "no such directory");
    assertRefused(Command.run("inject", source, "--name", "two words"), "two words");
  }

  @Test
  void shouldRefuseArchitecturesTheCompilerDoesNotKnow() {
    assertRefused(Command.run("inject", write(SWISH), "--arch", "sm_1"), "sm_1");
  }
}

package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.npy.NpyArray;
import io.gpuos.npy.NpyFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class RunCommandTest {

  @TempDir private Path directory;
  private Path out;

  @BeforeEach
  void nameTheOutput() {
    out = directory.resolve("y.npy");
  }

  private Path save(String name, Layout layout, double... values) {
    Path file = directory.resolve(name + ".npy");
    MemorySegment memory = MemorySegment.ofArray(new byte[(int) layout.byteSize()]);
    ElementCopy.fromDoubles(values, memory, 0, layout);
    NpyFile.write(file, layout, memory, 0);
    return file;
  }

  private Path save(String name, DType type, double... values) {
    return save(name, Layout.contiguous(type, values.length), values);
  }

  /** What is in a file: type and shape, then the elements in row-major order. */
  private static String load(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      NpyArray array = NpyFile.read(file, arena);
      double[] values = ElementCopy.toDoubles(array.data(), 0, array.layout());
      return array.dtype() + Arrays.toString(array.shape()) + " " + Arrays.toString(values);
    }
  }

  /** {@code run} on the CPU device; {@code arguments} after the expression. */
  private static Program.Result run(String expression, Object... arguments) {
    List<Object> all = new ArrayList<>(List.of("run", expression, "--device", "cpu"));
    all.addAll(List.of(arguments));
    return Command.run(all.toArray());
  }

  private static void assertRefused(Program.Result result, String expected) {
    assertAll(
        () -> assertEquals(2, result.exitCode()),
        () -> assertEquals("", result.out()),
        () -> assertTrue(result.err().matches("gpuos: [^\\n]*: [^\\n]*=[^\\n]*\\R"), result::err),
        () -> assertTrue(result.err().contains(expected), result::err));
  }

  // ---- what it computes -----------------------------------------------------------------------

  @Test
  void shouldComputeTheIssuesExample() {
    Path a = save("a", Layout.contiguous(DType.F32, 2, 2), 1, 2, 3, 4);
    Path b = save("b", DType.F32, 2, -3);
    Path c = save("c", Layout.contiguous(DType.F32, 2, 1), 0.5, 10);
    Program.Result result =
        run("relu(a*b + c)", "--in", "a=" + a, "--in", "b=" + b, "--in", "c=" + c, "--out", out);
    assertEquals("F32[2, 2] [2.5, 0.0, 16.0, 0.0]", load(out));
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(
        result.out().matches("wrote .*y.npy f32\\[2, 2\\], computed on cpu in [0-9.]+ [num]?s\\R"),
        result::out);
    assertEquals("", result.err());
  }

  @ParameterizedTest
  @EnumSource(names = "BF16", mode = EnumSource.Mode.EXCLUDE)
  void shouldReadAndWriteEveryTypeInBothOrders(DType type) {
    double[] values = {0, 1, 1, 0, 1, 1};
    Path c = save("c", Layout.contiguous(type, 2, 3), values);
    Path f = save("f", Layout.columnMajor(type, 2, 3), values);
    String expected = type + "[2, 3] " + Arrays.toString(values);
    assertEquals(0, run("c * f", "--in", "c=" + c, "--in", "f=" + f, "--out", out).exitCode());
    assertEquals(expected, load(out));
    assertEquals(0, run("maximum(f, f)", "--in", "f=" + f, "--out", out).exitCode());
    assertEquals(expected, load(out));
  }

  @Test
  void shouldKeepTheExtremesOfIntegers() throws IOException {
    Path a = directory.resolve("a.npy");
    long[] values = {Long.MIN_VALUE, -1, Long.MAX_VALUE};
    NpyFile.write(a, Layout.contiguous(DType.I64, 3), MemorySegment.ofArray(values), 0);
    assertEquals(0, run("a + 1", "--in", "a=" + a, "--out", out).exitCode());
    try (Arena arena = Arena.ofConfined()) {
      NpyArray array = NpyFile.read(out, arena);
      assertArrayEquals(
          new long[] {Long.MIN_VALUE + 1, 0, Long.MIN_VALUE},
          ElementCopy.toLongs(array.data(), 0, array.layout()));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sum(x, axis=-1, keepdim=true) | F32[2, 1] [6.0, 15.0]",
        "mean(x) | F32[] [3.5]",
        "argmax(x, axis=0) | I64[3] [1.0, 1.0, 1.0]",
        "x > 3 | BOOL[2, 3] [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]",
        "cast(x, i8) // 2 | I8[2, 3] [0.0, 1.0, 1.0, 2.0, 2.0, 3.0]",
        "cast(x, f16) | F16[2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]",
        "t = x - max(x, axis=1, keepdim=true); t * t | F32[2, 3] [4.0, 1.0, 0.0, 4.0, 1.0, 0.0]",
        "cast(cast(x, bf16), f64) | F64[2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]",
      })
  void shouldTakeTheTypeFromTheExpression(String expression, String expected) {
    Path x = save("x", Layout.contiguous(DType.F32, 2, 3), 1, 2, 3, 4, 5, 6);
    Program.Result result = run(expression, "--in", "x=" + x, "--out", out);
    assertEquals(0, result.exitCode(), result::err);
    assertEquals(expected, load(out));
  }

  @Test
  void shouldWriteOneFileForEachExpression() {
    Path a = save("a", DType.F32, 1, -2);
    Path other = directory.resolve("z.npy");
    Program.Result result = run("sum(a), relu(a)", "--in", "a=" + a, "--out", out, "--out", other);
    assertEquals(0, result.exitCode(), result::err);
    assertEquals("F32[] [-1.0]", load(out));
    assertEquals("F32[2] [1.0, 0.0]", load(other));
    assertTrue(result.out().contains("y.npy f32[], "), result::out);
    assertTrue(result.out().contains("z.npy f32[2], computed"), result::out);
  }

  @Test
  void shouldComputeWithoutElementsWithoutInputsAndOnScalars() {
    Path empty = save("e", Layout.contiguous(DType.F32, 0, 3));
    Path scalar = save("s", Layout.contiguous(DType.F64), 2.5);
    assertEquals(0, run("e + 1", "--in", "e=" + empty, "--out", out).exitCode());
    assertEquals("F32[0, 3] []", load(out));
    assertEquals(0, run("sum(e, axis=0)", "--in", "e=" + empty, "--out", out).exitCode());
    assertEquals("F32[3] [0.0, 0.0, 0.0]", load(out));
    assertEquals(0, run("s * 2", "--in", "s=" + scalar, "--out", out).exitCode());
    assertEquals("F64[] [5.0]", load(out));
    assertEquals(0, run("1 + 2", "--out", out).exitCode());
    assertEquals("I64[] [3.0]", load(out));
  }

  @Test
  void shouldWriteOverItsOwnInput() {
    Path a = save("a", DType.F32, DoubleStream.iterate(0, x -> x + 1).limit(100_000).toArray());
    assertEquals(0, run("a * 0 + 7", "--in", "a=" + a, "--out", a).exitCode());
    assertTrue(load(a).startsWith("F32[100000] [7.0, 7.0, "));
  }

  @Test
  void shouldDescribeTheRunInJson() {
    Path a = save("a", Layout.contiguous(DType.F32, 2, 2), 1, 2, 3, 4);
    Program.Result result = run("a + 1", "--in", "a=" + a, "--out", out, "--json");
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    assertEquals("cpu", json.get("device"));
    assertEquals("a + 1", json.get("expression"));
    assertEquals(
        List.of(
            Map.of(
                "name",
                "output 0",
                "file",
                out.toString(),
                "dtype",
                "f32",
                "shape",
                List.of(2.0, 2.0))),
        json.get("outputs"));
    assertTrue((double) json.get("run_us") > 0);
  }

  @ParameterizedTest
  @CsvSource({
    "-h*2, h, '[-2.0, 4.0]'",
    "-h, h, '[-1.0, 2.0]'",
    "-V, V, '[-1.0, 2.0]'",
    "--h, h, '[1.0, -2.0]'",
    "-a**2, a, '[-1.0, -4.0]'",
    "-out, out, '[-1.0, 2.0]'",
    "--json*2, json, '[2.0, -4.0]'",
    "-1, x, ''",
  })
  void shouldTakeExpressionsThatBeginWithAMinus(String expression, String name, String expected) {
    Path file = save(name, DType.F32, 1, -2);
    Program.Result result =
        expected.isEmpty()
            ? run(expression, "--out", out)
            : run(expression, "--in", name + "=" + file, "--out", out);
    assertEquals(0, result.exitCode(), result::err);
    assertEquals(expected.isEmpty() ? "I64[] [-1.0]" : "F32[2] " + expected, load(out));
  }

  @Test
  void shouldTakeAnExpressionThatIsAnOptionAfterTwoMinuses() {
    Path json = save("json", DType.F32, 1, -2);
    Program.Result result =
        Command.run("run", "--device", "cpu", "--in", "json=" + json, "--out", out, "--", "--json");
    assertEquals(0, result.exitCode(), result::err);
    assertEquals("F32[2] [1.0, -2.0]", load(out));
  }

  @Test
  void shouldNotTakeOptionsForExpressions() {
    Path h = save("h", DType.F32, 1, -2);
    Program.Result unknown = run("h", "--in", "h=" + h, "--out", out, "--jsn");
    assertEquals(2, unknown.exitCode());
    assertTrue(unknown.err().contains("--jsn"), unknown::err);
    Program.Result alone = Command.run("run", "-h");
    assertEquals(2, alone.exitCode());
    assertTrue(alone.err().contains("gpuos run --help"), alone::err);
    assertTrue(Files.notExists(out));
  }

  @Test
  void shouldWriteAllOutputsOrNone() throws IOException {
    Path a = save("a", DType.F32, 1, 2);
    Files.writeString(out, "before");
    Program.Result result = run("a, a", "--in", "a=" + a, "--out", out, "--out", "/dev/full");
    assertEquals(2, result.exitCode());
    assertTrue(result.err().contains("cannot write: file=/dev/full, reason="), result::err);
    assertEquals("before", Files.readString(out));
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(2, files.count());
    }
  }

  @Test
  void shouldRefuseOutputsThatAreOneFileBehindLinks() throws IOException {
    Path a = save("a", DType.F32, 1, 2);
    Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("y.npy"));
    assertRefused(run("a, a", "--in", "a=" + a, "--out", out, "--out", link), "output given twice");
    assertEquals(
        0, run("a, a", "--in", "a=" + a, "--out", "/dev/null", "--out", "/dev/null").exitCode());
  }

  @Test
  void shouldSayWhyInOneLineHoweverTheExpressionIsWritten() {
    Path a = save("a", DType.F32, 1, 2);
    Program.Result lines = run("a +\n b", "--in", "a=" + a, "--out", out);
    assertRefused(lines, "expression=a + b, expected=--in b=FILE");
    String sum = "a" + " + a".repeat(30_000);
    Program.Result twice = run(sum, "--in", "a=" + a, "--out", out, "--out", a);
    assertRefused(twice, "number of outputs: --out=2, expression=a + a");
    assertTrue(twice.err().length() < 400, twice::err);
  }

  @Test
  void shouldSayNothingBesideResultsWhenAskedForQuiet() {
    Path a = save("a", DType.F32, 1, 2);
    Program.Result quiet =
        Command.run("run", "a", "--device", "cpu", "--in", "a=" + a, "--out", out, "--quiet");
    assertEquals(0, quiet.exitCode());
    assertEquals("", quiet.err());
    assertFalse(System.getLogger("io.gpuos").isLoggable(System.Logger.Level.INFO));
    run("a", "--in", "a=" + a, "--out", out);
    assertTrue(System.getLogger("io.gpuos").isLoggable(System.Logger.Level.INFO));
  }

  // ---- bad input --------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "frob(x) | unknown function: name=frob",
        "atan2(x) | wrong number of arguments: function=atan2",
        "x + y | shapes do not broadcast: function=add, x=[2, 3], y=[4]",
        "shift_left(x, 1) | type has no meaning",
        "sum(x, axis=2) | axis",
        "relu(x | column=7, expected=) or ,",
        "sum(x, axis=[0 | expected=] or ,",
        "'' | expected",
        "cast(x, f31) | expected=one of f64, f32",
        "cast(x, bf16) | cast(x, f32)",
        "x, x | number of outputs",
      })
  void shouldRefuseExpressions(String expression, String expected) {
    Path x = save("x", Layout.contiguous(DType.F32, 2, 3), 1, 2, 3, 4, 5, 6);
    Path y = save("y1", DType.F32, 1, 2, 3, 4);
    Object[] inputs =
        expression.contains("y")
            ? new Object[] {"--in", "x=" + x, "--in", "y=" + y, "--out", out}
            : new Object[] {"--in", "x=" + x, "--out", out};
    assertRefused(run(expression, inputs), expected);
    assertTrue(Files.notExists(out));
  }

  @Test
  void shouldRefuseInputsThatDoNotFitTheExpression() {
    Path a = save("a", DType.F32, 1);
    assertRefused(run("a + b", "--in", "a=" + a, "--out", out), "input not given: name=b");
    assertRefused(
        run("a", "--in", "a=" + a, "--in", "b=" + a, "--out", out),
        "input not in the expression: name=b");
    assertRefused(
        run("a", "--in", "a=" + a, "--in", "a=" + a, "--out", out), "input given twice: name=a");
    for (String malformed : List.of("a", "=" + a, "a=", "")) {
      assertRefused(run("a", "--in", malformed, "--out", out), "malformed input");
    }
    assertRefused(run("a", "--in", "a=\0", "--out", out), "not a path");
    assertRefused(run("a", "--in", "a=" + a, "--out", "\0"), "not a path: path=");
  }

  @Test
  void shouldRefuseFilesItCannotRead() throws IOException {
    Path a = save("a", DType.F32, 1, 2, 3);
    byte[] bytes = Files.readAllBytes(a);
    Path truncated = Files.write(directory.resolve("t"), Arrays.copyOf(bytes, bytes.length - 1));
    Path text = Files.writeString(directory.resolve("x"), "no array at all");
    Path nothing = Files.createFile(directory.resolve("n"));
    assertRefused(
        run("a", "--in", "a=" + directory.resolve("none.npy"), "--out", out), "no such file");
    assertRefused(run("a", "--in", "a=" + directory, "--out", out), "a directory");
    assertRefused(run("a", "--in", "a=" + truncated, "--out", out), "truncated .npy file");
    assertRefused(run("a", "--in", "a=" + text, "--out", out), "not a .npy file");
    assertRefused(run("a", "--in", "a=" + nothing, "--out", out), "an empty file");
    assertTrue(Files.notExists(out));
  }

  @Test
  void shouldRefuseOutputsItCannotWriteBeforeItComputes() throws IOException {
    Path a = save("a", DType.F32, 1);
    assertRefused(
        run("a", "--in", "a=" + a, "--out", directory.resolve("none/y.npy")), "no such directory");
    assertRefused(run("a", "--in", "a=" + a, "--out", directory), "a directory");
    assertRefused(run("a", "--in", "a=" + a, "--out", "/proc/y.npy"), "cannot write");
    assertRefused(
        run("a, a", "--in", "a=" + a, "--out", out, "--out", directory + "/./y.npy"),
        "output given twice");
    assertRefused(
        run("a, a", "--in", "a=" + a, "--out", out, "--out", directory.resolve("none/y.npy")),
        "no such directory");
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(List.of(a), files.toList());
    }
  }

  @Test
  void shouldRefuseResultsThatFitNoMemory() {
    double[] values = new double[1 << 17];
    Path wide = save("w", Layout.contiguous(DType.F64, 1 << 17, 1, 1), values);
    Path tall = save("t", Layout.contiguous(DType.F64, 1 << 17, 1), values);
    Path deep = save("d", DType.F64, values);
    Object[] arguments = {
      "--in", "w=" + wide, "--in", "t=" + tall, "--in", "d=" + deep, "--out", out
    };
    assertRefused(run("w + t + d", arguments), "out of memory: device=cpu");
    assertEquals(0, run("sum(w) + sum(t) + d", arguments).exitCode());
  }

  @ParameterizedTest
  @CsvSource({
    "cuda:4711, expected=",
    "cuda:-1, unknown device: device=cuda:-1",
    "cuda:+1, unknown device: device=cuda:+1",
    "cuda:01, unknown device: device=cuda:01",
    "cuda:\uff14, unknown device: device=cuda:\uff14",
    "cuda:4294967295, unknown device: device=cuda:4294967295",
    "cuda:99999999999, N is 0",
    "gpu, unknown device",
    "'', ''"
  })
  void shouldRefuseDevicesThatAreNotThere(String device, String expected) {
    Path a = save("a", DType.F32, 1);
    assertRefused(
        Command.run("run", "a", "--in", "a=" + a, "--out", out, "--device", device), expected);
  }
}

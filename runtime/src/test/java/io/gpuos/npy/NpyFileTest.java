package io.gpuos.npy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.file.OutputFiles;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Elements;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NpyFileTest {

  private static final List<DType> TYPES =
      Arrays.stream(DType.values()).filter(type -> type != DType.BF16).toList();

  @TempDir private Path directory;

  @Test
  void shouldReturnWhatWasWritten() {
    for (DType type : TYPES) {
      for (View view : views(Layout.contiguous(type, 3, 4, 5))) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment memory = counting(arena, type, 60);
          Path file = directory.resolve("x.npy");
          NpyFile.write(file, view.layout(), memory, view.elementOffset() * type.bytes());
          NpyArray read = NpyFile.read(file, arena);
          assertEquals(type, read.dtype());
          assertArrayEquals(view.layout().shape(), read.shape());
          assertArrayEquals(
              ElementCopy.toDoubles(memory, view.elementOffset() * type.bytes(), view.layout()),
              ElementCopy.toDoubles(read.data(), 0, read.layout()),
              view::toString);
        }
      }
    }
  }

  @Test
  void shouldKeepColumnMajorOrder() {
    Layout columns = Layout.columnMajor(DType.I32, 2, 3);
    MemorySegment memory = MemorySegment.ofArray(new int[] {0, 10, 1, 11, 2, 12});
    Path file = directory.resolve("x.npy");
    NpyFile.write(file, columns, memory, 0);
    NpyArray read = NpyFile.read(file, Arena.ofAuto());
    assertTrue(read.fortranOrder());
    assertEquals(columns, read.layout());
    assertEquals(-1, memory.mismatch(read.data()));
  }

  @Test
  void shouldWriteTheHeaderNumPyWrites() throws IOException {
    Path file = directory.resolve("x.npy");
    NpyFile.write(file, Layout.contiguous(DType.F32, 2, 3), MemorySegment.ofArray(new float[6]), 0);
    byte[] bytes = Files.readAllBytes(file);
    assertEquals(128 + 24, bytes.length);
    String header = new String(bytes, 10, 118, StandardCharsets.US_ASCII);
    assertEquals(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", header.stripTrailing());
    assertTrue(header.endsWith(" \n"));
    assertEquals(118, bytes[8]);
  }

  @Test
  void shouldGatherAnyNumberOfRowsAtATime() {
    Layout turned = View.of(Layout.contiguous(DType.I16, 5, 7, 3)).permute(1, 2, 0).layout();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = counting(arena, DType.I16, 105);
      long[] expected = ElementCopy.toLongs(memory, 0, turned);
      for (long chunk : new long[] {1, 7, 30, 60, 64, 1 << 20}) {
        Path file = directory.resolve("x" + chunk + ".npy");
        try (OutputFiles files = new OutputFiles()) {
          new NpyWriter(file, chunk).write(files, turned, memory, 0);
          files.commit();
        }
        NpyArray read = NpyFile.read(file, arena);
        assertArrayEquals(expected, ElementCopy.toLongs(read.data(), 0, read.layout()));
      }
    }
  }

  @Test
  void shouldReplaceAFileThatIsBeingRead() throws IOException {
    Path file = directory.resolve("x.npy");
    Layout line = Layout.contiguous(DType.I32, 1 << 16);
    int[] values = IntStream.range(0, 1 << 16).toArray();
    NpyFile.write(file, line, MemorySegment.ofArray(values), 0);
    try (Arena arena = Arena.ofConfined()) {
      NpyArray old = NpyFile.read(file, arena);
      View backwards = View.of(line).flip(0);
      NpyFile.write(file, backwards.layout(), old.data(), backwards.elementOffset() * 4);
      assertArrayEquals(values, ElementCopy.toInts(old.data(), 0, line));
      int[] replaced = ElementCopy.toInts(NpyFile.read(file, arena).data(), 0, line);
      assertEquals(values.length - 1, replaced[0]);
      assertEquals(0, replaced[values.length - 1]);
    }
    try (var files = Files.list(directory)) {
      assertEquals(1, files.count(), "nothing is left beside the file");
    }
  }

  @Test
  void shouldWriteThroughASymbolicLink() throws IOException {
    Path target = Files.createFile(directory.resolve("target.npy"));
    Path link = Files.createSymbolicLink(directory.resolve("link.npy"), Path.of("target.npy"));
    NpyFile.write(link, Layout.contiguous(DType.I8, 3), MemorySegment.ofArray(new byte[3]), 0);
    assertTrue(Files.isSymbolicLink(link));
    assertArrayEquals(new long[] {3}, NpyFile.read(target, Arena.ofAuto()).shape());
  }

  @Test
  void shouldReadAnyByteOfABooleanAsZeroOrOne() throws IOException {
    Path file = directory.resolve("x.npy");
    NpyFile.write(
        file, Layout.contiguous(DType.BOOL, 4), MemorySegment.ofArray(new byte[] {0, 1, 7, -1}), 0);
    NpyArray read = NpyFile.read(file, Arena.ofAuto());
    assertEquals(-1, read.data().mismatch(MemorySegment.ofArray(new byte[] {0, 1, 1, 1})));
  }

  @Test
  void shouldReadFilesBeyondTwoGigabytes() throws IOException {
    long elements = (5L << 30) / 8;
    Path file = directory.resolve("large.npy");
    String header =
        new NpyHeader(
                Layout.contiguous(DType.F64, elements), java.nio.ByteOrder.LITTLE_ENDIAN, false)
            .text();
    // Sparse: takes no room on disk.
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.write(NpyReader.MAGIC);
      sparse.write(new byte[] {1, 0, (byte) header.length(), 0});
      sparse.write(header.getBytes(StandardCharsets.US_ASCII));
      long dataAt = sparse.getFilePointer();
      sparse.setLength(dataAt + elements * 8);
      sparse.seek(dataAt + (elements - 1) * 8);
      sparse.writeLong(Long.reverseBytes(Double.doubleToRawLongBits(42.5)));
    }
    try (Arena arena = Arena.ofConfined()) {
      NpyArray read = NpyFile.read(file, arena);
      assertEquals(elements * 8, read.data().byteSize());
      assertEquals(0, Elements.getDouble(read.data(), 0, DType.F64));
      assertEquals(42.5, Elements.getDouble(read.data(), (elements - 1) * 8, DType.F64));
    }
  }

  @Test
  void shouldBeReadByNumPy() throws IOException, InterruptedException {
    assumeTrue(python("import numpy").isEmpty(), "python3 with numpy is not installed");
    try (Arena arena = Arena.ofConfined()) {
      for (DType type : TYPES) {
        MemorySegment memory = counting(arena, type, 24);
        Layout rows = Layout.contiguous(type, 2, 3, 4);
        NpyFile.write(directory.resolve(type + "_c.npy"), rows, memory, 0);
        View turned = View.of(Layout.contiguous(type, 4, 3, 2)).transpose(0, 2);
        NpyFile.write(directory.resolve(type + "_f.npy"), turned.layout(), memory, 0);
      }
    }
    String script =
        """
        import numpy as np, sys
        codes = dict(F64="<f8", F32="<f4", F16="<f2", I64="<i8", I32="<i4", I16="<i2", I8="|i1",
                     U8="|u1", BOOL="|b1")
        for name, code in codes.items():
            i = np.arange(24)
            want = (i % 3 == 0) if name == "BOOL" else i * 3 if name == "U8" else i * 3 - 20
            for order in "CF":
                got = np.load(f"{sys.argv[1]}/{name}_{order.lower()}.npy")
                assert got.dtype.str == code, (name, got.dtype)
                assert got.flags.c_contiguous == (order == "C"), name
                assert np.array_equal(got, want.astype(code).reshape(2, 3, 4, order=order)), name
        """;
    assertEquals("", python(script, directory.toString()));
  }

  /** Element i of a segment: small, negative where the type has a sign. */
  private static MemorySegment counting(Arena arena, DType type, int elements) {
    MemorySegment memory = arena.allocate((long) elements * type.bytes());
    for (int i = 0; i < elements; i++) {
      long value =
          type == DType.BOOL ? (i % 3 == 0 ? 1 : 0) : type == DType.U8 ? i * 3 : i * 3 - 20;
      Elements.setLong(memory, (long) i * type.bytes(), type, value);
    }
    return memory;
  }

  private static List<View> views(Layout whole) {
    View view = View.of(whole);
    return List.of(
        view,
        view.transpose(0, 2),
        view.permute(1, 0, 2),
        view.slice(2, 1, 5, 2),
        view.flip(0).flip(1),
        view.select(1, 2),
        view.narrow(1, 0, 0),
        view.select(0, 1).select(0, 1).select(0, 1),
        view.narrow(0, 1, 1).expand(4, 4, 5));
  }

  /** What a script wrote to its error stream, or a remark if there is no Python. */
  private static String python(String... scriptAndArguments)
      throws IOException, InterruptedException {
    List<String> command = new java.util.ArrayList<>(List.of("python3", "-c"));
    command.addAll(List.of(scriptAndArguments));
    Process process;
    try {
      process = new ProcessBuilder(command).start();
    } catch (IOException e) {
      return "no python3: " + e.getMessage();
    }
    String errors = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return process.exitValue() == 0 ? "" : "exit " + process.exitValue() + ": " + errors;
  }
}

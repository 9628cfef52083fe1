package io.gpuos.npy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.gpuos.error.FileFormatException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NpyErrorsTest {

  private static final String GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";

  @TempDir private Path directory;

  @Test
  void shouldRefuseWhatIsNotAFile() {
    assertRefused(
        "cannot read: file=%s, found=no such file, expected=an existing .npy file",
        directory.resolve("missing.npy"));
    assertRefused("cannot read: file=%s, found=a directory, expected=a .npy file", directory);
  }

  @Test
  void shouldRefuseAFileWithoutPermission() throws IOException {
    Path file = file(version1(GOOD, 12));
    assertTrue(file.toFile().setReadable(false));
    assumeFalse(Files.isReadable(file), "this user may read everything");
    assertRefused(
        "cannot read: file=%s, reason=permission denied, expected=a file that can be read", file);
  }

  @Test
  void shouldRefuseOtherFormats() throws IOException {
    assertRefused(
        "not a .npy file: file=%s, found=an empty file,"
            + " expected=the .npy magic \\x93NUMPY first",
        file(new byte[0]));
    assertRefused(
        "not a .npy file: file=%s, found=1.5,\\x0a2, expected=the .npy magic \\x93NUMPY first",
        file("1.5,\n2.5\n".getBytes(StandardCharsets.US_ASCII)));
    assertRefused(
        "not a .npy file: file=%s, found=a zip archive, expected=one array: unpack the .npz",
        file("PK\3\4 and more".getBytes(StandardCharsets.US_ASCII)));
    byte[] future = version1(GOOD, 12);
    future[6] = 4;
    assertRefused(
        "unsupported .npy version: file=%s, version=4.0, expected=1.0, 2.0 or 3.0", file(future));
    future[6] = 0;
    assertRefused(
        "unsupported .npy version: file=%s, version=0.0, expected=1.0, 2.0 or 3.0", file(future));
  }

  @Test
  void shouldCountMissingAndSpareBytes() throws IOException {
    assertRefused(
        "truncated .npy file: file=%s, found=11 bytes of data, expected=12 bytes",
        file(version1(GOOD, 11)));
    assertRefused(
        "bytes after the data: file=%s, found=13 bytes, expected=12 bytes of data",
        file(version1(GOOD, 13)));
    byte[] whole = version1(GOOD, 12);
    for (int length = 1; length < whole.length; length++) {
      Path file = file(Arrays.copyOf(whole, length));
      String message = refusal(file);
      assertTrue(message.startsWith("truncated .npy file: "), length + ": " + message);
    }
  }

  @Test
  void shouldNotTrustTheHeaderLength() throws IOException {
    ByteBuffer huge = ByteBuffer.allocate(100).order(ByteOrder.LITTLE_ENDIAN);
    huge.put(NpyReader.MAGIC).put((byte) 2).put((byte) 0).putInt(-1);
    assertRefused(
        "malformed .npy header: file=%s, length=4294967295, expected=at most 65535",
        file(huge.array()));
    huge.putInt(8, 60_000);
    assertRefused(
        "truncated .npy file: file=%s, found=88 bytes of header, expected=60000 bytes",
        file(huge.array()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'shape': (3,), 'fortran_order': False, 'descr': '<f4'}",
        "  {  \"descr\"  :  \"<f4\"  , 'fortran_order':False,'shape':(3L,)}  ",
        "{'descr': 'f4', 'fortran_order': True, 'shape': (3, 1), }",
        "{'descr': '=f4', 'fortran_order': True, 'shape': (1, 3, ), }",
      })
  void shouldReadEveryWayToWriteAHeader(String header) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      NpyArray array = NpyFile.read(file(version1(header, 12)), arena);
      assertEquals(DType.F32, array.dtype());
      assertEquals(3, array.layout().elements());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "}",
        "nonsense",
        "{}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } trailing",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3], }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 3, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3.0,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3 3), }",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': false, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, }",
        "{'descr': '<f4', 'shape': (3,), }",
        "{'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1, }",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (3,), }",
        "{'descr': <f4, 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (3,), }",
        "{'descr' '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ((3,),), }",
        "__import__('os').abort()",
      })
  void shouldRefuseMalformedHeaders(String header) throws IOException {
    String message = refusal(file(version1(header, 12)));
    assertTrue(message.startsWith("malformed .npy header: file="), message);
  }

  @Test
  void shouldNotFollowDeepBrackets() throws IOException {
    String deep = "(".repeat(60_000);
    String message = refusal(file(version1("{'shape': " + deep, 0)));
    assertTrue(message.startsWith("malformed .npy header: "), message);
    assertTrue(message.length() < 400, message);
    message = refusal(file(version1("{'descr': " + deep, 0)));
    assertTrue(message.startsWith("unsupported element type: "), message);
    assertTrue(message.length() < 400, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "(9223372036854775807, 2) | size overflow: file=",
        "(9223372036854775808,) | size overflow: file=",
        "(99999999999999999999999999999999,) | size overflow: file=",
        "(4294967296, 0, 4294967296) | size overflow: file=",
        "(2305843009213693952,) | size overflow: file=",
        "(1, 1, 1, 1, 1, 1, 1, 1, 1) | too many dimensions: file=",
        "(1000000000000,) | truncated .npy file: file=",
      })
  void shouldRefuseShapesBeyondReach(String shape, String rule) throws IOException {
    String header = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }".formatted(shape);
    String message = refusal(file(version1(header, 12)));
    assertTrue(message.startsWith(rule), message);
    message = refusal(file(version1(header.replace("False", "True"), 12)));
    assertTrue(message.startsWith(rule), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "<", "<f", "<f16", "<u2", "<c8", "|V4", "<M8[ns]", "f4 ", "<<f4"})
  void shouldRefuseUnknownElementTypes(String descr) throws IOException {
    String message = refusal(file(version1(GOOD.replace("<f4", descr), 12)));
    assertTrue(message.startsWith("unsupported element type: file="), message);
    assertTrue(message.contains("descr='" + descr + "', expected=one of b1, i1,"), message);
  }

  @Test
  void shouldKeepEveryMessageOnOneLine() throws IOException {
    Path odd = directory.resolve("two\nlines\u2028$1.npy");
    Files.write(odd, version1(GOOD.replace("<f4", "<\n\u0085\u001b[2J"), 12));
    String message = refusal(odd);
    assertEquals(1, message.lines().count());
    assertTrue(message.contains("two?lines?$1.npy"), message);
    assertFalse(message.chars().anyMatch(Character::isISOControl), message);
    Files.write(odd, version1(GOOD.replace("3", "1, 1, 1, 1, 1, 1, 1, 1, 1"), 12));
    assertTrue(refusal(odd).contains("two?lines?$1.npy"));
    Files.write(odd, version1(GOOD.replace("3", "9223372036854775807, 9"), 12));
    assertTrue(refusal(odd).contains("two?lines?$1.npy"));
  }

  @Test
  void shouldRefuseTextThatIsNotUtf8InVersion3() throws IOException {
    byte[] bytes = {'{', (byte) 0xff, (byte) 0xfe, '}'};
    ByteBuffer file = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    file.put(NpyReader.MAGIC).put((byte) 3).put((byte) 0).putInt(4).put(bytes);
    assertRefused(
        "malformed .npy header: file=%s, found=no UTF-8 text, expected=UTF-8 text",
        file(file.array()));
  }

  @Test
  void shouldThrowNothingElseForDamagedFiles() throws IOException {
    byte[] whole = version1(GOOD, 12);
    Random random = new Random(10);
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
      byte[] damaged = whole.clone();
      for (int n = 1 + random.nextInt(3); n > 0; n--) {
        damaged[random.nextInt(whole.length - 12)] = (byte) random.nextInt(256);
      }
      try (Arena arena = Arena.ofConfined()) {
        NpyFile.read(file(damaged), arena);
      } catch (FileFormatException e) {
        assertEquals(1, e.getMessage().lines().count());
        refused++;
      }
    }
    assertTrue(refused > 1000, "" + refused);
  }

  @Test
  void shouldRefusePathsThatCannotBeWritten() throws IOException {
    assertUnwritable(
        "cannot write: file=%s, found=no such directory, expected=a path in an existing directory",
        directory.resolve("none/y.npy"));
    assertUnwritable(
        "cannot write: file=%s, found=a directory, expected=the path of a file", directory);
    Path file = Files.createFile(directory.resolve("y"));
    assertUnwritable(
        "cannot write: file=%s, found=no such directory, expected=a path in an existing directory",
        file.resolve("z.npy"));
  }

  @Test
  void shouldRefuseAReadOnlyDirectory() throws IOException {
    Path closed = Files.createDirectory(directory.resolve("closed"));
    assertTrue(closed.toFile().setWritable(false));
    assumeFalse(Files.isWritable(closed), "this user may write everything");
    assertUnwritable(
        "cannot write: file=%s, reason=permission denied, expected=a path that can be written",
        closed.resolve("y.npy"));
  }

  @Test
  void shouldRefuseTypesWithoutAName() {
    Path file = directory.resolve("y.npy");
    FileFormatException e =
        assertThrows(
            FileFormatException.class,
            () ->
                NpyFile.write(
                    file,
                    Layout.contiguous(DType.BF16, 2),
                    MemorySegment.ofArray(new short[2]),
                    0));
    assertEquals(
        "element type has no .npy form: file="
            + file
            + ", dtype=BF16, expected=another type; convert the result: cast(x, f32)",
        e.getMessage());
  }

  @Test
  void shouldLeaveTheOldFileWhenWritingFails() throws IOException {
    Path file = file(version1(GOOD, 12));
    byte[] before = Files.readAllBytes(file);
    MemorySegment tooShort = MemorySegment.ofArray(new float[3]);
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> NpyFile.write(file, Layout.contiguous(DType.F32, 4), tooShort, 0));
    assertArrayEquals(before, Files.readAllBytes(file));
    try (var files = Files.list(directory)) {
      assertEquals(1, files.count());
    }
  }

  private void assertRefused(String format, Path file) {
    assertEquals(format.formatted(file), refusal(file));
  }

  private static String refusal(Path file) {
    return assertThrows(FileFormatException.class, () -> NpyFile.read(file, Arena.ofAuto()))
        .getMessage();
  }

  private static void assertUnwritable(String format, Path file) {
    MemorySegment memory = MemorySegment.ofArray(new float[2]);
    FileFormatException e =
        assertThrows(
            FileFormatException.class,
            () -> NpyFile.write(file, Layout.contiguous(DType.F32, 2), memory, 0));
    assertEquals(format.formatted(file), e.getMessage());
  }

  private Path file(byte[] bytes) throws IOException {
    return Files.write(directory.resolve("x.npy"), bytes);
  }

  private static byte[] version1(String header, int dataBytes) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.ISO_8859_1);
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.write(NpyReader.MAGIC);
    file.write(new byte[] {1, 0, (byte) text.length, (byte) (text.length >> 8)});
    file.write(text);
    file.write(new byte[dataBytes]);
    return file.toByteArray();
  }
}

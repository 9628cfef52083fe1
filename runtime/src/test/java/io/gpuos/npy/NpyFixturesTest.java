package io.gpuos.npy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.FileFormatException;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that NumPy wrote; {@code make_fixtures.py} beside them is how. */
class NpyFixturesTest {

  static Stream<String> arrays() {
    return Stream.of("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "b1")
        .flatMap(code -> Stream.of(code + "_le_", code + "_be_"))
        .filter(name -> !name.matches(".1_be_"))
        .flatMap(name -> Stream.of(name + "c", name + "f"));
  }

  @ParameterizedTest
  @MethodSource("arrays")
  void shouldReadEveryTypeAndOrder(String name) {
    try (Arena arena = Arena.ofConfined()) {
      NpyArray array = NpyFile.read(fixture(name + ".npy"), arena);
      assertEquals(type(name), array.dtype());
      assertArrayEquals(new long[] {2, 3, 4}, array.shape());
      assertEquals(name.endsWith("f"), array.fortranOrder());
      assertEquals(!name.endsWith("f"), array.layout().isContiguous());
      assertArrayEquals(expected(name.charAt(0)), values(array));
      assertTrue(array.data().isReadOnly());
      assertEquals(24L * array.dtype().bytes(), array.data().byteSize());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"version1", "version2", "version3"})
  void shouldReadEveryVersion(String name) {
    try (Arena arena = Arena.ofConfined()) {
      assertArrayEquals(expected('f'), values(NpyFile.read(fixture(name + ".npy"), arena)));
    }
  }

  @Test
  void shouldReadUnusualShapes() {
    try (Arena arena = Arena.ofConfined()) {
      NpyArray scalar = NpyFile.read(fixture("scalar.npy"), arena);
      assertEquals(0, scalar.layout().rank());
      assertArrayEquals(new double[] {2.5}, values(scalar));
      NpyArray vector = NpyFile.read(fixture("vector.npy"), arena);
      assertArrayEquals(new double[] {0, 1, 2, 3, 4}, values(vector));
      NpyArray empty = NpyFile.read(fixture("empty.npy"), arena);
      assertArrayEquals(new long[] {2, 0, 3}, empty.shape());
      assertEquals(0, empty.data().byteSize());
      NpyArray deep = NpyFile.read(fixture("rank8.npy"), arena);
      assertArrayEquals(new long[] {1, 2, 1, 1, 3, 1, 1, 1}, deep.shape());
      assertArrayEquals(new double[] {0, 1, 2, 3, 4, 5}, values(deep));
    }
  }

  @Test
  void shouldReadSpecialHalves() {
    try (Arena arena = Arena.ofConfined()) {
      assertArrayEquals(
          new double[] {
            Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN, -0.0, 65504, 0x1p-24
          },
          values(NpyFile.read(fixture("special_f2.npy"), arena)));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "complex ; '<c8'",
        "object ; '|O'",
        "text ; '<U2'",
        "unsigned32 ; '<u4'",
        "record ; [('a', '<f4'), ('b', '<i2')], 'fortran_order': False, 'shape..."
      })
  void shouldNameUnsupportedTypes(String name, String descr) {
    Path file = fixture(name + ".npy");
    FileFormatException e =
        assertThrows(FileFormatException.class, () -> NpyFile.read(file, Arena.ofAuto()));
    assertEquals(
        "unsupported element type: file="
            + file
            + ", descr="
            + descr
            + ", expected=one of b1, i1, u1, i2, i4, i8, f2, f4, f8:"
            + " convert with numpy.ndarray.astype",
        e.getMessage());
    assertFalse(e.getMessage().contains("\n"));
  }

  private static double[] values(NpyArray array) {
    return ElementCopy.toDoubles(array.data(), 0, array.layout());
  }

  private static double[] expected(char kind) {
    return IntStream.range(0, 24)
        .mapToDouble(
            i ->
                switch (kind) {
                  case 'b' -> i % 3 == 0 ? 1 : 0;
                  case 'u' -> i * 11;
                  case 'i' -> i * 5 - 60;
                  default -> i * 0.375 - 4;
                })
        .toArray();
  }

  private static DType type(String name) {
    return switch (name.substring(0, 2)) {
      case "f8" -> DType.F64;
      case "f4" -> DType.F32;
      case "f2" -> DType.F16;
      case "i8" -> DType.I64;
      case "i4" -> DType.I32;
      case "i2" -> DType.I16;
      case "i1" -> DType.I8;
      case "u1" -> DType.U8;
      default -> DType.BOOL;
    };
  }

  private static Path fixture(String name) {
    try {
      return Path.of(NpyFixturesTest.class.getResource("/npy/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}

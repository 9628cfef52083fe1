package io.gpuos.npy;

import io.gpuos.error.FileFormatException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Shapes;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the dictionary of a header. Accepts what {@code numpy.load} does for plain arrays: the
 * three keys in any order, either kind of quote, a comma at the end, Python 2's {@code 3L}. Does
 * not recurse, so that nested brackets cost nothing. Used once, by one thread.
 */
final class NpyHeaderParser {

  private static final String SUPPORTED = "one of b1, i1, u1, i2, i4, i8, f2, f4, f8";
  private static final String DICTIONARY =
      "{'descr': ..., 'fortran_order': ..., 'shape': ...} as numpy.save writes";

  private final Path file;
  private final String text;
  private int at;

  private String descr;
  private Boolean fortranOrder;
  private long[] shape;

  NpyHeaderParser(Path file, String text) {
    this.file = file;
    this.text = text;
  }

  /**
   * The header's meaning.
   *
   * @throws FileFormatException if it has none, or one GPUOS has no type or shape for
   */
  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      entry();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (peek() != 0) {
      throw malformed();
    }
    if (descr == null || fortranOrder == null || shape == null) {
      throw NpyErrors.refused("malformed .npy header", file, "missing=" + missing(), DICTIONARY);
    }
    return header();
  }

  private void entry() {
    String key = string();
    expect(':');
    switch (key) {
      case "descr" -> descr = once(descr, descrValue());
      case "fortran_order" -> fortranOrder = once(fortranOrder, bool());
      case "shape" -> shape = once(shape, tuple());
      default ->
          throw NpyErrors.refused(
              "malformed .npy header", file, "key='" + NpyErrors.quoted(key) + "'", DICTIONARY);
    }
  }

  private <T> T once(T before, T value) {
    if (before != null) {
      throw malformed();
    }
    return value;
  }

  /** A quoted type; a list describes a record, which is a valid file all the same. */
  private String descrValue() {
    if (peek() == '[' || peek() == '(' || peek() == '{') {
      throw unsupported(text.substring(at));
    }
    return string();
  }

  private boolean bool() {
    if (acceptWord("True")) {
      return true;
    }
    if (acceptWord("False")) {
      return false;
    }
    throw malformed();
  }

  private long[] tuple() {
    expect('(');
    List<Long> sizes = new ArrayList<>();
    while (!accept(')')) {
      sizes.add(size());
      if (!accept(',')) {
        expect(')');
        // (3) is a number in Python; NumPy refuses it as a shape.
        if (sizes.size() == 1) {
          throw malformed();
        }
        break;
      }
    }
    if (sizes.size() > Shapes.MAX_RANK) {
      throw NpyErrors.refused(
          "too many dimensions", file, "rank=" + sizes.size(), "at most " + Shapes.MAX_RANK);
    }
    return sizes.stream().mapToLong(Long::longValue).toArray();
  }

  private long size() {
    peek();
    int start = at;
    while (at < text.length() && isDigit(text.charAt(at))) {
      at++;
    }
    if (at == start) {
      throw malformed();
    }
    String digits = text.substring(start, at);
    if (at < text.length() && text.charAt(at) == 'L') {
      at++;
    }
    try {
      return Long.parseLong(digits);
    } catch (NumberFormatException _) {
      throw NpyErrors.refused(
          "size overflow", file, "size=" + NpyErrors.quoted(digits), "sizes below 2^63");
    }
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private String string() {
    char quote = peek();
    if (quote != '\'' && quote != '"') {
      throw malformed();
    }
    int end = text.indexOf(quote, at + 1);
    if (end < 0) {
      throw malformed();
    }
    String value = text.substring(at + 1, end);
    at = end + 1;
    return value;
  }

  private boolean acceptWord(String word) {
    peek();
    boolean found = text.startsWith(word, at);
    at += found ? word.length() : 0;
    return found;
  }

  private boolean accept(char c) {
    boolean found = peek() == c;
    at += found ? 1 : 0;
    return found;
  }

  private void expect(char c) {
    if (!accept(c)) {
      throw malformed();
    }
  }

  /** The next character that is not white space, which becomes the current one; 0 at the end. */
  private char peek() {
    while (at < text.length() && " \t\r\n\f".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    return at < text.length() ? text.charAt(at) : 0;
  }

  private NpyHeader header() {
    DType dtype = dtype();
    try {
      Layout layout =
          fortranOrder ? Layout.columnMajor(dtype, shape) : Layout.contiguous(dtype, shape);
      return new NpyHeader(layout, order(), fortranOrder);
    } catch (ShapeException e) {
      throw NpyErrors.refused(file, e);
    }
  }

  private DType dtype() {
    String code = "<>=|".indexOf(first(descr)) >= 0 ? descr.substring(1) : descr;
    return switch (code) {
      case "f8" -> DType.F64;
      case "f4" -> DType.F32;
      case "f2" -> DType.F16;
      case "i8" -> DType.I64;
      case "i4" -> DType.I32;
      case "i2" -> DType.I16;
      case "i1" -> DType.I8;
      case "u1" -> DType.U8;
      case "b1" -> DType.BOOL;
      default -> throw unsupported("'" + descr + "'");
    };
  }

  private ByteOrder order() {
    return switch (first(descr)) {
      case '<' -> ByteOrder.LITTLE_ENDIAN;
      case '>' -> ByteOrder.BIG_ENDIAN;
      default -> ByteOrder.nativeOrder();
    };
  }

  private static char first(String text) {
    return text.isEmpty() ? 0 : text.charAt(0);
  }

  private String missing() {
    return descr == null ? "descr" : fortranOrder == null ? "fortran_order" : "shape";
  }

  private FileFormatException unsupported(String found) {
    return NpyErrors.refused(
        "unsupported element type",
        file,
        "descr=" + NpyErrors.quoted(found),
        SUPPORTED + ": convert with numpy.ndarray.astype");
  }

  private FileFormatException malformed() {
    String rest = at < text.length() ? NpyErrors.quoted(text.substring(at)) : "end of header";
    return NpyErrors.refused(
        "malformed .npy header", file, "at=" + at + ", found=" + rest, DICTIONARY);
  }
}

package io.gpuos.aten;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Reads the values of arguments. */
final class ValueParser {

  /** A text that is not of the form; {@link GraphParser} adds the line. */
  @SuppressWarnings("serial") // never leaves the parser
  static final class Malformed extends RuntimeException {
    private final String rule;
    private final String value;
    private final String expected;

    Malformed(String rule, String value, String expected) {
      super(rule, null, false, false);
      this.rule = rule;
      this.value = value;
      this.expected = expected;
    }

    String rule() {
      return rule;
    }

    String value() {
      return value;
    }

    String expected() {
      return expected;
    }
  }

  private static final Pattern INTEGER = Pattern.compile("-?\\d+");
  private static final Pattern FLOATING =
      Pattern.compile("-?(\\d+\\.\\d*|\\.\\d+|\\d+(?=[eE]))([eE][+-]?\\d+)?|-?inf|nan");
  private static final String DTYPE = "dtype:";

  private final Map<Integer, AtenValue> tensors;

  ValueParser(Map<Integer, AtenValue> tensors) {
    this.tensors = tensors;
  }

  AtenValue value(String text) {
    return switch (text) {
      case "null" -> new AtenValue.None();
      case "true" -> new AtenValue.Bool(true);
      case "false" -> new AtenValue.Bool(false);
      default -> other(text);
    };
  }

  private AtenValue other(String text) {
    if (text.startsWith("%")) {
      return tensor(text);
    }
    if (text.startsWith("?")) {
      return new AtenValue.Unknown(text.substring(1));
    }
    if (text.startsWith("[") && text.endsWith("]")) {
      return new AtenValue.Items(items(text).stream().map(this::value).toList());
    }
    if (text.length() > 1 && text.startsWith("\"") && text.endsWith("\"")) {
      return new AtenValue.Text(text.substring(1, text.length() - 1));
    }
    if (text.startsWith(DTYPE)) {
      return dtype(text.substring(DTYPE.length()))
          .<AtenValue>map(AtenValue.Type::new)
          .orElse(new AtenValue.Unknown(text));
    }
    if (INTEGER.matcher(text).matches()) {
      return new AtenValue.Int(integer(text));
    }
    if (FLOATING.matcher(text).matches()) {
      return new AtenValue.Float(floating(text));
    }
    throw new Malformed(
        "value of an argument",
        text,
        "%1, 7, 1.0, true, null, \"text\", dtype:f32, [1,2] or ?description");
  }

  /** The tensor of a reference such as {@code %3}. */
  AtenValue tensor(String text) {
    if (!text.startsWith("%")) {
      throw new Malformed("tensor", text, "% and the number of a tensor");
    }
    long id = integer(text.substring(1));
    AtenValue tensor = id == (int) id ? tensors.get((int) id) : null;
    if (tensor == null) {
      throw new Malformed("tensor", text, "one that a line before declares");
    }
    return tensor;
  }

  /** The type of a name; only the names of the text's form. */
  static Optional<DType> dtype(String name) {
    return DType.named(name).filter(dtype -> dtype.name().toLowerCase(Locale.ROOT).equals(name));
  }

  static long integer(String text) {
    try {
      if (INTEGER.matcher(text).matches()) {
        return Long.parseLong(text);
      }
    } catch (NumberFormatException _) {
      // out of range: said below
    }
    throw new Malformed("integer", text, "digits of a 64-bit integer");
  }

  static long[] integers(String text) {
    if (!text.startsWith("[") || !text.endsWith("]")) {
      throw new Malformed("list of integers", text, "[1,2]");
    }
    return items(text).stream().mapToLong(ValueParser::integer).toArray();
  }

  private static double floating(String text) {
    return switch (text) {
      case "inf" -> Double.POSITIVE_INFINITY;
      case "-inf" -> Double.NEGATIVE_INFINITY;
      case "nan" -> Double.NaN;
      default -> Double.parseDouble(text);
    };
  }

  /** What stands between the commas of a list, lists within it left whole. */
  private static List<String> items(String text) {
    String inner = text.substring(1, text.length() - 1);
    List<String> items = new ArrayList<>();
    int depth = 0;
    int start = 0;
    for (int k = 0; k < inner.length(); k++) {
      char c = inner.charAt(k);
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (c == ',' && depth == 0) {
        items.add(inner.substring(start, k));
        start = k + 1;
      }
    }
    if (!inner.isEmpty()) {
      items.add(inner.substring(start));
    }
    return items;
  }
}

package io.gpuos.cli.text;

import java.lang.reflect.RecordComponent;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Writes JSON (RFC 8259), indented by two spaces, in ASCII, so that no terminal or locale can spoil
 * it.
 *
 * <p>A record is an object: a component {@code usPerOp} is the member {@code us_per_op}. Maps are
 * objects, lists and arrays are arrays; enum constants are their lower-case names; an empty {@link
 * Optional} and a number that is not finite are {@code null}; a fraction has nine digits.
 * Everything else is the string of its {@code toString}.
 */
public final class Json {

  private static final MathContext DIGITS = new MathContext(9);

  private final StringBuilder text = new StringBuilder();

  private Json() {}

  /** The document for {@code value}, without a line end after it. */
  public static String of(Object value) {
    Json json = new Json();
    json.write(value, 0);
    return json.text.toString();
  }

  private void write(Object value, int depth) {
    switch (value) {
      case null -> text.append("null");
      case Optional<?> optional -> write(optional.orElse(null), depth);
      case Boolean bool -> text.append(bool);
      case Double number -> writeNumber(number);
      case Float number -> writeNumber(number);
      case Number number -> text.append(number);
      case Enum<?> constant -> writeString(constant.name().toLowerCase(Locale.ROOT));
      case Record object -> writeObject(members(object), depth);
      case Map<?, ?> map -> writeObject(map, depth);
      case List<?> list -> writeArray(list, depth);
      case Object[] array -> writeArray(Arrays.asList(array), depth);
      case long[] array -> writeArray(LongStream.of(array).boxed().toList(), depth);
      case int[] array -> writeArray(IntStream.of(array).boxed().toList(), depth);
      case double[] array -> writeArray(DoubleStream.of(array).boxed().toList(), depth);
      default -> writeString(value.toString());
    }
  }

  private void writeNumber(double number) {
    if (!Double.isFinite(number)) {
      text.append("null");
      return;
    }
    double rounded = new BigDecimal(number).round(DIGITS).doubleValue();
    if (rounded == (long) rounded) {
      text.append((long) rounded);
    } else {
      text.append(rounded);
    }
  }

  private static Map<String, Object> members(Record object) {
    Map<String, Object> members = new LinkedHashMap<>();
    for (RecordComponent component : object.getClass().getRecordComponents()) {
      try {
        component.getAccessor().setAccessible(true);
        members.put(snakeCase(component.getName()), component.getAccessor().invoke(object));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("record not readable: record=" + object.getClass(), e);
      }
    }
    return members;
  }

  private static String snakeCase(String camelCase) {
    return camelCase.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }

  private void writeObject(Map<?, ?> members, int depth) {
    List<Map.Entry<?, ?>> entries = new ArrayList<>(members.entrySet());
    text.append('{');
    for (int k = 0; k < entries.size(); k++) {
      text.append(k == 0 ? "" : ",");
      newLine(depth + 1);
      writeString(entries.get(k).getKey().toString());
      text.append(": ");
      write(entries.get(k).getValue(), depth + 1);
    }
    if (!entries.isEmpty()) {
      newLine(depth);
    }
    text.append('}');
  }

  /** Numbers share a line; anything longer has a line of its own. */
  private void writeArray(List<?> elements, int depth) {
    boolean oneLine = elements.stream().allMatch(element -> element instanceof Number);
    text.append('[');
    for (int k = 0; k < elements.size(); k++) {
      if (oneLine) {
        text.append(k == 0 ? "" : ", ");
      } else {
        text.append(k == 0 ? "" : ",");
        newLine(depth + 1);
      }
      write(elements.get(k), depth + 1);
    }
    if (!oneLine) {
      newLine(depth);
    }
    text.append(']');
  }

  private void newLine(int depth) {
    text.append('\n').append("  ".repeat(depth));
  }

  private void writeString(String string) {
    text.append('"');
    for (int k = 0; k < string.length(); k++) {
      char c = string.charAt(k);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '\t' -> text.append("\\t");
        default -> {
          if (c >= ' ' && c <= '~') {
            text.append(c);
          } else {
            text.append("\\u").append(String.format(Locale.ROOT, "%04x", (int) c));
          }
        }
      }
    }
    text.append('"');
  }
}

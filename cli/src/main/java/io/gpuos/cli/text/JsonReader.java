package io.gpuos.cli.text;

import io.gpuos.error.Messages;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A strict reader of JSON (RFC 8259): objects become maps in their order, arrays lists, numbers
 * doubles, and {@code null} is null. Anything else, a name given twice and more than {@value
 * #DEEPEST} levels are an {@link IllegalArgumentException} that says where.
 */
public final class JsonReader {

  private static final int DEEPEST = 100;
  private static final int SHOWN = 40;

  private final String text;
  private int next;
  private int depth;

  private JsonReader(String text) {
    this.text = text;
  }

  /** The only value in {@code text}; fails if there is anything else. */
  public static Object read(String text) {
    JsonReader reader = new JsonReader(text);
    Object value = reader.value();
    reader.space();
    reader.require(reader.next == text.length(), "the end");
    return value;
  }

  /** The only value in {@code text}, which has to be an object. */
  @SuppressWarnings("unchecked")
  public static Map<String, Object> object(String text) {
    if (read(text) instanceof Map<?, ?> object) {
      return (Map<String, Object>) object;
    }
    throw new IllegalArgumentException("not a JSON object");
  }

  private Object value() {
    space();
    require(++depth <= DEEPEST, "at most " + DEEPEST + " levels");
    Object value = bare(peek());
    depth--;
    return value;
  }

  private Object bare(char c) {
    return switch (c) {
      case '{' -> members();
      case '[' -> elements();
      case '"' -> string();
      case 't' -> word("true", true);
      case 'f' -> word("false", false);
      case 'n' -> word("null", null);
      default -> number();
    };
  }

  private Map<String, Object> members() {
    Map<String, Object> members = new LinkedHashMap<>();
    next++;
    space();
    while (peek() != '}') {
      String name = string();
      space();
      take(':');
      require(members.put(name, value()) == null, "a name that is new");
      separator('}');
    }
    next++;
    return members;
  }

  private List<Object> elements() {
    List<Object> elements = new ArrayList<>();
    next++;
    space();
    while (peek() != ']') {
      elements.add(value());
      separator(']');
    }
    next++;
    return elements;
  }

  private void separator(char end) {
    space();
    if (peek() != end) {
      take(',');
      space();
      require(peek() != end, "a value after the comma");
    }
  }

  private String string() {
    take('"');
    StringBuilder string = new StringBuilder();
    while (peek() != '"') {
      char c = text.charAt(next++);
      require(c >= ' ', "no control character");
      string.append(c == '\\' ? escaped() : c);
    }
    next++;
    return string.toString();
  }

  private char escaped() {
    char c = peek();
    next++;
    if (c == 'u') {
      String digits = text.substring(next, Math.min(next + 4, text.length()));
      require(digits.matches("[0-9a-fA-F]{4}"), "four hexadecimal digits");
      next += 4;
      return (char) Integer.parseInt(digits, 16);
    }
    int index = "\"\\/bfnrt".indexOf(c);
    require(index >= 0, "an escape");
    return "\"\\/\b\f\n\r\t".charAt(index);
  }

  private Object word(String word, Object value) {
    require(text.startsWith(word, next), word);
    next += word.length();
    return value;
  }

  private Double number() {
    int begin = next;
    while (next < text.length() && "+-.0123456789eE".indexOf(text.charAt(next)) >= 0) {
      next++;
    }
    String number = text.substring(begin, next);
    require(number.matches("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?"), "a number");
    return Double.valueOf(number);
  }

  private void space() {
    while (next < text.length() && " \n\r\t".indexOf(text.charAt(next)) >= 0) {
      next++;
    }
  }

  private char peek() {
    require(next < text.length(), "more");
    return text.charAt(next);
  }

  private void take(char c) {
    require(peek() == c, "'" + c + "'");
    next++;
  }

  private void require(boolean holds, String expected) {
    if (!holds) {
      String rest = text.substring(Math.min(next, text.length()));
      String found = Messages.line(rest.substring(0, Math.min(SHOWN, rest.length())));
      throw new IllegalArgumentException(
          "not JSON: at=" + next + ", found=" + found + ", expected=" + expected);
    }
  }
}

package io.gpuos.cli.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A strict reader of JSON, to hold the writer to the grammar. Numbers become doubles. */
public final class JsonReader {

  private final String text;
  private int next;

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

  /** The only value in {@code text}, which is an object. */
  @SuppressWarnings("unchecked")
  public static Map<String, Object> object(String text) {
    return (Map<String, Object>) read(text);
  }

  private Object value() {
    space();
    char c = peek();
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
      require(c >= ' ' && c <= '~', "ASCII");
      string.append(c == '\\' ? escaped() : c);
    }
    next++;
    return string.toString();
  }

  private char escaped() {
    char c = text.charAt(next++);
    if (c == 'u') {
      next += 4;
      return (char) Integer.parseInt(text.substring(next - 4, next), 16);
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
      throw new AssertionError(
          "not JSON: at=" + next + ", expected=" + expected + ", text=" + text);
    }
  }
}

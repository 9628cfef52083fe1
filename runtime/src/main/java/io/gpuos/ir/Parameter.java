package io.gpuos.ir;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A parameter of a function or reduction in the expression language; without a default the caller
 * must pass it.
 *
 * @param defaultValue the default as the language writes it; {@code none} means "not given"
 */
public record Parameter(String name, Optional<String> defaultValue) {

  /** Reads {@code x, slope=0.01}. */
  static List<Parameter> parseList(String text) {
    return Arrays.stream(text.split(", ")).map(Parameter::parse).toList();
  }

  private static Parameter parse(String text) {
    int equals = text.indexOf('=');
    return equals < 0
        ? new Parameter(text, Optional.empty())
        : new Parameter(text.substring(0, equals), Optional.of(text.substring(equals + 1)));
  }

  /** Whether the value selects between functions, and so is no argument of a kernel's node. */
  public boolean selects() {
    return defaultValue.isPresent() && defaultValue.get().startsWith("'");
  }

  /** As it stands in a signature: {@code slope=0.01}. */
  @Override
  public String toString() {
    return defaultValue.map(value -> name + "=" + value).orElse(name);
  }
}

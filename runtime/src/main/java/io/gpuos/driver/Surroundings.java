package io.gpuos.driver;

import io.gpuos.error.Messages;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * What the look-up sees of the outside: settings and file system. Tests give their own.
 *
 * @param property system properties by name; null when unset
 * @param variable environment variables by name; null when unset
 * @param root prefix of absolute folders such as {@code /usr/local}; {@code /} outside tests
 */
record Surroundings(UnaryOperator<String> property, UnaryOperator<String> variable, Path root) {

  static Surroundings ofProcess() {
    return new Surroundings(System::getProperty, System::getenv, Path.of("/"));
  }

  /** Value of the property, else of the variable; empty counts as unset. */
  Optional<String> setting(String propertyName, String variableName) {
    return value(property, propertyName).or(() -> value(variable, variableName));
  }

  Optional<String> variable(String name) {
    return value(variable, name);
  }

  Optional<String> property(String name) {
    return value(property, name);
  }

  /** The user's home: {@code HOME}, else what the JDK says; empty when neither names one. */
  Optional<Path> home() {
    return variable("HOME")
        .or(() -> property("user.home").filter(home -> !home.equals("?")))
        .flatMap(Surroundings::path)
        .filter(Path::isAbsolute);
  }

  /** The text as a path; empty where the locale's character set has no name for it. */
  static Optional<Path> path(String text) {
    try {
      return Optional.of(Path.of(text));
    } catch (InvalidPathException _) {
      return Optional.empty();
    }
  }

  /** One line for a setting that is no path. */
  static String noPath(String setting, String text) {
    return "not a path in this locale: %s=%s, expected=a path; set LC_ALL=C.UTF-8"
        .formatted(setting, Messages.quoted(text));
  }

  /** An absolute folder such as {@code /usr/local}, seen under {@link #root}. */
  Path absolute(String path) {
    return root.resolve(path.substring(1));
  }

  private static Optional<String> value(UnaryOperator<String> source, String name) {
    return Optional.ofNullable(source.apply(name)).filter(value -> !value.isBlank());
  }
}

package io.gpuos.npy;

import io.gpuos.error.FileFormatException;
import io.gpuos.error.ShapeException;
import io.gpuos.file.FileErrors;
import java.io.IOException;
import java.nio.file.Path;

/** One-line messages about {@code .npy} files. */
final class NpyErrors {

  private static final int LONGEST_QUOTE = 60;

  private NpyErrors() {}

  /** {@code rule: file=..., found, expected=...}. */
  static FileFormatException refused(String rule, Path file, String found, String expected) {
    return FileErrors.refused(rule, file, found, expected);
  }

  /** For a failed read; the reason is the operating system's. */
  static FileFormatException failed(String rule, Path file, IOException e) {
    return FileErrors.failed(rule, file, e, "a file that can be read");
  }

  /** What is wrong with a shape, and the file it is from. */
  static FileFormatException refused(Path file, ShapeException e) {
    String message = e.getMessage();
    int colon = message.indexOf(": ");
    return new FileFormatException(
        message.substring(0, colon)
            + ": file="
            + FileErrors.printable(file.toString())
            + ", "
            + message.substring(colon + 2),
        e);
  }

  /** Text of unknown origin, shortened, on one line. */
  static String quoted(String text) {
    String line = FileErrors.printable(text);
    return line.length() > LONGEST_QUOTE ? line.substring(0, LONGEST_QUOTE) + "..." : line;
  }
}

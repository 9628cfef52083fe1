package io.gpuos.npy;

import io.gpuos.error.FileFormatException;
import io.gpuos.error.ShapeException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** One-line messages about files. Text from files and file names is made safe to print. */
final class NpyErrors {

  private static final int LONGEST_QUOTE = 60;

  private NpyErrors() {}

  /** {@code rule: file=..., found, expected=...}. */
  static FileFormatException refused(String rule, Path file, String found, String expected) {
    return new FileFormatException(message(rule, file, found, expected));
  }

  /** For a failed read or write; the reason is the operating system's. */
  static FileFormatException failed(String rule, Path file, IOException e) {
    return new FileFormatException(
        message(rule, file, "reason=" + printable(reason(e)), remedy(rule)), e);
  }

  /** What is wrong with a shape, and the file it is from. */
  static FileFormatException refused(Path file, ShapeException e) {
    String message = e.getMessage();
    int colon = message.indexOf(": ");
    return new FileFormatException(
        message.substring(0, colon)
            + ": file="
            + printable(file.toString())
            + ", "
            + message.substring(colon + 2),
        e);
  }

  /** Text of unknown origin, shortened, on one line. */
  static String quoted(String text) {
    String line = printable(text);
    return line.length() > LONGEST_QUOTE ? line.substring(0, LONGEST_QUOTE) + "..." : line;
  }

  private static String message(String rule, Path file, String found, String expected) {
    return rule + ": file=" + printable(file.toString()) + ", " + found + ", expected=" + expected;
  }

  private static String remedy(String rule) {
    return rule.startsWith("cannot write")
        ? "a path that can be written"
        : "a file that can be read";
  }

  private static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "no such file or directory";
      case FileSystemException f when f.getReason() != null -> f.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }

  private static String printable(String text) {
    return text.replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]", "?");
  }
}

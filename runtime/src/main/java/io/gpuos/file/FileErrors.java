package io.gpuos.file;

import io.gpuos.error.FileFormatException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** One-line messages about files. Text from files and file names is made safe to print. */
public final class FileErrors {

  private FileErrors() {}

  /**
   * A file is refused: {@code rule: file=..., found, expected=...}.
   *
   * @param found what is there instead, as {@code name=value}
   */
  public static FileFormatException refused(String rule, Path file, String found, String expected) {
    return new FileFormatException(message(rule, file, found, expected));
  }

  /** A read or a write failed; the reason is the operating system's. */
  public static FileFormatException failed(String rule, Path file, IOException e, String expected) {
    return new FileFormatException(
        message(rule, file, "reason=" + printable(reason(e)), expected), e);
  }

  private static String message(String rule, Path file, String found, String expected) {
    return rule + ": file=" + printable(file.toString()) + ", " + found + ", expected=" + expected;
  }

  private static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "no such file or directory";
      case FileSystemException f when f.getReason() != null -> f.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }

  /** Text of unknown origin without what would break the line or steer a terminal. */
  public static String printable(String text) {
    return text.replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]", "?");
  }
}

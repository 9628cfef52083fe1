package io.gpuos.error;

/** A file is missing, truncated, unwritable or not in the format its name promises. */
public final class FileFormatException extends InvalidInputException {

  private static final long serialVersionUID = 1L;

  public FileFormatException(String message) {
    super(message);
  }

  public FileFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}

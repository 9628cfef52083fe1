package io.gpuos.error;

/** An element type has no meaning for the operation. */
public final class DTypeException extends InvalidInputException {

  private static final long serialVersionUID = 1L;

  public DTypeException(String message) {
    super(message);
  }

  public DTypeException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.gpuos.error;

/** An output overlaps an input, or itself, in a way that would change the result. */
public final class OverlapException extends InvalidInputException {

  private static final long serialVersionUID = 1L;

  public OverlapException(String message) {
    super(message);
  }

  public OverlapException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.gpuos.error;

/** The runtime or tensor was closed. */
public final class ClosedException extends ResourceException {

  private static final long serialVersionUID = 1L;

  public ClosedException(String message) {
    super(message);
  }

  public ClosedException(String message, Throwable cause) {
    super(message, cause);
  }
}

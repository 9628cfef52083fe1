package io.gpuos.error;

/** Device or pinned host memory is exhausted. */
public final class OutOfMemoryException extends ResourceException {

  private static final long serialVersionUID = 1L;

  public OutOfMemoryException(String message) {
    super(message);
  }

  public OutOfMemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}

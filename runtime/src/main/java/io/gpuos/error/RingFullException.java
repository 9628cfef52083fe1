package io.gpuos.error;

/** The submission ring stayed full past the configured wait; nothing was submitted. */
public final class RingFullException extends ResourceException {

  private static final long serialVersionUID = 1L;

  public RingFullException(String message) {
    super(message);
  }

  public RingFullException(String message, Throwable cause) {
    super(message, cause);
  }
}

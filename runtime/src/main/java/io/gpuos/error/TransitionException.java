package io.gpuos.error;

/** A generation of an operator cannot be published or rolled back now. */
public final class TransitionException extends ResourceException {

  private static final long serialVersionUID = 1L;

  public TransitionException(String message) {
    super(message);
  }
}

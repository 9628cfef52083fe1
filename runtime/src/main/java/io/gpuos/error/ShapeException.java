package io.gpuos.error;

/** Shapes do not broadcast, an axis is out of range, a view is impossible or a size overflows. */
public final class ShapeException extends InvalidInputException {

  private static final long serialVersionUID = 1L;

  public ShapeException(String message) {
    super(message);
  }

  public ShapeException(String message, Throwable cause) {
    super(message, cause);
  }
}

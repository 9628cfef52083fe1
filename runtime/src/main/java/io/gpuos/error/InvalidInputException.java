package io.gpuos.error;

/**
 * The caller asked for something that has no meaning; nothing was submitted and the runtime goes
 * on.
 */
public sealed class InvalidInputException extends GpuosException
    permits ExpressionException,
        ShapeException,
        DTypeException,
        OverlapException,
        FileFormatException {

  private static final long serialVersionUID = 1L;

  public InvalidInputException(String message) {
    super(message, null);
  }

  public InvalidInputException(String message, Throwable cause) {
    super(message, cause);
  }
}

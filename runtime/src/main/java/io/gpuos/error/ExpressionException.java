package io.gpuos.error;

/**
 * An expression does not parse, names an unknown function or input, or passes a wrong number of
 * arguments.
 */
public final class ExpressionException extends InvalidInputException {

  private static final long serialVersionUID = 1L;

  public ExpressionException(String message) {
    super(message);
  }

  public ExpressionException(String message, Throwable cause) {
    super(message, cause);
  }
}

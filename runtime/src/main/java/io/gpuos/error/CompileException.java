package io.gpuos.error;

/** The run-time compiler refused an operator; the message carries its log. */
public final class CompileException extends DeviceException {

  private static final long serialVersionUID = 1L;

  public CompileException(String message) {
    super(message);
  }

  public CompileException(String message, Throwable cause) {
    super(message, cause);
  }
}

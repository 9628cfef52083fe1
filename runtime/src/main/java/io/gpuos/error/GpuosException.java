package io.gpuos.error;

/**
 * Root of everything GPUOS throws. Unchecked; the message is one line of the form {@code rule:
 * name=value, expected=...} that names the operator, tensor or file at fault and the remedy.
 */
public abstract sealed class GpuosException extends RuntimeException
    permits InvalidInputException, DeviceException, ResourceException {

  private static final long serialVersionUID = 1L;

  GpuosException(String message, Throwable cause) {
    super(message, cause);
  }
}

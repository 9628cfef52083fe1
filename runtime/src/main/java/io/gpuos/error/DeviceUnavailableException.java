package io.gpuos.error;

/**
 * The requested device, its driver or the compiler library cannot be used; the message says why.
 */
public final class DeviceUnavailableException extends DeviceException {

  private static final long serialVersionUID = 1L;

  public DeviceUnavailableException(String message) {
    super(message);
  }

  public DeviceUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}

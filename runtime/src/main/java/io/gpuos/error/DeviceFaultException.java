package io.gpuos.error;

/**
 * The device failed for good (a sticky driver error); every pending and later operation fails with
 * it.
 */
public final class DeviceFaultException extends DeviceException {

  private static final long serialVersionUID = 1L;

  public DeviceFaultException(String message) {
    super(message);
  }

  public DeviceFaultException(String message, Throwable cause) {
    super(message, cause);
  }
}

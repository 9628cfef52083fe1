package io.gpuos.error;

/**
 * The device failed for good: an operator ran into a sticky error of the driver, threw, or did not
 * come back within its deadline. The message names the operator, or those it may have been. Every
 * pending and later operation fails with it.
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

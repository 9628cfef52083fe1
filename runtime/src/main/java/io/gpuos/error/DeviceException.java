package io.gpuos.error;

/** A device is absent, too old, refused the code it was given, or has failed. */
public sealed class DeviceException extends GpuosException
    permits DeviceUnavailableException, DeviceFaultException, CompileException, InjectionException {

  private static final long serialVersionUID = 1L;

  public DeviceException(String message) {
    super(message, null);
  }

  public DeviceException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.gpuos.error;

/**
 * Machine code was not brought into a running kernel: its file is malformed, it needs what a
 * running kernel cannot give, or the memory for code refused it. The message names the section and
 * the number. The device goes on, and the same code may be brought in another way.
 */
public final class InjectionException extends DeviceException {

  private static final long serialVersionUID = 1L;

  public InjectionException(String message) {
    super(message);
  }

  public InjectionException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.gpuos.error;

/** Something finite ran out or is gone; the runtime goes on. */
public sealed class ResourceException extends GpuosException
    permits OutOfMemoryException, RingFullException, ClosedException, TransitionException {

  private static final long serialVersionUID = 1L;

  public ResourceException(String message) {
    super(message, null);
  }

  public ResourceException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.gpuos.aten;

/** A call that this library does not compute, and why. Never leaves the package. */
final class Refused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  Refused(String reason) {
    super(reason, null, false, false);
  }
}

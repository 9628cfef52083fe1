package io.gpuos.cli.bench;

/** A benchmark's operations gave a wrong result, so their time means nothing. */
public final class WrongResult extends RuntimeException {

  private static final long serialVersionUID = 1L;

  WrongResult(String message) {
    super(message);
  }
}

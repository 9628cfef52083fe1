package io.gpuos.cli;

/** A command found a result that is not what it must be; the message is one line. */
final class WrongResultException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  WrongResultException(String message) {
    super(message);
  }
}

package io.gpuos.device.cuda;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * What has been made so far, to be closed last made first: at the end of its life, or half way when
 * the next thing cannot be made. One that fails does not keep the others open. Not thread-safe.
 */
final class CloseStack implements AutoCloseable {

  /** Closes one thing. */
  @FunctionalInterface
  interface Closer {
    void close();
  }

  private final Deque<Closer> closers = new ArrayDeque<>();

  /** Remembers how to close what has just been made. */
  void push(Closer closer) {
    closers.push(closer);
  }

  /** Closes everything; then throws the first failure, with the others suppressed. Idempotent. */
  @Override
  public void close() {
    RuntimeException first = null;
    while (!closers.isEmpty()) {
      try {
        closers.pop().close();
      } catch (RuntimeException failure) {
        if (first == null) {
          first = failure;
        } else {
          first.addSuppressed(failure);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Closes everything because of {@code failure}, to which failures of closing are attached. */
  void closeAfter(Throwable failure) {
    try {
      close();
    } catch (RuntimeException also) {
      failure.addSuppressed(also);
    }
  }
}

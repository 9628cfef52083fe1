package io.gpuos.device.cuda;

/**
 * What workers call for a logical operator: a function in device memory and what it is handed.
 *
 * <p>The address may change while no worker is resident, under the monitor of {@link Aliases},
 * which then rewrites the aliases; read it there.
 */
final class Code {

  /** Where a function lies. */
  static final class Function {
    private long address;
    private volatile long loadNanos;

    Function(long address) {
      this.address = address;
    }

    /** How long bringing it in took. */
    void tookNanos(long nanos) {
      loadNanos = nanos;
    }

    /** Under the monitor of {@link Aliases}. */
    void moveTo(long newAddress) {
      address = newAddress;
    }
  }

  private final Function function;
  private final long argument;

  private Code(Function function, long argument) {
    this.function = function;
    this.argument = argument;
  }

  /** A function that takes no argument. */
  static Code of(Function function) {
    return new Code(function, 0);
  }

  /** A function that is handed {@code argument}, which is not 0, with every task. */
  static Code of(Function function, long argument) {
    return new Code(function, argument);
  }

  /** Device address to call. Under the monitor of {@link Aliases}. */
  long address() {
    return function.address;
  }

  /** Nanoseconds that bringing the function in took. */
  long loadNanos() {
    return function.loadNanos;
  }

  /** Handed to the function with every task; 0 if it takes none. */
  long argument() {
    return argument;
  }
}

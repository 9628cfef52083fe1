package io.gpuos.python;

import io.gpuos.Gpuos;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;
import java.util.Objects;

/**
 * The functions of the table. All parameters and results are 64-bit words: numbers, handles or
 * addresses; texts go in as address and length in bytes, and come out through an address they are
 * stored to, to be given back with {@link #free}. Each returns 0, or the address of a text that
 * names the error ({@link Texts#error}), which is given back too. Callable by any thread.
 */
final class EntryPoints {

  private static final Handles<Gpuos> RUNTIMES = new Handles<>("runtime");
  private static final Handles<Graphs.Program> PROGRAMS = new Handles<>("program");

  /** Found on first use: finding it loads classes, and may fail with a message. */
  private static final class Installed {
    static final Graphs GRAPHS = Graphs.find();
  }

  /** What a function does; may throw anything. */
  private interface Body {
    void run() throws Throwable;
  }

  private EntryPoints() {}

  /** Opens {@code auto}, {@code cpu} or {@code cuda:N} and stores a handle. */
  static long open(long device, long length, long handle) {
    return guarded(() -> store(handle, RUNTIMES.add(Gpuos.open(Texts.read(device, length)))));
  }

  /** Closes a runtime. Its programs cannot run any more; they are still to be released. */
  static long close(long runtime) {
    return guarded(() -> RUNTIMES.remove(runtime).close());
  }

  /** Stores a JSON object: device, version. */
  static long describe(long runtime, long text) {
    return guarded(
        () ->
            storeText(
                text,
                String.format(
                    Locale.ROOT,
                    "{\"device\": \"%s\", \"java\": \"%s\", \"bridge\": %d}",
                    RUNTIMES.get(runtime).device().name(),
                    Runtime.version(),
                    Bridge.VERSION)));
  }

  /** Stores one line for each call of a graph: why it is not native, or nothing. */
  static long support(long graph, long length, long text) {
    return guarded(
        () ->
            storeText(
                text, String.join("\n", Installed.GRAPHS.refusals(Texts.read(graph, length)))));
  }

  /** Compiles a graph for a runtime, in a mode, and stores a handle. */
  static long compile(
      long runtime, long graph, long length, long mode, long modeLength, long handle) {
    return guarded(
        () ->
            store(
                handle,
                PROGRAMS.add(
                    Installed.GRAPHS.compile(
                        RUNTIMES.get(runtime),
                        Texts.read(graph, length),
                        Texts.read(mode, modeLength)))));
  }

  /** Runs a program on {@code count} addresses, in order of {@code stream}. The hot one. */
  static long replay(long program, long addresses, long count, long stream) {
    try {
      PROGRAMS
          .get(program)
          .replay(MemorySegment.ofAddress(addresses).reinterpret(count * Long.BYTES), stream);
      return 0;
    } catch (Throwable failure) {
      return Texts.error(failure);
    }
  }

  /** Stores the plan of a program. */
  static long explain(long program, long text) {
    return guarded(() -> storeText(text, PROGRAMS.get(program).explain()));
  }

  /** Stores the plan of a program as an SVG document. */
  static long svg(long program, long text) {
    return guarded(() -> storeText(text, PROGRAMS.get(program).svg()));
  }

  /** Closes a program. */
  static long release(long program) {
    return guarded(() -> PROGRAMS.remove(program).close());
  }

  /** Gives a text back. */
  static long free(long text) {
    return guarded(() -> Texts.free(text));
  }

  /**
   * Injects an operator, or replaces it: an expression where the signature is empty, else a
   * function in CUDA C++. Stores {@code elementwise} or {@code reduction} and the names of its
   * inputs, one a line.
   */
  static long inject(
      long name,
      long nameLength,
      long body,
      long bodyLength,
      long signature,
      long signatureLength,
      long text) {
    return guarded(
        () ->
            storeText(
                text,
                Injections.inject(
                    RUNTIMES.all(),
                    Texts.read(name, nameLength),
                    Texts.read(body, bodyLength),
                    Texts.read(signature, signatureLength))));
  }

  /** Stores type and shape, as a graph's text writes them, of what a graph's first call gives. */
  static long infer(long graph, long length, long text) {
    return guarded(() -> storeText(text, Injections.infer(Texts.read(graph, length))));
  }

  /** Nothing may leave an upcall: the JVM would end the process. */
  private static long guarded(Body body) {
    try {
      body.run();
      return 0;
    } catch (Throwable failure) {
      return Texts.error(failure);
    }
  }

  private static void storeText(long address, String text) {
    store(address, Texts.give(Objects.requireNonNull(text)));
  }

  private static void store(long address, long word) {
    MemorySegment.ofAddress(address).reinterpret(Long.BYTES).set(ValueLayout.JAVA_LONG, 0, word);
  }
}

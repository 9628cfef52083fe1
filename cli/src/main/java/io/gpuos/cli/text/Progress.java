package io.gpuos.cli.text;

import java.io.PrintWriter;

/**
 * What a long command is doing now, on standard error: one line that is rewritten on a terminal, a
 * line for each step elsewhere.
 */
public final class Progress implements AutoCloseable {

  private static final String CLEAR = "\r\u001b[K";
  private static final long DETAIL_NANOS = 2_000_000_000;

  private final PrintWriter err;
  private final String command;
  private final boolean terminal;
  private long shown = System.nanoTime();

  /**
   * @param terminal whether {@code err} is a terminal, so that a line can be rewritten
   */
  public Progress(PrintWriter err, String command, boolean terminal) {
    this.err = err;
    this.command = command;
    this.terminal = terminal;
  }

  /** Says what comes next. */
  public void step(String what) {
    String line = "gpuos: " + command + ": " + what;
    if (terminal) {
      err.print(CLEAR + line);
      err.flush();
    } else {
      err.println(line);
    }
    shown = System.nanoTime();
  }

  /**
   * Says what a step is at. Where lines stay, only after two seconds of silence, so that they stay
   * few.
   */
  public void detail(String what) {
    if (terminal || System.nanoTime() - shown >= DETAIL_NANOS) {
      step(what);
    }
  }

  /** Takes the line away. */
  @Override
  public void close() {
    if (terminal) {
      err.print(CLEAR);
      err.flush();
    }
  }
}

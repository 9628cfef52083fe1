package io.gpuos.cli.text;

import java.io.PrintWriter;

/**
 * What a long command is doing now, on standard error: one line that is rewritten on a terminal, a
 * line for each step elsewhere.
 */
public final class Progress implements AutoCloseable {

  private static final String CLEAR = "\r\u001b[K";

  private final PrintWriter err;
  private final String command;
  private final boolean terminal;

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

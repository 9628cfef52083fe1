package io.gpuos.cli.text;

import java.io.PrintWriter;
import java.util.Locale;

/**
 * What a long command is doing now, on standard error: one line that is rewritten on a terminal, a
 * line for each step elsewhere. A thread of its own speaks for steps that may take long and cannot
 * speak for themselves. Used by one thread besides.
 */
public final class Progress implements AutoCloseable {

  private static final String CLEAR = "\r\u001b[K";
  private static final long DETAIL_NANOS = 2_000_000_000;
  private static final long TERMINAL_MILLIS = 500;
  private static final long SECOND = 1_000_000_000;

  /** Where lines stay, the next comes after twice the time. */
  private static final int PATIENCE = 2;

  private final PrintWriter err;
  private final String command;
  private final boolean terminal;

  // Guarded by this, as is what is printed.
  private long shown = System.nanoTime();
  private String longStep;
  private long longStepBegin;
  private Thread speaker;
  private boolean closed;

  /**
   * @param terminal whether {@code err} is a terminal, so that a line can be rewritten
   */
  public Progress(PrintWriter err, String command, boolean terminal) {
    this.err = err;
    this.command = command;
    this.terminal = terminal;
  }

  /** Says what comes next. */
  public synchronized void step(String what) {
    longStep = null;
    say(what);
  }

  private void say(String what) {
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
  public synchronized void detail(String what) {
    if (terminal || System.nanoTime() - shown >= DETAIL_NANOS) {
      step(what);
    }
  }

  /** What comes next; said with the seconds it takes, once that is more than two. */
  public synchronized void longStep(String what) {
    longStep = what;
    longStepBegin = System.nanoTime();
    if (speaker == null) {
      speaker = Thread.ofPlatform().daemon().name("gpuos-progress").start(this::speak);
    }
    notifyAll();
  }

  private synchronized void speak() {
    try {
      String spoken = null;
      long next = DETAIL_NANOS;
      while (!closed) {
        if (spoken != longStep) {
          spoken = longStep;
          next = DETAIL_NANOS;
        }
        long elapsed = System.nanoTime() - longStepBegin;
        if (longStep != null && elapsed >= next) {
          say(String.format(Locale.ROOT, "%s, %d s", longStep, elapsed / SECOND));
          next = terminal ? elapsed + SECOND : elapsed * PATIENCE;
        }
        wait(TERMINAL_MILLIS);
      }
    } catch (InterruptedException _) {
      // Nobody does that; the command goes on in silence.
    }
  }

  /** Takes the line away. */
  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
    if (terminal) {
      err.print(CLEAR);
      err.flush();
    }
  }
}

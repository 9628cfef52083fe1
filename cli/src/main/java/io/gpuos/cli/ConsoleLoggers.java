package io.gpuos.cli;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.text.MessageFormat;
import java.util.Locale;
import java.util.ResourceBundle;

/**
 * The command's log: what the runtime says in one line each on standard error, as everything else
 * the command has to say beside its results. Found by the JDK as a service.
 */
public final class ConsoleLoggers extends System.LoggerFinder {

  /** The least that is shown of the runtime's messages. */
  private static volatile Level shown = Level.INFO;

  /** Shows the runtime's messages from that level on; of others, warnings at most. */
  static void showFrom(Level level) {
    shown = level;
  }

  /** Called by the JDK. */
  public ConsoleLoggers() {}

  @Override
  public Logger getLogger(String name, Module module) {
    return new ConsoleLogger(name);
  }

  /** Passes on the runtime's messages, and the warnings of others. */
  private record ConsoleLogger(String name) implements Logger {

    @Override
    public String getName() {
      return name;
    }

    @Override
    public boolean isLoggable(Level level) {
      Level least = name.startsWith("io.gpuos") ? shown : Level.WARNING;
      return level != Level.OFF && level.compareTo(least) >= 0;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
      if (isLoggable(level)) {
        print(level, thrown == null ? message : message + ": " + thrown);
      }
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
      if (isLoggable(level)) {
        boolean plain = parameters == null || parameters.length == 0;
        print(level, plain ? format : new MessageFormat(format, Locale.ROOT).format(parameters));
      }
    }

    private static void print(Level level, String message) {
      String severity = level == Level.INFO ? "" : level.getName().toLowerCase(Locale.ROOT) + ": ";
      System.err.println("gpuos: " + severity + message.lines().findFirst().orElse(""));
    }
  }
}

package io.gpuos.cli;

import io.gpuos.cli.text.Json;
import io.gpuos.cli.text.Progress;
import io.gpuos.file.OutputFiles;
import java.io.Console;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.function.Consumer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Where and how a command prints, shared by all. */
final class OutputOptions {

  @Spec(Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--json", description = "Print one JSON document instead of text.")
  private boolean json;

  private boolean quiet;
  private boolean standardOutputTaken;

  @Option(
      names = "--quiet",
      defaultValue = "false",
      description = "Say nothing beside results, warnings and errors.")
  private void setQuiet(boolean value) {
    quiet = value;
    ConsoleLoggers.showFrom(value ? Level.WARNING : Level.INFO);
  }

  /**
   * If that file is standard output, what {@link #print} prints goes to standard error, so that
   * whoever reads the file reads nothing else.
   */
  void leaveStandardOutputTo(Path file) {
    standardOutputTaken |= OutputFiles.isStandardOutput(file);
  }

  /**
   * Prints the result.
   *
   * @param result the document for {@code --json}
   * @param text prints it for people
   */
  void print(Object result, Consumer<PrintWriter> text) {
    PrintWriter out = standardOutputTaken ? err() : command.commandLine().getOut();
    if (json) {
      out.println(Json.of(result));
    } else {
      text.accept(out);
    }
    out.flush();
  }

  /** Standard error. */
  PrintWriter err() {
    return command.commandLine().getErr();
  }

  /** Progress lines on standard error. */
  Progress progress() {
    Console console = System.console();
    String name = command.qualifiedName().replaceFirst("^gpuos ", "");
    PrintWriter target = quiet ? new PrintWriter(Writer.nullWriter()) : err();
    return new Progress(target, name, !quiet && console != null && console.isTerminal());
  }
}

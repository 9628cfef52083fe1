package io.gpuos.cli;

import io.gpuos.cli.text.Json;
import io.gpuos.cli.text.Progress;
import java.io.Console;
import java.io.PrintWriter;
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

  /**
   * Prints the result.
   *
   * @param result the document for {@code --json}
   * @param text prints it for people
   */
  void print(Object result, Consumer<PrintWriter> text) {
    PrintWriter out = command.commandLine().getOut();
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
    return new Progress(err(), name, console != null && console.isTerminal());
  }
}

package io.gpuos.cli;

import io.gpuos.error.GpuosException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/**
 * Entry point of the {@code gpuos} command. Subcommands are registered here, and only here: a
 * {@link java.util.concurrent.Callable} of the exit code each, in the order {@code --help} lists
 * them.
 */
@Command(
    name = "gpuos",
    description = "Runs many small tensor operations through resident workers.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {CommandLine.HelpCommand.class})
public final class Main implements Runnable {

  /** The command ran and found something wrong, or GPUOS itself has a defect. */
  static final int EXIT_FAILED = 1;

  /** The command was asked for something that cannot be done; one line says why. */
  static final int EXIT_INVALID = 2;

  /** What the launcher of a checkout does itself; it sets {@code gpuos.checkout}. */
  private static final String[] CHECKOUT_COMMANDS = {
    "In a checkout also:",
    "  test    Run every test and check.",
    "  build   Build, even when nothing changed.",
    "  format  Rewrite the sources in the project's style.",
    "  nvrtc   Fetch the CUDA run-time compiler, for machines without CUDA.",
    "  dist    Pack a distribution that needs no Java: dist [--out FILE]."
  };

  @Spec private CommandSpec spec;

  private Main() {}

  /**
   * Runs one command and ends the process with its exit code.
   *
   * @param arguments the command line, without the program's name
   */
  public static void main(String[] arguments) {
    System.exit(commandLine().execute(arguments));
  }

  /** The command with everything configured, for {@link #main} and for tests. */
  static CommandLine commandLine() {
    CommandLine command = new CommandLine(new Main());
    if (System.getProperty("gpuos.checkout") != null) {
      command.getCommandSpec().usageMessage().footer(CHECKOUT_COMMANDS);
    }
    return command
        .setExecutionExceptionHandler(Main::report)
        .setParameterExceptionHandler(Main::reportUsage);
  }

  /** Reached when no subcommand was named. */
  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no command given: expected=one of " + names());
  }

  private String names() {
    return String.join(", ", spec.subcommands().keySet());
  }

  private static int report(Exception failure, CommandLine command, ParseResult arguments) {
    PrintWriter err = command.getErr();
    if (failure instanceof GpuosException) {
      err.println("gpuos: " + failure.getMessage());
      return EXIT_INVALID;
    }
    failure.printStackTrace(err);
    return EXIT_FAILED;
  }

  private static int reportUsage(ParameterException failure, String[] arguments) {
    CommandLine command = failure.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("gpuos: " + failure.getMessage());
    err.println("Try: " + command.getCommandSpec().qualifiedName() + " --help");
    return EXIT_INVALID;
  }
}

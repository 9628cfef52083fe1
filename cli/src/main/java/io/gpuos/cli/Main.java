package io.gpuos.cli;

import io.gpuos.error.CompileException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.Messages;
import io.gpuos.file.StandardOutput;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

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
    scope = ScopeType.INHERIT,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      RunCommand.class,
      InjectCommand.class,
      DemoCommand.class,
      OpsCommand.class,
      DoctorCommand.class,
      BenchCommand.class,
      TraceCommand.class,
      CommandLine.HelpCommand.class
    })
public final class Main implements Runnable {

  /** The command did what was asked. */
  static final int EXIT_OK = 0;

  /** The command ran and a result was wrong, or did not arrive where it was to go. */
  static final int EXIT_WRONG = 1;

  /** The command was asked for something that cannot be done; one line says why. */
  static final int EXIT_INVALID = 2;

  /** GPUOS itself has a defect. */
  static final int EXIT_DEFECT = 3;

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

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print the stack trace of an error.")
  private boolean debug;

  private Main() {}

  /**
   * Runs one command and ends the process with its exit code.
   *
   * @param arguments the command line, without the program's name
   */
  public static void main(String[] arguments) {
    // Numbers look the same everywhere: others read them.
    Locale.setDefault(Locale.ROOT);
    System.exit(execute(commandLine(), new StandardOutput(), arguments));
  }

  /**
   * Runs one command.
   *
   * @param standardOutput where its results go
   * @return the exit code; {@link #EXIT_WRONG} too where results could not be written
   */
  static int execute(CommandLine command, OutputStream standardOutput, String... arguments) {
    CheckedOutput checked = new CheckedOutput(standardOutput);
    PrintWriter out = checked.writer(System.out.charset());
    int exitCode = command.setOut(out).execute(arguments);
    out.flush();
    if (checked.failure().isEmpty()) {
      return exitCode;
    }
    command
        .getErr()
        .println(
            "gpuos: cannot write: file=standard output, reason=%s, expected=one that takes all of it"
                .formatted(Messages.line(checked.failure().get().getMessage())));
    return exitCode == EXIT_OK ? EXIT_WRONG : exitCode;
  }

  /** The command with everything configured, for {@link #main} and for tests. */
  static CommandLine commandLine() {
    Main main = new Main();
    CommandLine command = new CommandLine(main);
    if (System.getProperty("gpuos.checkout") != null) {
      command.getCommandSpec().usageMessage().footer(CHECKOUT_COMMANDS);
    }
    letArgumentsBeginWithAMinus(command.getSubcommands().get("run").getCommandSpec());
    return command
        .registerConverter(Path.class, Main::path)
        .setUsageHelpAutoWidth(true)
        .setExecutionStrategy(Main::executeCatchingErrors)
        .setExecutionExceptionHandler(main::report)
        .setParameterExceptionHandler(main::reportUsage);
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new TypeConversionException(
          "not a path: path=%s, expected=%s".formatted(text, e.getReason()));
    }
  }

  /**
   * For a command whose argument is an expression, which may begin with a minus: only whole words
   * that are options are options. There are no short ones, so that {@code -h} is minus h.
   */
  private static void letArgumentsBeginWithAMinus(CommandSpec spec) {
    spec.parser().unmatchedOptionsArePositionalParams(true);
    for (OptionSpec option : List.copyOf(spec.options())) {
      spec.remove(option);
      spec.addOption(OptionSpec.builder(option).names(option.longestName()).build());
    }
  }

  /** Reached when no subcommand was named. */
  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no command given: expected=one of " + names(spec));
  }

  /** The subcommands of a command, for messages. */
  static String names(CommandSpec spec) {
    return String.join(", ", spec.subcommands().keySet());
  }

  /** Picocli handles exceptions only; errors are to be reported in the same way. */
  private static int executeCatchingErrors(ParseResult arguments) {
    try {
      return new RunLast().execute(arguments);
    } catch (Error e) {
      throw new ExecutionException(arguments.commandSpec().commandLine(), e.toString(), e);
    }
  }

  private int report(Exception failure, CommandLine command, ParseResult arguments) {
    PrintWriter err = command.getErr();
    Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
    int exitCode =
        switch (cause) {
          case WrongResultException _ -> EXIT_WRONG;
          case GpuosException _ -> EXIT_INVALID;
          default -> EXIT_DEFECT;
        };
    if (exitCode == EXIT_DEFECT) {
      err.println("gpuos: internal error: " + Messages.line(cause.toString()));
      cause.printStackTrace(err);
      err.println("gpuos: this is a defect of GPUOS; please report it with the lines above");
    } else {
      reportLine(err, cause);
    }
    return exitCode;
  }

  private int reportUsage(ParameterException failure, String[] arguments) {
    CommandLine command = failure.getCommandLine();
    String help = command.getCommandSpec().qualifiedName() + " --help";
    command.getErr().println("gpuos: " + Messages.line(failure.getMessage()) + "; try: " + help);
    if (debug) {
      failure.printStackTrace(command.getErr());
    }
    return EXIT_INVALID;
  }

  private void reportLine(PrintWriter err, Throwable failure) {
    err.println("gpuos: " + oneLine(failure));
    if (debug) {
      failure.printStackTrace(err);
    }
  }

  /** Of a compiler's refusal the first line: its log follows, and is part of the stack trace. */
  private static String oneLine(Throwable failure) {
    String message = String.valueOf(failure.getMessage());
    return failure instanceof CompileException
        ? message.lines().findFirst().orElse("")
        : Messages.line(message);
  }
}

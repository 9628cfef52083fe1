package io.gpuos.cli;

import io.gpuos.cli.bench.Environment;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import io.gpuos.driver.Cuda;
import io.gpuos.file.OutputFiles;
import java.io.Console;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/**
 * The options of {@code gpuos bench paper}, most of which go on to {@code python -m gpuos.bench}.
 */
final class PaperOptions {

  private static final int ROUNDS = 31;
  private static final int QUICK_ROUNDS = 5;

  @Spec(Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--quick", description = "Few rounds and rows, to see that it works.")
  private boolean quick;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      arity = "0..1",
      fallbackValue = "-",
      description =
          "The result as JSON, to a file; without one to standard output, and nothing else.")
  private Path json;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "The report, one page; needs Python with PyTorch.")
  private Path html;

  @Option(names = "--only", paramLabel = "TABLE", description = "One table; may be repeated.")
  private List<String> only = new ArrayList<>();

  @Option(
      names = "--time-limit",
      paramLabel = "SECONDS",
      description = "Rows that have not begun by then are left out; Python's, that is.")
  private Double timeLimit;

  @Option(
      names = "--units",
      paramLabel = "N",
      description = "Operations of a program; 1000 on a GPU, 100 else.")
  private Integer units;

  @Option(names = "--rounds", paramLabel = "N", description = "31 by default, 5 with --quick.")
  private Integer rounds;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Decides over the values; 1 by default.")
  private long seed;

  @Option(names = "--java-only", description = "Measure the Java column alone.")
  private boolean javaOnly;

  @Option(
      names = "--python",
      paramLabel = "COMMAND",
      description = "The Python that has PyTorch; by default python3, then python, on the path.")
  private String python;

  private boolean quiet;

  @Option(
      names = "--quiet",
      defaultValue = "false",
      description = "Say nothing beside results, warnings and errors.")
  private void setQuiet(boolean value) {
    quiet = value;
    ConsoleLoggers.showFrom(value ? Level.WARNING : Level.INFO);
  }

  /** Checks, before the work, that the files can be written and that the numbers make sense. */
  void requireWritable() {
    for (Path file : new Path[] {json, html}) {
      if (file != null && !OutputFiles.isStandardOutput(file)) {
        OutputFiles.requireWritable(file);
      }
    }
    requirePositive("--units", units);
    requirePositive("--rounds", rounds);
    requirePositive("--time-limit", timeLimit);
  }

  private void requirePositive(String name, Number value) {
    if (value != null && !(value.doubleValue() > 0)) {
      throw new ParameterException(
          command.commandLine(), "number: %s=%s, expected=more than 0".formatted(name, value));
    }
  }

  /** What {@code python -m gpuos.bench} is told of this. */
  List<String> forPython() {
    List<String> arguments = new ArrayList<>();
    if (quick) {
      arguments.add("--quick");
    }
    if (quiet) {
      arguments.add("--quiet");
    }
    add(arguments, "--json", json);
    add(arguments, "--html", html);
    add(arguments, "--time-limit", timeLimit);
    add(arguments, "--units", units);
    add(arguments, "--rounds", rounds);
    add(arguments, "--seed", seed);
    only.forEach(table -> add(arguments, "--only", table));
    return arguments;
  }

  private static void add(List<String> arguments, String name, Object value) {
    if (value != null) {
      // One word, since a file may begin with a minus.
      arguments.add(name + "=" + value);
    }
  }

  /** Describes the run. */
  Environment environment(ComputeDevice device) {
    List<String> commandLine = command.root().commandLine().getParseResult().originalArgs();
    String driver = device.name().startsWith("cuda") ? Cuda.open().toString() : "none";
    return Environment.of(
        device,
        new Environment.Run(Version.version(), Version.commit(), driver, seed, commandLine));
  }

  Progress progress() {
    Console console = System.console();
    PrintWriter target = quiet ? new PrintWriter(Writer.nullWriter()) : err();
    return new Progress(target, "bench paper", !quiet && console != null && console.isTerminal());
  }

  boolean quick() {
    return quick;
  }

  boolean javaOnly() {
    return javaOnly;
  }

  Path json() {
    return json;
  }

  Path html() {
    return html;
  }

  List<String> only() {
    return only;
  }

  OptionalInt units() {
    return units == null ? OptionalInt.empty() : OptionalInt.of(units);
  }

  int rounds() {
    return rounds != null ? rounds : quick ? QUICK_ROUNDS : ROUNDS;
  }

  long seed() {
    return seed;
  }

  /** The Python that was named, or null. */
  String python() {
    return python;
  }

  PrintWriter out() {
    return command.commandLine().getOut();
  }

  PrintWriter err() {
    return command.commandLine().getErr();
  }
}

package io.gpuos.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code gpuos bench}: the benchmarks, a subcommand each. */
@Command(
    name = "bench",
    description = "Measures what operations cost.",
    synopsisSubcommandLabel = "BENCHMARK",
    subcommands = {
      BenchMicroCommand.class,
      BenchInjectCommand.class,
      BenchProgramsCommand.class,
      BenchPaperCommand.class,
      BenchCompareCommand.class
    })
final class BenchCommand implements Runnable {

  @Spec private CommandSpec spec;

  /** Reached when no benchmark was named. */
  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no benchmark given: expected=one of " + Main.names(spec));
  }
}

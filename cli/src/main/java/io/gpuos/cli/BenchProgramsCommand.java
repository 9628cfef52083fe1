package io.gpuos.cli;

import io.gpuos.cli.bench.ProgramsBenchmark;
import io.gpuos.cli.bench.ProgramsReport;
import io.gpuos.cli.bench.WrongResult;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gpuos bench programs}: recorded programs, each checked before it is timed. */
@Command(name = "programs", description = "Measures what replays of recorded programs cost.")
final class BenchProgramsCommand implements Callable<Integer> {

  @Mixin private DeviceOptions device;
  @Mixin private BenchOptions options;
  @Mixin private OutputOptions output;

  @Option(
      names = "--only",
      paramLabel = "NAME",
      defaultValue = "",
      description = "One workload, by its name in the table.")
  private String only;

  @Override
  public Integer call() {
    options.requireWritable();
    options.file().ifPresent(output::leaveStandardOutputTo);
    ProgramsReport report = run();
    options.write(report);
    output.print(report, out -> print(report, out));
    return Main.EXIT_OK;
  }

  private ProgramsReport run() {
    try (Progress progress = output.progress()) {
      return ProgramsBenchmark.run(
          device::open, options::environment, only, options.quick(), progress);
    } catch (WrongResult e) {
      throw new WrongResultException(e.getMessage());
    }
  }

  private static void print(ProgramsReport report, PrintWriter out) {
    out.println(
        "device: %s (%s)"
            .formatted(report.environment().device(), report.environment().deviceDescription()));
    out.println();
    Table table = Table.of("workload", ">median", ">p25", ">p75", "", ">goal", ">graph", "what");
    for (ProgramsReport.Measured one : report.workloads()) {
      table.row(
          one.name(),
          Units.small(one.medianUs()),
          Units.small(one.p25Us()),
          Units.small(one.p75Us()),
          "us",
          Units.small(one.goalUs()),
          one.graph().map(BenchProgramsCommand::graph).orElse("-"),
          one.what());
    }
    table.print(out);
    out.println();
    report.workloads().stream()
        .map(ProgramsReport.Measured::timed)
        .distinct()
        .forEach(timed -> out.println("timed: " + timed));
    out.println("CUDA graphs: " + report.graphs());
    report
        .workloads()
        .forEach(
            one ->
                one.graph()
                    .filter(graph -> graph.failure() != null)
                    .ifPresent(graph -> out.println(one.name() + ": " + graph.failure())));
  }

  private static String graph(ProgramsReport.Graph graph) {
    return graph.failure() == null ? Units.small(graph.medianUs()) : "failed";
  }
}

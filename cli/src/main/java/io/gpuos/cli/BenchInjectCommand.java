package io.gpuos.cli;

import io.gpuos.cli.bench.InjectBenchmark;
import io.gpuos.cli.bench.InjectReport;
import io.gpuos.cli.bench.WrongResult;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gpuos bench inject}: bringing operators into running workers, and replacing them. */
@Command(
    name = "inject",
    description = "Measures how operators come into running workers and are replaced there.")
final class BenchInjectCommand implements Callable<Integer> {

  @Mixin private DeviceOptions device;
  @Mixin private BenchOptions options;
  @Mixin private OutputOptions output;

  @Override
  public Integer call() {
    options.requireWritable();
    InjectReport report = run();
    options.write(report);
    output.print(report, out -> print(report, out));
    if (report.stress().wrong() != 0) {
      throw new WrongResultException(
          String.format(
              Locale.ROOT,
              "wrong result: operation=live operator under random events, tasks=%d, wrong=%d, seed=%d",
              report.stress().tasks(),
              report.stress().wrong(),
              report.stress().seed()));
    }
    return Main.EXIT_OK;
  }

  private InjectReport run() {
    try (Progress progress = output.progress()) {
      return InjectBenchmark.run(device::open, options::environment, options.quick(), progress);
    } catch (WrongResult e) {
      throw new WrongResultException(e.getMessage());
    }
  }

  private static void print(InjectReport report, PrintWriter out) {
    out.println(
        "device: %s (%s)"
            .formatted(report.environment().device(), report.environment().deviceDescription()));
    out.println();
    Table table = Table.of("measurement", ">p50", ">p99", ">worst", "", "how");
    InjectReport.Fed fed = report.fed();
    broughtIn(table, "bring in a cached operator", fed);
    broughtIn(table, "the same, first round of this process", report.fresh());
    table.row(
        "prepare such an operator",
        Units.digits(fed.prepareP50Us()),
        Units.digits(fed.prepareP99Us()),
        "",
        "us",
        "the caller's time, with the look into the cache on disk");
    report.driverPauses().ifPresent(pauses -> pause(table, pauses));
    InjectReport.FirstUse first = report.firstUse();
    table.row(
        "first result of a new expression",
        Units.digits(first.firstResultP50Us()),
        "",
        Units.digits(first.firstResultWorstUs()),
        "us",
        String.format(
            Locale.ROOT, "%d in no cache; the interpreter is ready", first.expressions()));
    table.row(
        "its compiled generation",
        Units.digits(first.compiledP50Ms()),
        "",
        Units.digits(first.compiledWorstMs()),
        "ms",
        "from the same start");
    InjectReport.EmptyCacheUse empty = first.emptyCache();
    table.row(
        "first result after opening, empty cache",
        Units.digits(empty.firstResultP50Us()),
        "",
        Units.digits(empty.firstResultWorstUs()),
        "us",
        String.format(
            Locale.ROOT,
            "%d openings, which took %s ms (p50) before that",
            empty.openings(),
            Units.digits(empty.openP50Ms())));
    table.print(out);
    out.println();
    InjectReport.Throughput throughput = report.throughput();
    out.println(
        String.format(
            Locale.ROOT,
            "%d injections and rollbacks: slowest 10 ms had %s tasks, the median without %s (its slowest %s): %s %%",
            throughput.changes(),
            Units.digits(throughput.least()),
            Units.digits(throughput.undisturbed()),
            Units.digits(throughput.undisturbedLeast()),
            Units.digits(100 * throughput.ratio())));
    InjectReport.Stress stress = report.stress();
    out.println(
        String.format(
            Locale.ROOT,
            "%d tasks under %d events (seed %d): %d publications, %d rollbacks, %d parks, %d refusals",
            stress.tasks(),
            stress.events(),
            stress.seed(),
            stress.publications(),
            stress.rollbacks(),
            stress.parks(),
            stress.failedAsExpected()));
    out.println(
        String.format(
            Locale.ROOT,
            "%d submitted = %d verified + %d failed as expected + %d wrong, %d launches",
            stress.submitted(),
            stress.verified(),
            stress.failedAsExpected(),
            stress.wrong(),
            stress.launches()));
    out.println();
    BenchMicroCommand.goals(report.goals(), out);
  }

  private static void broughtIn(Table table, String what, InjectReport.Fed fed) {
    table.row(
        what,
        Units.digits(fed.p50Us()),
        Units.digits(fed.p99Us()),
        Units.digits(fed.worstUs()),
        "us",
        String.format(
            Locale.ROOT,
            "%d of %d that were not interpreted first, while the ring is fed; %d launches meanwhile",
            fed.totalUs().length,
            fed.operators(),
            fed.launchesAfter() - fed.launchesBefore()));
  }

  private static void pause(Table table, InjectReport.DriverPauses pauses) {
    table.row(
        "driver fallback, pause",
        Units.digits(pauses.p50Us()),
        Units.digits(pauses.p99Us()),
        Units.digits(pauses.worstUs()),
        "us",
        String.format(
            Locale.ROOT,
            "%d loads, from asking the workers to leave to the first task after",
            pauses.loads()));
  }
}

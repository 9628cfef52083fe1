package io.gpuos.cli;

import io.gpuos.cli.bench.Environment;
import io.gpuos.cli.bench.Goal;
import io.gpuos.cli.bench.MicroBenchmark;
import io.gpuos.cli.bench.MicroReport;
import io.gpuos.cli.bench.WrongResult;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import io.gpuos.device.OpenPhases;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gpuos bench micro}: submission, latency, throughput, bandwidth, opening. */
@Command(
    name = "micro",
    description = "Measures submission, latency, throughput, bandwidth and opening.")
final class BenchMicroCommand implements Callable<Integer> {

  @Mixin private DeviceOptions device;
  @Mixin private BenchOptions options;
  @Mixin private OutputOptions output;

  @Override
  public Integer call() {
    options.requireWritable();
    options.file().ifPresent(output::leaveStandardOutputTo);
    MicroReport report = run();
    options.write(report);
    output.print(report, out -> print(report, out));
    return Main.EXIT_OK;
  }

  private MicroReport run() {
    try (Progress progress = output.progress()) {
      return MicroBenchmark.run(device::open, options::environment, options.quick(), progress);
    } catch (WrongResult e) {
      throw new WrongResultException(e.getMessage());
    }
  }

  private static void print(MicroReport report, PrintWriter out) {
    Environment environment = report.environment();
    out.println("device: %s (%s)".formatted(environment.device(), environment.deviceDescription()));
    out.println();
    Table table = Table.of("measurement", ">median", ">best", ">p90", "", "rounds, and how");
    submit(table, "submit one prepared call, hot", report.submit());
    submit(table, "submit one prepared call", report.submitDistinct());
    latency(table, report.latency());
    report.throughput().forEach(throughput -> throughput(table, throughput));
    MicroReport.Bandwidth bandwidth = report.bandwidth();
    moved(
        table,
        String.format(Locale.ROOT, "an addition of %d elements", bandwidth.elements()),
        bandwidth.add());
    moved(table, "a copy by an operator", bandwidth.copyOperator());
    moved(table, "the device's own copy", bandwidth.deviceCopy());
    open(table, report.open());
    table.print(out);
    out.println();
    out.println(
        "the addition moves bytes at %s %% of the rate of the device's own copy"
            .formatted(Units.digits(100 * bandwidth.addOverCopy())));
    if (environment.device().startsWith("cuda")) {
      goals(report.goals(), out);
    }
  }

  private static void submit(Table table, String name, MicroReport.Submit submit) {
    table.row(
        name,
        Units.digits(submit.medianNs()),
        Units.digits(submit.bestNs()),
        Units.digits(submit.p90Ns()),
        "ns",
        String.format(
            Locale.ROOT,
            "%d x %d calls, %d different ones, host time",
            submit.roundsNs().length,
            submit.calls(),
            submit.distinct()));
  }

  private static void latency(Table table, MicroReport.Latency latency) {
    table.row(
        "one operation, submit to complete",
        Units.digits(latency.p50Us()),
        Units.digits(latency.bestUs()),
        Units.digits(latency.p90Us()),
        "us",
        String.format(
            Locale.ROOT,
            "%d, p10 %s us, p99 %s us",
            latency.operations(),
            Units.digits(latency.p10Us()),
            Units.digits(latency.p99Us())));
  }

  /** Two lines: until complete, and what of it the host took. */
  private static void throughput(Table table, MicroReport.Throughput throughput) {
    boolean batch = throughput.how().equals("batch");
    boolean slab = throughput.storage().equals("slab");
    table.row(
        String.format(
            Locale.ROOT,
            "an addition of %d elements, %s",
            throughput.size(),
            batch ? "in a batch" : "one by one"),
        Units.small(throughput.medianUs()),
        Units.small(throughput.bestUs()),
        Units.small(throughput.p90Us()),
        "us",
        String.format(
            Locale.ROOT,
            "%d x %d independent ones, %s, first submit to all complete",
            throughput.roundsUs().length,
            throughput.operations(),
            slab ? "rows of a slab" : "separate tensors"));
    table.row(
        "",
        Units.digits(throughput.hostMedianNs()),
        Units.digits(throughput.hostBestNs()),
        Units.digits(throughput.hostP90Ns()),
        "ns",
        "of that, host time to submit");
  }

  private static void open(Table table, MicroReport.Open open) {
    table.row(
        "open the device again",
        Units.digits(median(open.againMs())),
        Units.digits(Arrays.stream(open.againMs()).min().orElse(0)),
        "",
        "ms",
        String.format(
            Locale.ROOT,
            "%d, the first in this process took %s ms",
            open.againMs().length,
            Units.digits(open.firstMs())));
    for (OpenPhases.Phase phase : open.firstPhases()) {
      table.row("", Units.digits(phase.millis()), "", "", "ms", "of the first: " + phase.name());
    }
  }

  static void goals(List<Goal> goals, PrintWriter out) {
    Table table = Table.of("goal", "", ">goal", ">measured", "", "verdict");
    for (Goal goal : goals) {
      table.row(
          goal.name(),
          goal.bound() == Goal.Bound.AT_MOST ? "at most" : "at least",
          Units.small(goal.goal()),
          Units.small(goal.measured()),
          goal.unit(),
          goal.met() ? "met" : "missed");
    }
    out.println();
    table.print(out);
  }

  private static double median(double[] numbers) {
    return Arrays.stream(numbers).sorted().skip(numbers.length / 2).findFirst().orElse(0);
  }

  private static void moved(Table table, String name, MicroReport.Moved moved) {
    table.row(
        name,
        Units.digits(moved.medianUs()),
        Units.digits(moved.bestUs()),
        Units.digits(moved.p90Us()),
        "us",
        String.format(
            Locale.ROOT,
            "%d x %s read and written, median %s GB/s",
            moved.roundsGbS().length,
            Units.bytes(moved.bytes()),
            Units.digits(moved.medianGbS())));
  }
}

package io.gpuos.cli;

import io.gpuos.cli.bench.Environment;
import io.gpuos.cli.bench.MicroBenchmark;
import io.gpuos.cli.bench.MicroReport;
import io.gpuos.cli.bench.WrongResult;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import java.io.PrintWriter;
import java.util.Arrays;
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
    Table table = Table.of("measurement", ">median", ">best", "", "rounds, and how");
    MicroReport.Submit submit = report.submit();
    table.row(
        "submit one prepared operation",
        Units.digits(submit.medianNs()),
        Units.digits(submit.bestNs()),
        "ns",
        "%d x %d calls, host time".formatted(submit.roundsNs().length, submit.calls()));
    MicroReport.Latency latency = report.latency();
    table.row(
        "one operation, submit to complete",
        Units.digits(latency.p50Us()),
        Units.digits(latency.bestUs()),
        "us",
        "%d, p99 %s us".formatted(latency.operations(), Units.digits(latency.p99Us())));
    for (MicroReport.Throughput throughput : report.throughput()) {
      table.row(
          "an addition of %d elements".formatted(throughput.size()),
          Units.digits(throughput.medianUs()),
          Units.digits(throughput.bestUs()),
          "us",
          "%d x %d independent ones, first submit to all complete"
              .formatted(throughput.roundsUs().length, throughput.operations()));
    }
    MicroReport.Bandwidth bandwidth = report.bandwidth();
    moved(table, "an addition of %d elements".formatted(bandwidth.elements()), bandwidth.add());
    moved(table, "a copy by an operator", bandwidth.copyOperator());
    moved(table, "the device's own copy", bandwidth.deviceCopy());
    MicroReport.Open open = report.open();
    table.row(
        "open the device again",
        Units.digits(median(open.againMs())),
        Units.digits(Arrays.stream(open.againMs()).min().orElse(0)),
        "ms",
        "%d, the first in this process took %s ms"
            .formatted(open.againMs().length, Units.digits(open.firstMs())));
    table.print(out);
    out.println();
    out.println(
        "the addition moves bytes at %s %% of the rate of the device's own copy"
            .formatted(Units.digits(100 * bandwidth.addOverCopy())));
  }

  private static double median(double[] numbers) {
    return Arrays.stream(numbers).sorted().skip(numbers.length / 2).findFirst().orElse(0);
  }

  private static void moved(Table table, String name, MicroReport.Moved moved) {
    table.row(
        name,
        Units.digits(moved.medianGbS()),
        Units.digits(moved.bestGbS()),
        "GB/s",
        "%d x %s read and written".formatted(moved.roundsGbS().length, Units.bytes(moved.bytes())));
  }
}

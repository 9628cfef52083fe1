package io.gpuos.cli;

import io.gpuos.Gpuos;
import io.gpuos.cli.demo.Demo;
import io.gpuos.cli.demo.DemoReport;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import io.gpuos.error.InvalidInputException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gpuos demo}: the main job, with every result checked. */
@Command(
    name = "demo",
    description = "Runs many small operations of all kinds and checks every result.",
    footer = {"", "Exit code 1 if a result is wrong."})
final class DemoCommand implements Callable<Integer> {

  private static final int FEWEST = 100;
  private static final int MOST = 10_000_000;

  @Option(
      names = "--operations",
      paramLabel = "N",
      defaultValue = "10000",
      description = "How many; 10000 by default.")
  private int operations;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Decides over shapes and values; 1 by default.")
  private long seed;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

  @Override
  public Integer call() {
    if (operations < FEWEST || operations > MOST) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "number of operations: --operations=%d, expected=%d to %d",
              operations,
              FEWEST,
              MOST));
    }
    DemoReport report = run();
    output.print(report, out -> print(report, out));
    report.groups().stream()
        .flatMap(group -> group.examples().stream())
        .forEach(example -> output.err().println("gpuos: wrong result: " + example));
    return report.mismatches() == 0 ? Main.EXIT_OK : Main.EXIT_WRONG;
  }

  private DemoReport run() {
    long begin = System.nanoTime();
    try (Gpuos gpu = device.open();
        Progress progress = output.progress()) {
      double openMs = (System.nanoTime() - begin) / 1e6;
      return new Demo(gpu, seed, progress).run(operations, openMs);
    }
  }

  private static void print(DemoReport report, PrintWriter out) {
    out.println("device: %s (%s)".formatted(report.device(), report.deviceDescription()));
    out.println();
    Table table =
        Table.of(
            "group",
            ">operations",
            ">elements",
            ">us/operation",
            ">worst error",
            ">verified",
            ">mismatches");
    for (DemoReport.GroupReport group : report.groups()) {
      row(
          table,
          group.name(),
          group.operations(),
          group.elements(),
          group.usPerOp(),
          group.worstError(),
          group.verified(),
          group.mismatches());
    }
    row(
        table,
        "all",
        report.operations(),
        report.elements(),
        report.usPerOp(),
        report.worstError(),
        report.verified(),
        report.mismatches());
    table.print(out);
    out.println();
    printTimes(report, out);
  }

  private static void row(
      Table table,
      String name,
      int operations,
      DemoReport.Elements elements,
      double usPerOp,
      double worstError,
      int verified,
      int mismatches) {
    table.row(
        name,
        Integer.toString(operations),
        Long.toString(elements.median()),
        Units.digits(usPerOp),
        Units.error(worstError),
        Integer.toString(verified),
        Integer.toString(mismatches));
  }

  private static void printTimes(DemoReport report, PrintWriter out) {
    Table times = Table.of("", ">", "");
    times.row("timed", millis(report.timedMs()), "from submission to completion, in all");
    times.row("not timed", millis(report.openMs()), "to open the device");
    times.row(
        "",
        millis(report.prepareMs()),
        String.format(Locale.ROOT, "to make tensors and compile %d operators", report.operators()));
    times.row("", millis(report.rehearsalMs()), "to rehearse");
    DemoReport.Added added = report.added();
    if (added != null) {
      times.row(
          "",
          millis(added.readyMs()),
          "to add %s with %s in flight"
              .formatted(added.expression(), Units.count(added.inFlight(), "task")));
    }
    times.row("", millis(report.checkMs()), "to check every element against the reference");
    times.print(out);
    out.println();
    out.println(
        String.format(
            Locale.ROOT,
            "Elements are those of the largest tensor of an operation: the median; from %d to %d in all.",
            report.elements().least(),
            report.elements().most()));
    out.println("Errors are relative to the expected value, or to 1 where that is larger.");
    out.println("Seed: " + report.seed());
  }

  private static String millis(double millis) {
    return Units.nanos(millis * 1e6);
  }
}

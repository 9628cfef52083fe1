package io.gpuos.cli;

import io.gpuos.ProgramTrace;
import io.gpuos.cli.bench.ProgramsBenchmark;
import io.gpuos.cli.bench.TraceReport;
import io.gpuos.cli.bench.WrongResult;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import io.gpuos.file.OutputFiles;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gpuos trace}: one replay of a program as a timeline that Perfetto opens. */
@Command(name = "trace", description = "Shows when each node of a program runs on which worker.")
final class TraceCommand implements Callable<Integer> {

  private static final int MOST_ROWS = 20;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

  @Option(
      names = "--only",
      paramLabel = "NAME",
      defaultValue = "encoder",
      description = "A workload of 'bench programs'; ${DEFAULT-VALUE} if absent.")
  private String only;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description =
          "Write the timeline there, as JSON that ui.perfetto.dev and chrome://tracing open.")
  private Path file;

  @Override
  public Integer call() {
    if (file != null) {
      OutputFiles.requireWritable(file);
    }
    ProgramTrace trace = trace();
    TraceReport report = TraceReport.of(only, trace);
    if (file != null) {
      byte[] timeline = TraceReport.timeline(trace).getBytes(StandardCharsets.UTF_8);
      OutputFiles.writeOne(file, channel -> channel.write(ByteBuffer.wrap(timeline)));
    }
    output.print(report, out -> print(report, out));
    return Main.EXIT_OK;
  }

  private ProgramTrace trace() {
    try {
      return ProgramsBenchmark.trace(device::open, only);
    } catch (WrongResult e) {
      throw new WrongResultException(e.getMessage());
    }
  }

  private void print(TraceReport report, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "%s: %d nodes on %d workers in %s us%n",
        report.workload(),
        report.nodes(),
        report.workers(),
        Units.small(report.us()));
    out.println();
    Table table =
        Table.of(">operation", ">nodes", ">busy us", ">first begins", ">last ends", "computes");
    report.operations().stream()
        .limit(MOST_ROWS)
        .forEach(
            one ->
                table.row(
                    Integer.toString(one.operation()),
                    Integer.toString(one.nodes()),
                    Units.small(one.busyUs()),
                    Units.small(one.beginUs()),
                    Units.small(one.endUs()),
                    one.expressions()));
    table.print(out);
    if (report.operations().size() > MOST_ROWS) {
      out.printf(Locale.ROOT, "and %d more operations%n", report.operations().size() - MOST_ROWS);
    }
    if (file != null) {
      out.println("timeline: " + file + "; open it at https://ui.perfetto.dev");
    }
  }
}

package io.gpuos.cli;

import io.gpuos.cli.bench.PaperBenchmark;
import io.gpuos.cli.bench.PaperReport;
import io.gpuos.cli.text.Json;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.InvalidInputException;
import io.gpuos.file.OutputFiles;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/**
 * {@code gpuos bench paper}: the tables of the paper. The Java column is measured here; all others
 * by {@code python -m gpuos.bench}, which makes the report of both.
 */
@Command(
    name = "paper",
    description =
        "Measures the tables of the paper: PyTorch's ways, CUDA graphs and GPUOS, in one report.")
final class BenchPaperCommand implements Callable<Integer> {

  private static final int GPU_UNITS = 1000;
  private static final int CPU_UNITS = 100;
  private static final int QUICK_GPU_UNITS = 200;
  private static final int QUICK_CPU_UNITS = 8;

  @Mixin private DeviceOptions device;
  @Mixin private PaperOptions options;

  @Override
  public Integer call() {
    options.requireWritable();
    if (options.javaOnly() && !PaperBenchmark.names().containsAll(options.only())) {
      throw new InvalidInputException(
          "unknown table: only=%s, expected=of %s"
              .formatted(options.only(), PaperBenchmark.names()));
    }
    PythonBenchmark python = options.javaOnly() ? null : PythonBenchmark.find(options);
    if (python != null && !python.isThere() && options.html() != null) {
      throw new InvalidInputException(
          "no report without Python: html=%s, reason=%s; leave --html out for the Java column alone"
              .formatted(options.html(), python.reason()));
    }
    PaperReport report = measure();
    if (python != null && python.isThere()) {
      return python.run(report, report.settings().device());
    }
    if (python != null) {
      options.err().println("gpuos: the Java column alone: " + python.reason());
    }
    print(report);
    return report.isMeasured() ? Main.EXIT_OK : Main.EXIT_WRONG;
  }

  private PaperReport measure() {
    try (Progress progress = options.progress()) {
      return PaperBenchmark.run(
          settings -> device.open(settings),
          options::environment,
          options.only().isEmpty() ? PaperBenchmark.names() : options.only(),
          settings(),
          progress);
    }
  }

  private PaperReport.Settings settings() {
    boolean cpu;
    try (var gpu = device.open(DeviceSettings.defaults())) {
      cpu = gpu.device().name().equals("cpu");
    }
    boolean quick = options.quick();
    int units = cpu ? (quick ? QUICK_CPU_UNITS : CPU_UNITS) : (quick ? QUICK_GPU_UNITS : GPU_UNITS);
    return new PaperReport.Settings(
        "", quick, options.seed(), options.rounds(), options.units().orElse(units));
  }

  private void print(PaperReport report) {
    Path file = options.json();
    String document = Json.of(report) + "\n";
    if (file != null && !OutputFiles.isStandardOutput(file)) {
      byte[] bytes = document.getBytes(StandardCharsets.UTF_8);
      OutputFiles.writeOne(file, channel -> channel.write(ByteBuffer.wrap(bytes)));
    }
    PrintWriter out = options.out();
    if (file != null && OutputFiles.isStandardOutput(file)) {
      out.print(document);
    } else {
      text(report, out);
    }
    out.flush();
  }

  private static void text(PaperReport report, PrintWriter out) {
    out.println(
        "device: %s (%s)"
            .formatted(report.environment().device(), report.environment().deviceDescription()));
    Table table = Table.of("table", "row", "column", ">median", ">p25", ">p75", "");
    List<String> reasons = new ArrayList<>();
    for (PaperReport.PaperTable one : report.tables()) {
      for (PaperReport.Row row : one.rows()) {
        for (Map.Entry<String, PaperReport.Cell> entry : row.cells().entrySet()) {
          PaperReport.Cell cell = entry.getValue();
          if (cell.status().equals("measured")) {
            table.row(
                one.name(),
                row.name(),
                entry.getKey(),
                Units.small(cell.median()),
                Units.small(cell.p25()),
                Units.small(cell.p75()),
                one.unit());
          } else {
            table.row(one.name(), row.name(), entry.getKey(), cell.status(), "", "", "");
            reasons.add(one.name() + " " + row.name() + ": " + cell.reason());
          }
        }
      }
    }
    table.print(out);
    reasons.forEach(out::println);
  }
}

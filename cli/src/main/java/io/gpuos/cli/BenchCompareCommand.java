package io.gpuos.cli;

import io.gpuos.cli.bench.Comparison;
import io.gpuos.cli.bench.Comparison.Compared;
import io.gpuos.cli.bench.Comparison.Verdict;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gpuos bench compare}: what got slower between two documents by more than the noise. */
@Command(
    name = "compare",
    description = {
      "Compares two JSON documents of bench paper or bench programs.",
      "A cell is slower when its quartiles lie above the old ones without touching; then, or when it"
          + " does not work any more, the exit code is 1."
    })
final class BenchCompareCommand implements Callable<Integer> {

  @Parameters(index = "0", paramLabel = "A.json", description = "The earlier document.")
  private Path before;

  @Parameters(index = "1", paramLabel = "B.json", description = "The later one.")
  private Path after;

  @Option(names = "--all", description = "Print cells that are the same, too.")
  private boolean all;

  @Mixin private OutputOptions output;

  @Override
  public Integer call() {
    Comparison comparison = Comparison.of(before, after);
    if (!comparison.sameDevice()) {
      output
          .err()
          .println(
              "gpuos: different devices: before=%s, after=%s"
                  .formatted(comparison.deviceBefore(), comparison.deviceAfter()));
    }
    output.print(comparison, out -> print(comparison, out));
    return comparison.isWorse() ? Main.EXIT_WRONG : Main.EXIT_OK;
  }

  private void print(Comparison comparison, PrintWriter out) {
    Table table = Table.of("cell", "verdict", ">before", ">after", ">factor", "");
    for (Compared cell : comparison.cells()) {
      if (all || cell.verdict() != Verdict.SAME) {
        table.row(
            cell.name(),
            cell.verdict().word(),
            number(cell.before()),
            number(cell.after()),
            number(cell.factor()),
            cell.reason() == null ? "" : cell.reason());
      }
    }
    table.print(out);
    out.println();
    comparison.counts().forEach((verdict, count) -> out.println(verdict + ": " + count));
  }

  private static String number(double value) {
    return Double.isNaN(value) ? "-" : Units.small(value);
  }
}

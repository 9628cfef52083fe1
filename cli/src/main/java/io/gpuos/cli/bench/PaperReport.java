package io.gpuos.cli.bench;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The Java column of {@code gpuos bench paper}, in the form of the documents that {@code python -m
 * gpuos.bench} writes: {@code docs/benchmarks.md} describes it.
 *
 * @param interrupted why it is not complete; null if it is
 * @param java where a whole document holds this one; null here
 */
public record PaperReport(
    String format,
    int version,
    boolean complete,
    String interrupted,
    Environment environment,
    Settings settings,
    List<Column> columns,
    PaperReport java,
    List<PaperTable> tables) {

  static final String FORMAT = "gpuos-bench-paper";
  static final int VERSION = 1;

  /** What numbers depend on. */
  public record Settings(String device, boolean quick, long seed, int rounds, int units) {}

  /** A column: what its cells time, and what they leave out. */
  public record Column(String name, String title, String what, String leavesOut) {}

  /**
   * A table.
   *
   * @param columns its own, or null for those of the document
   * @param base the column that factors are over
   * @param plot name of the scale that rows lie on, or null
   */
  public record PaperTable(
      String name,
      String title,
      String unit,
      String what,
      List<Column> columns,
      String base,
      String plot,
      List<Row> rows) {}

  /**
   * A row.
   *
   * @param x its place on the table's scale; empty where there is none
   */
  public record Row(
      String name, String what, int units, Optional<Integer> x, Map<String, Cell> cells) {}

  /**
   * A cell.
   *
   * @param status {@code measured}, {@code wrong} or {@code failed}
   * @param reason why it is not measured, else null
   * @param samples one a round, in their order
   * @param overOne how many times faster than with one worker, of medians, in a table of workers
   */
  public record Cell(
      String status,
      String reason,
      double median,
      double p25,
      double p75,
      double[] samples,
      Optional<Ratio> overOne) {

    static Cell measured(double[] samples) {
      return new Cell(
          "measured",
          null,
          Rounds.median(samples),
          Rounds.percentile(samples, 25),
          Rounds.percentile(samples, 75),
          samples,
          Optional.empty());
    }

    static Cell missing(String status, String reason) {
      double none = Double.NaN;
      return new Cell(status, reason, none, none, none, new double[0], Optional.empty());
    }

    boolean isMeasured() {
      return status.equals("measured");
    }

    /** With its factor over the same with one worker. */
    Cell over(Cell one) {
      boolean both = isMeasured() && one.isMeasured();
      Optional<Ratio> ratio =
          both ? Optional.of(new Ratio(one.median / median, null, null)) : Optional.empty();
      return new Cell(status, reason, median, p25, p75, samples, ratio);
    }
  }

  /** A factor; its quartiles are null where no round is shared. */
  public record Ratio(double median, Double p25, Double p75) {}

  /** Whether every cell is measured. */
  public boolean isMeasured() {
    return tables.stream()
        .flatMap(table -> table.rows().stream())
        .flatMap(row -> row.cells().values().stream())
        .allMatch(Cell::isMeasured);
  }
}

package io.gpuos.cli.bench;

import io.gpuos.cli.bench.PaperReport.Column;
import io.gpuos.cli.bench.PaperReport.PaperTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ObjIntConsumer;

/**
 * The tables of the paper, with the names and sizes that {@code python -m gpuos.bench} gives its
 * rows: it joins them by those.
 */
final class PaperWorkloads {

  static final String WORKERS = "scale-workers";

  private static final int[] ADDS = {256, 512, 1024, 2048, 4096, 8192, 16384};
  private static final int[] KEYS = {128, 512};
  private static final int[][] SUMS = {{8, 256}, {16, 256}, {32, 512}, {64, 512}, {128, 1024}};

  /** A table. */
  record Table(String name, String title, String unit, String what, List<Row> rows) {}

  /**
   * A row.
   *
   * @param make records the program for a number of units
   */
  record Row(String name, String what, ObjIntConsumer<ProgramFixture> make) {}

  private PaperWorkloads() {}

  static List<Table> tables() {
    return List.of(
        new Table(
            "adds", "Micro-batch adds", "us an operation", "Independent F32 additions.", adds()),
        new Table(
            "mixed",
            "Mixed operations",
            "us an iteration",
            "a + b; * c; relu; sigmoid; / d of 2048 elements in F32.",
            mixed()),
        new Table(
            "decode",
            "Attention decode",
            "us a token",
            "softmax(q k' / 8) v in F32, one query of 64.",
            decode()),
        new Table("sums", "Sums over the last axis", "us an operation", "F32.", sums()));
  }

  private static List<Row> adds() {
    List<Row> rows = new ArrayList<>();
    for (int size : ADDS) {
      rows.add(
          new Row(
              Integer.toString(size),
              size + " elements",
              (fixture, units) -> ProgramWorkloads.adds(fixture, units, size)));
    }
    return rows;
  }

  private static List<Row> mixed() {
    return List.of(
        new Row(
            "no fusion",
            "each operation by itself",
            (fixture, units) -> ProgramWorkloads.mixed(fixture, units, false, false)),
        new Row(
            "fusion",
            "fused",
            (fixture, units) -> ProgramWorkloads.mixed(fixture, units, false, true)),
        new Row(
            "fusion, dependent",
            "each iteration feeding the next",
            (fixture, units) -> ProgramWorkloads.mixed(fixture, units, true, true)));
  }

  private static List<Row> decode() {
    List<Row> rows = new ArrayList<>();
    for (int keys : KEYS) {
      rows.add(
          new Row(
              keys + " keys",
              "1 x 64 over " + keys + " keys",
              (fixture, units) -> ProgramWorkloads.decode(fixture, units, keys)));
    }
    return rows;
  }

  private static List<Row> sums() {
    List<Row> rows = new ArrayList<>();
    for (int[] shape : SUMS) {
      rows.add(
          new Row(
              String.format(Locale.ROOT, "(%d, %d)", shape[0], shape[1]),
              String.format(Locale.ROOT, "%d sums of %d", shape[0], shape[1]),
              (fixture, units) -> ProgramWorkloads.sums(fixture, units, shape)));
    }
    return rows;
  }

  /** What is measured for each number of workers, by column. */
  static Map<String, ObjIntConsumer<ProgramFixture>> scaled() {
    Map<String, ObjIntConsumer<ProgramFixture>> scaled = new LinkedHashMap<>();
    scaled.put("adds", (fixture, units) -> ProgramWorkloads.adds(fixture, units, 256));
    scaled.put("mixed", (fixture, units) -> ProgramWorkloads.mixed(fixture, units, false, true));
    return scaled;
  }

  static PaperTable workers(List<PaperReport.Row> rows) {
    String left = "recording and compilation";
    return new PaperTable(
        WORKERS,
        "Scaling: workers",
        "us an operation",
        "One program from Java by ever more workers; factors over one worker, of medians.",
        List.of(
            new Column("adds", "additions of 256", "one program of independent additions", left),
            new Column("mixed", "mixed chain of 2048", "one program of independent chains", left)),
        "one",
        "workers",
        rows);
  }
}

package io.gpuos.cli.bench;

import io.gpuos.cli.text.JsonReader;
import io.gpuos.error.FileFormatException;
import io.gpuos.error.Messages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Two documents of a benchmark, cell by cell. A cell is slower when the quartiles of the second lie
 * above those of the first without touching: less than that is noise. All figures are costs, so
 * less is better.
 *
 * @param before file of the first document
 * @param after file of the second
 * @param sameDevice whether both say they ran on the same kind of device
 * @param counts number of cells by {@link Verdict#word}
 * @param cells in the order of the first document, then what only the second has
 */
public record Comparison(
    String before,
    String after,
    String deviceBefore,
    String deviceAfter,
    boolean sameDevice,
    Map<String, Integer> counts,
    List<Compared> cells) {

  /** What became of a cell. */
  public enum Verdict {
    /** Slower by more than the noise. */
    SLOWER,
    /** Measured before; now wrong or failed. */
    BROKEN,
    /** Faster by more than the noise. */
    FASTER,
    /** The quartiles touch. */
    SAME,
    /** Measured before; now neither measured nor failed. */
    GONE,
    /** Measured only now. */
    NEW;

    /** As it is printed. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * A cell.
   *
   * @param name table, row and column
   * @param factor median after by median before; NaN where one is missing
   * @param reason of a cell that is wrong or failed, else null
   */
  public record Compared(
      String name, Verdict verdict, double before, double after, double factor, String reason) {}

  /** What a document says of a cell. */
  private record Cell(String status, String reason, double median, double p25, double p75) {
    boolean isMeasured() {
      return status.equals("measured");
    }
  }

  /** A read document. */
  private record Document(String device, Map<String, Cell> cells) {}

  /**
   * Reads and compares.
   *
   * @throws FileFormatException if a file is no document of {@code bench paper} or {@code bench
   *     programs}
   */
  public static Comparison of(Path before, Path after) {
    Document first = read(before);
    Document second = read(after);
    List<Compared> cells = new ArrayList<>();
    first.cells.forEach((name, cell) -> compare(name, cell, second.cells.get(name), cells));
    second.cells.forEach(
        (name, cell) -> {
          Cell old = first.cells.get(name);
          if (cell.isMeasured() && (old == null || !old.isMeasured())) {
            cells.add(new Compared(name, Verdict.NEW, Double.NaN, cell.median, Double.NaN, null));
          }
        });
    Map<String, Integer> counts = new LinkedHashMap<>();
    for (Verdict verdict : Verdict.values()) {
      counts.put(
          verdict.word(), (int) cells.stream().filter(cell -> cell.verdict() == verdict).count());
    }
    return new Comparison(
        before.toString(),
        after.toString(),
        first.device,
        second.device,
        first.device.equals(second.device),
        counts,
        cells);
  }

  /** Whether something got slower by more than the noise, or does not work any more. */
  public boolean isWorse() {
    return counts.get(Verdict.SLOWER.word()) + counts.get(Verdict.BROKEN.word()) > 0;
  }

  private static void compare(String name, Cell old, Cell now, List<Compared> cells) {
    if (!old.isMeasured()) {
      return;
    }
    if (now == null || !now.isMeasured()) {
      boolean broken = now != null && (now.status.equals("wrong") || now.status.equals("failed"));
      cells.add(
          new Compared(
              name,
              broken ? Verdict.BROKEN : Verdict.GONE,
              old.median,
              Double.NaN,
              Double.NaN,
              now == null ? null : now.reason));
      return;
    }
    Verdict verdict =
        now.p25 > old.p75 ? Verdict.SLOWER : now.p75 < old.p25 ? Verdict.FASTER : Verdict.SAME;
    cells.add(new Compared(name, verdict, old.median, now.median, now.median / old.median, null));
  }

  private static Document read(Path file) {
    try {
      Map<String, Object> document = JsonReader.object(Files.readString(file));
      Map<String, Cell> cells = new LinkedHashMap<>();
      if (PaperReport.FORMAT.equals(document.get("format"))) {
        paper(document, cells);
      } else if (document.containsKey("workloads")) {
        programs(document, cells);
      } else {
        throw new IllegalArgumentException("neither tables nor workloads");
      }
      Map<?, ?> environment = (Map<?, ?>) document.get("environment");
      return new Document(Objects.toString(environment.get("device_description")), cells);
    } catch (IOException e) {
      throw new FileFormatException(
          "cannot read: file=%s, reason=%s, expected=a document of a benchmark"
              .formatted(file, Messages.line(e.toString())));
    } catch (IllegalArgumentException | ClassCastException | NullPointerException e) {
      throw new FileFormatException(
          "not a document of a benchmark: file=%s, reason=%s, expected=one of bench paper or bench programs"
              .formatted(file, Messages.line(String.valueOf(e.getMessage()))));
    }
  }

  private static void paper(Map<String, Object> document, Map<String, Cell> cells) {
    for (Object table : (List<?>) document.get("tables")) {
      for (Object row : (List<?>) ((Map<?, ?>) table).get("rows")) {
        Map<?, ?> columns = (Map<?, ?>) ((Map<?, ?>) row).get("cells");
        for (Map.Entry<?, ?> column : columns.entrySet()) {
          String name =
              "%s / %s / %s"
                  .formatted(
                      ((Map<?, ?>) table).get("name"),
                      ((Map<?, ?>) row).get("name"),
                      column.getKey());
          cells.put(name, cell((Map<?, ?>) column.getValue(), ""));
        }
      }
    }
  }

  private static void programs(Map<String, Object> document, Map<String, Cell> cells) {
    for (Object workload : (List<?>) document.get("workloads")) {
      Map<?, ?> one = (Map<?, ?>) workload;
      cells.put(one.get("name").toString(), cell(one, "_us"));
    }
  }

  private static Cell cell(Map<?, ?> cell, String unit) {
    String status = Objects.toString(cell.get("status"), "measured");
    String reason = (String) cell.get("reason");
    if (!status.equals("measured")) {
      return new Cell(status, reason, Double.NaN, Double.NaN, Double.NaN);
    }
    return new Cell(
        status,
        reason,
        (Double) cell.get("median" + unit),
        (Double) cell.get("p25" + unit),
        (Double) cell.get("p75" + unit));
  }
}

package io.gpuos.cli.text;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** A table for people: columns as wide as their longest cell, two spaces between them. */
public final class Table {

  private static final String GAP = "  ";

  private final List<String> titles = new ArrayList<>();
  private final List<Boolean> right = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>();
  private String indent = "";

  private Table() {}

  /**
   * A table with these column titles; {@code ">"} before a title aligns the column right. The line
   * of titles is left out if all are empty.
   */
  public static Table of(String... titles) {
    Table table = new Table();
    for (String title : titles) {
      table.right.add(title.startsWith(">"));
      table.titles.add(title.startsWith(">") ? title.substring(1) : title);
    }
    return table;
  }

  /** A table of this many left-aligned columns, without a line of titles. */
  public static Table withoutTitles(int columns) {
    Table table = new Table();
    for (int k = 0; k < columns; k++) {
      table.right.add(false);
    }
    return table;
  }

  /** Puts {@code spaces} spaces before each line. */
  public Table indent(int spaces) {
    indent = " ".repeat(spaces);
    return this;
  }

  /** Adds a line, one cell a column. */
  public Table row(String... cells) {
    if (cells.length != right.size()) {
      throw new IllegalArgumentException(
          "cells of a row: cells=" + cells.length + ", expected=" + right.size());
    }
    rows.add(List.of(cells));
    return this;
  }

  /** Prints the lines. */
  public void print(PrintWriter out) {
    List<List<String>> lines = new ArrayList<>();
    if (!titles.stream().allMatch(String::isEmpty)) {
      lines.add(titles);
    }
    lines.addAll(rows);
    int[] widths = new int[right.size()];
    for (List<String> line : lines) {
      for (int k = 0; k < widths.length; k++) {
        widths[k] = Math.max(widths[k], line.get(k).length());
      }
    }
    lines.forEach(line -> out.println(text(line, widths)));
  }

  private String text(List<String> line, int[] widths) {
    StringBuilder text = new StringBuilder(indent);
    for (int k = 0; k < widths.length; k++) {
      String cell = line.get(k);
      String padding = " ".repeat(widths[k] - cell.length());
      text.append(k == 0 ? "" : GAP).append(right.get(k) ? padding + cell : cell + padding);
    }
    return text.toString().stripTrailing();
  }
}

package io.gpuos.schedule;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A plan as a picture in SVG: a box for each node, below all that it waits for; a line for each
 * dependency, dashed where only memory is waited for.
 */
public final class GraphPicture {

  private static final int WIDTH = 260;
  private static final int HEIGHT = 46;
  private static final int GAP_X = 20;
  private static final int GAP_Y = 40;

  /** Characters of an expression that fit a box. */
  private static final int CHARACTERS = 36;

  private final Plan plan;
  private final int[] row;
  private final int[] column;
  private int rows;
  private int columns;

  private GraphPicture(Plan plan) {
    this.plan = plan;
    int count = plan.nodes().size();
    row = new int[count];
    column = new int[count];
    for (Edge edge : plan.edges()) { // sorted by the later node
      row[edge.to()] = Math.max(row[edge.to()], row[edge.from()] + 1);
    }
    List<Integer> filled = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      while (filled.size() <= row[n]) {
        filled.add(0);
      }
      column[n] = filled.get(row[n]);
      filled.set(row[n], column[n] + 1);
      columns = Math.max(columns, column[n] + 1);
    }
    rows = filled.size();
  }

  /** The text of an SVG file. */
  public static String of(Plan plan) {
    return new GraphPicture(plan).draw();
  }

  private String draw() {
    StringBuilder svg = new StringBuilder();
    int width = columns * (WIDTH + GAP_X) + GAP_X;
    int height = rows * (HEIGHT + GAP_Y) + GAP_Y;
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"monospace\" font-size=\"11\">%n",
            width,
            height));
    plan.edges().forEach(edge -> svg.append(line(edge)));
    for (int n = 0; n < plan.nodes().size(); n++) {
      svg.append(box(n));
    }
    return svg.append("</svg>\n").toString();
  }

  private int left(int node) {
    return GAP_X + column[node] * (WIDTH + GAP_X);
  }

  private int top(int node) {
    return GAP_Y / 2 + row[node] * (HEIGHT + GAP_Y);
  }

  private String line(Edge edge) {
    return String.format(
        Locale.ROOT,
        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"gray\"%s><title>%s</title></line>%n",
        left(edge.from()) + WIDTH / 2,
        top(edge.from()) + HEIGHT,
        left(edge.to()) + WIDTH / 2,
        top(edge.to()),
        edge.kind() == Edge.Kind.READ_AFTER_WRITE ? "" : " stroke-dasharray=\"4\"",
        edge.from() + " to " + edge.to() + ": " + edge.kind());
  }

  private String box(int n) {
    Node node = plan.nodes().get(n);
    String text = Explanation.expressions(node);
    String shown = text.length() <= CHARACTERS ? text : text.substring(0, CHARACTERS - 3) + "...";
    return String.format(
        Locale.ROOT,
        "<g><title>%s</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"white\" stroke=\"black\"/>"
            + "<text x=\"%d\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\" fill=\"gray\">%s</text></g>%n",
        escaped(text),
        left(n),
        top(n),
        WIDTH,
        HEIGHT,
        left(n) + 8,
        top(n) + 18,
        escaped(n + ": " + shown),
        left(n) + 8,
        top(n) + 36,
        escaped("to " + plan.buffers().get(node.outputs().getFirst().buffer()).name()));
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}

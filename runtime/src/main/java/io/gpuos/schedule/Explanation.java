package io.gpuos.schedule;

import io.gpuos.error.Messages;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** A plan in words. */
public final class Explanation {

  /** Segments that are shown. */
  private static final int MOST_SEGMENTS = 64;

  private Explanation() {}

  /** A line on the whole, a line for each node, and what it reads, writes and waits for. */
  public static String of(Plan plan) {
    long operations = plan.nodes().stream().mapToInt(Node::operations).sum();
    long kernels = plan.nodes().stream().mapToInt(node -> node.plan().steps().size()).sum();
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "program: recorded=%d, dead=%d, nodes=%d, kernels=%d%n",
            plan.recorded(),
            plan.recorded() - operations,
            plan.nodes().size(),
            kernels));
    text.append(
        String.format(
            Locale.ROOT,
            "memory: temporaries=%d, slab=%d bytes, without sharing=%d bytes%n",
            slots(plan).size(),
            plan.slabBytes(),
            slots(plan).stream().mapToLong(Slot::bytes).sum()));
    for (int n = 0; n < plan.nodes().size(); n++) {
      text.append(node(plan, n));
    }
    return text.toString();
  }

  /**
   * What each segment runs and waits for, the first {@value #MOST_SEGMENTS} of them.
   *
   * @param nodes the node that each work belongs to
   */
  public static String segments(List<Segment> segments, List<Integer> nodes) {
    StringBuilder text = new StringBuilder();
    int tasks = segments.stream().mapToInt(segment -> segment.tasks().size()).sum();
    text.append(
        String.format(Locale.ROOT, "segments: count=%d, tasks=%d%n", segments.size(), tasks));
    for (int s = 0; s < Math.min(segments.size(), MOST_SEGMENTS); s++) {
      Segment segment = segments.get(s);
      text.append(
          String.format(
              Locale.ROOT,
              "segment %d: runs %s; after %s%n",
              s,
              runs(segment, nodes),
              segment.after().isEmpty() ? "nothing" : ranges(segment.after())));
    }
    if (segments.size() > MOST_SEGMENTS) {
      text.append(String.format(Locale.ROOT, "and %d more%n", segments.size() - MOST_SEGMENTS));
    }
    return text.toString();
  }

  private static String runs(Segment segment, List<Integer> nodes) {
    return ranges(segment.tasks().stream().map(task -> nodes.get(task.work())).toList());
  }

  /** Numbers with runs of neighbours, and of equals, joined. */
  private static String ranges(List<Integer> numbers) {
    List<String> parts = new ArrayList<>();
    for (int from = 0; from < numbers.size(); ) {
      int to = from;
      while (to + 1 < numbers.size()
          && numbers.get(to + 1) - numbers.get(to) >= 0
          && numbers.get(to + 1) - numbers.get(to) <= 1) {
        to++;
      }
      String first = numbers.get(from).toString();
      boolean one = numbers.get(from).equals(numbers.get(to));
      parts.add(one ? first : first + ".." + numbers.get(to));
      from = to + 1;
    }
    return String.join(", ", parts);
  }

  private static List<Slot> slots(Plan plan) {
    List<Slot> slots = new ArrayList<>(plan.slots());
    plan.scratch().forEach(slots::addAll);
    slots.removeIf(slot -> slot.equals(Slot.NONE));
    return slots;
  }

  private static String node(Plan plan, int n) {
    Node node = plan.nodes().get(n);
    String inputs =
        node.inputs().entrySet().stream()
            .map(entry -> entry.getKey() + "=" + place(plan, entry.getValue()))
            .collect(Collectors.joining(", "));
    String after =
        plan.edges().stream()
            .filter(edge -> edge.to() == n)
            .map(edge -> edge.from() + " " + reason(edge))
            .collect(Collectors.joining(", "));
    return String.format(
        Locale.ROOT,
        "%d: %s := %s%n   operations=%d, kernels=%d; reads %s; after %s%n",
        n,
        node.outputs().stream().map(p -> place(plan, p)).collect(Collectors.joining(", ")),
        expressions(node),
        node.operations(),
        node.plan().steps().size(),
        inputs.isEmpty() ? "nothing" : inputs,
        after.isEmpty() ? "nothing" : after);
  }

  /** What a node computes, each expression in quotes. */
  public static String expressions(Node node) {
    return node.expressions().stream()
        .map(expression -> Messages.quoted(expression.toString()))
        .collect(Collectors.joining(", "));
  }

  private static String place(Plan plan, Place place) {
    return place.text(plan.buffers().get(place.buffer()));
  }

  private static String reason(Edge edge) {
    return switch (edge.kind()) {
      case READ_AFTER_WRITE -> "(reads its result)";
      case WRITE_AFTER_READ -> "(overwrites what it reads)";
      case WRITE_AFTER_WRITE -> "(overwrites its result)";
    };
  }
}

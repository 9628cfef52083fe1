package io.gpuos.cli.bench;

import io.gpuos.ProgramTrace;
import io.gpuos.cli.text.Json;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A traced replay, summed up by operation.
 *
 * @param workload that was replayed
 * @param nodes that ran
 * @param workers that ran any
 * @param us from the beginning of the first node to the end of the last
 * @param operations the busiest first
 */
public record TraceReport(
    String workload, int nodes, int workers, double us, List<Operation> operations) {

  /**
   * All nodes of one operation.
   *
   * @param busyUs sum of their times
   * @param beginUs of the first one, from the beginning of the replay on; likewise {@code endUs}
   */
  public record Operation(
      int operation, String expressions, int nodes, double busyUs, double beginUs, double endUs) {

    private Operation with(ProgramTrace.Node node) {
      return new Operation(
          operation,
          expressions,
          nodes + 1,
          busyUs + (node.endNanos() - node.beginNanos()) / 1e3,
          Math.min(beginUs, node.beginNanos() / 1e3),
          Math.max(endUs, node.endNanos() / 1e3));
    }
  }

  /** Sums a trace up. */
  public static TraceReport of(String workload, ProgramTrace trace) {
    Map<Integer, Operation> operations = new TreeMap<>();
    for (ProgramTrace.Node node : trace.nodes()) {
      Operation empty =
          new Operation(node.operation(), node.expressions(), 0, 0, node.beginNanos() / 1e3, 0);
      operations.put(node.operation(), operations.getOrDefault(node.operation(), empty).with(node));
    }
    List<Operation> busiest = new ArrayList<>(operations.values());
    busiest.sort(Comparator.comparingDouble(Operation::busyUs).reversed());
    int workers =
        (int) trace.nodes().stream().mapToInt(ProgramTrace.Node::worker).distinct().count();
    return new TraceReport(workload, trace.nodes().size(), workers, trace.nanos() / 1e3, busiest);
  }

  /**
   * The trace in the Trace Event Format: one complete event ("X") a node, one thread a worker, in
   * microseconds. Specification: "Trace Event Format", the Chromium project.
   */
  public static String timeline(ProgramTrace trace) {
    List<Map<String, Object>> events = new ArrayList<>();
    trace.nodes().stream()
        .mapToInt(ProgramTrace.Node::worker)
        .distinct()
        .sorted()
        .forEach(worker -> events.add(nameOf(worker)));
    for (ProgramTrace.Node node : trace.nodes()) {
      events.add(event(node));
    }
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("displayTimeUnit", "ns");
    document.put("traceEvents", events);
    return Json.of(document) + "\n";
  }

  private static Map<String, Object> nameOf(int worker) {
    Map<String, Object> name = new LinkedHashMap<>();
    name.put("ph", "M");
    name.put("name", "thread_name");
    name.put("pid", 0);
    name.put("tid", worker);
    name.put("args", Map.of("name", "worker " + worker));
    return name;
  }

  private static Map<String, Object> event(ProgramTrace.Node node) {
    Map<String, Object> event = new LinkedHashMap<>();
    event.put("ph", "X");
    event.put("name", node.expressions());
    event.put("cat", "node");
    event.put("pid", 0);
    event.put("tid", node.worker());
    event.put("ts", node.beginNanos() / 1e3);
    event.put("dur", (node.endNanos() - node.beginNanos()) / 1e3);
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("operation", node.operation());
    arguments.put("segment", node.segment());
    event.put("args", arguments);
    return event;
  }
}

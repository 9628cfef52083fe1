package io.gpuos.conformance;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collector;
import java.util.stream.Collectors;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.reporting.ReportEntry;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/** Collects what became of each test; prints a line for each as it ends. Thread-safe. */
final class ResultListener implements TestExecutionListener {

  private enum Status {
    PASSED,
    SKIPPED,
    FAILED
  }

  /**
   * @param detail the reason of a failure or skip, or what the test published
   */
  private record Result(String name, Status status, double seconds, String detail) {}

  private final List<Result> results = new ArrayList<>();
  private final Set<String> devices = new LinkedHashSet<>();
  private final Map<String, Long> started = new ConcurrentHashMap<>();
  private final Map<String, String> published = new ConcurrentHashMap<>();
  private TestPlan plan;

  @Override
  public void testPlanExecutionStarted(TestPlan testPlan) {
    plan = testPlan;
  }

  @Override
  public void executionStarted(TestIdentifier test) {
    started.put(test.getUniqueId(), System.nanoTime());
  }

  @Override
  public synchronized void reportingEntryPublished(TestIdentifier test, ReportEntry entry) {
    entry
        .getKeyValuePairs()
        .forEach(
            (key, value) -> {
              if (key.equals("device")) {
                devices.add(value);
              } else {
                published.merge(test.getUniqueId(), key + ": " + value, (a, b) -> a + "; " + b);
              }
            });
  }

  @Override
  public void executionSkipped(TestIdentifier test, String reason) {
    add(test, Status.SKIPPED, 0, reason);
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    boolean successful = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
    if (successful && !test.isTest()) {
      return;
    }
    long begin = started.getOrDefault(test.getUniqueId(), System.nanoTime());
    Status status =
        switch (result.getStatus()) {
          case SUCCESSFUL -> Status.PASSED;
          case ABORTED -> Status.SKIPPED;
          case FAILED -> Status.FAILED;
        };
    String detail =
        result
            .getThrowable()
            .map(thrown -> status == Status.FAILED ? trace(thrown) : thrown.getMessage())
            .orElse(published.getOrDefault(test.getUniqueId(), ""));
    add(test, status, (System.nanoTime() - begin) / 1e9, detail);
  }

  private static String trace(Throwable thrown) {
    StringWriter text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  private synchronized void add(TestIdentifier test, Status status, double seconds, String detail) {
    Result result = new Result(name(test), status, seconds, detail);
    results.add(result);
    System.out.printf(Locale.ROOT, "%s %s %.2f s %s%n", status, result.name(), seconds, detail);
  }

  /** {@code CpuConformanceTest.shouldX [1] 3}. */
  private String name(TestIdentifier test) {
    StringBuilder name = new StringBuilder(test.getDisplayName());
    TestIdentifier at = test;
    while (plan.getParent(at).isPresent()
        && plan.getParent(plan.getParent(at).orElseThrow()).isPresent()) {
      at = plan.getParent(at).orElseThrow();
      name.insert(0, at.getDisplayName() + ".");
    }
    return name.toString();
  }

  synchronized long passed() {
    return count(Status.PASSED);
  }

  synchronized long failed() {
    return count(Status.FAILED);
  }

  private long count(Status status) {
    return results.stream().filter(result -> result.status() == status).count();
  }

  /** The devices that ran, the failures by name, and the counts. */
  synchronized String summary() {
    StringBuilder text = new StringBuilder();
    devices.forEach(device -> text.append("device: ").append(device).append('\n'));
    results.stream()
        .filter(result -> result.status() == Status.FAILED)
        .forEach(result -> text.append("failed: ").append(result.name()).append('\n'));
    return text.append(
            String.format(
                Locale.ROOT,
                "conformance: passed=%d, failed=%d, skipped=%d%n",
                passed(),
                failed(),
                count(Status.SKIPPED)))
        .toString();
  }

  synchronized String json() {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("devices", devices.stream().map(ResultListener::quoted).collect(list()));
    fields.put("seed", Long.toString(Settings.seed()));
    fields.put("passed", Long.toString(passed()));
    fields.put("failed", Long.toString(failed()));
    fields.put("skipped", Long.toString(count(Status.SKIPPED)));
    fields.put("tests", results.stream().map(ResultListener::json).collect(list()));
    return object(fields) + "\n";
  }

  private static String json(Result result) {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("name", quoted(result.name()));
    fields.put("status", quoted(result.status().name()));
    fields.put("seconds", String.format(Locale.ROOT, "%.3f", result.seconds()));
    fields.put("detail", quoted(result.detail() == null ? "" : result.detail()));
    return object(fields);
  }

  private static Collector<CharSequence, ?, String> list() {
    return Collectors.joining(",\n ", "[", "]");
  }

  private static String object(Map<String, String> fields) {
    return fields.entrySet().stream()
        .map(field -> quoted(field.getKey()) + ": " + field.getValue())
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      switch (c) {
        case '"' -> quoted.append("\\\"");
        case '\\' -> quoted.append("\\\\");
        case '\n' -> quoted.append("\\n");
        default ->
            quoted.append(
                c < ' ' ? String.format(Locale.ROOT, "\\u%04x", (int) c) : Character.toString(c));
      }
    }
    return quoted.append('"').toString();
  }
}

package io.gpuos.cli.demo;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Adds up what the batches of one group come to. */
final class GroupTally {

  private static final int EXAMPLES = 3;

  private final String name;
  private final List<String> examples = new ArrayList<>();
  private final List<Long> elements = new ArrayList<>();
  private int operations;
  private int verified;
  private double worstError;
  private long nanos;
  private long tasks;

  GroupTally(String name) {
    this.name = name;
  }

  int operations() {
    return operations;
  }

  void add(long timedNanos, long submittedTasks) {
    nanos += timedNanos;
    tasks += submittedTasks;
  }

  /**
   * Computes the reference in the order of submission and compares. An operation on a tensor that
   * others write too counts as right if the tensor is, in the end.
   */
  void check(Workspace space) {
    List<Operation> all = new ArrayList<>(space.operations());
    all.addAll(space.late());
    all.forEach(operation -> operation.reference().run());
    Map<Twin, Boolean> right = new IdentityHashMap<>();
    for (Operation operation : all) {
      if (right.computeIfAbsent(operation.target(), _ -> isRight(operation))) {
        verified++;
      }
    }
    operations += all.size();
    all.forEach(operation -> elements.add(operation.elements()));
  }

  private boolean isRight(Operation operation) {
    Twin.Verdict verdict = operation.target().compare();
    worstError = Math.max(worstError, verdict.worstError());
    if (verdict.firstWrong().isPresent() && examples.size() < EXAMPLES) {
      examples.add(
          String.format(
              Locale.ROOT,
              "group=%s, operation=%s, output=%s, wrong_elements=%d, %s",
              name,
              operation.operator(),
              operation.output(),
              verdict.wrong(),
              verdict.firstWrong().get()));
    }
    return verdict.wrong() == 0;
  }

  /** Of each operation, its size. */
  List<Long> elements() {
    return elements;
  }

  DemoReport.GroupReport report() {
    return new DemoReport.GroupReport(
        name,
        operations,
        tasks,
        operations == 0 ? 0 : nanos / 1e3 / operations,
        worstError,
        DemoReport.Elements.of(elements),
        verified,
        operations - verified,
        List.copyOf(examples));
  }
}

package io.gpuos.cli.demo;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/** Runs the demo; the package's documentation tells how. One thread, one use. */
public final class Demo {

  /** Operations whose tensors exist at one time: some 50 MB. */
  private static final int BATCH = 2048;

  /** After one the JVM has compiled most of what the CPU device runs. */
  private static final int REHEARSALS = 1;

  private static final double MS = 1e-6;

  /** Longer than any compiler takes for a group of the demo. */
  private static final long COMPILE_NANOS = 300_000_000_000L;

  private final Gpuos gpu;
  private final Progress progress;
  private final long seed;
  private final int batch;
  private final SplittableRandom random;
  private final Shapes shapes;
  private final Map<String, Operator> operators = new HashMap<>();
  private final Set<Operator> met = new HashSet<>();
  private final List<Long> elements = new ArrayList<>();

  private long prepareNanos;
  private long rehearsalNanos;
  private long timedNanos;
  private long checkNanos;
  private DemoReport.Added added;

  /**
   * @param seed decides over shapes, values and the order of operations
   */
  public Demo(Gpuos gpu, long seed, Progress progress) {
    this(gpu, seed, progress, BATCH);
  }

  Demo(Gpuos gpu, long seed, Progress progress, int batch) {
    this.gpu = gpu;
    this.batch = batch;
    this.progress = progress;
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.shapes = Shapes.random(random);
  }

  /**
   * Runs and checks {@code operations} operations.
   *
   * @param openMs how long opening the device took, for the report
   */
  public DemoReport run(int operations, double openMs) {
    List<DemoReport.GroupReport> reports = new ArrayList<>();
    int left = operations;
    for (int k = Groups.ALL.size() - 1; k > 0; k--) {
      left -= share(Groups.ALL.get(k), operations);
    }
    for (Group group : Groups.ALL) {
      int count = reports.isEmpty() ? left : share(group, operations);
      progress.step(
          String.format(
              Locale.ROOT, "%d of %d: %s", reports.size() + 1, Groups.ALL.size(), group.name()));
      reports.add(run(group, count));
    }
    return report(operations, openMs, reports);
  }

  private static int share(Group group, int operations) {
    return (int) ((long) group.share() * operations / 100);
  }

  private DemoReport report(int operations, double openMs, List<DemoReport.GroupReport> groups) {
    int verified = groups.stream().mapToInt(DemoReport.GroupReport::verified).sum();
    double worst = groups.stream().mapToDouble(DemoReport.GroupReport::worstError).max().orElse(0);
    return new DemoReport(
        gpu.device().name(),
        gpu.device().description(),
        seed,
        operations,
        verified,
        operations - verified,
        timedNanos / 1e3 / operations,
        worst,
        DemoReport.Elements.of(elements),
        operators.size(),
        openMs,
        prepareNanos * MS,
        rehearsalNanos * MS,
        timedNanos * MS,
        checkNanos * MS,
        added,
        groups);
  }

  private DemoReport.GroupReport run(Group group, int operations) {
    GroupTally tally = new GroupTally(group.name());
    for (int number = 0; tally.operations() < operations; number++) {
      int count = Math.min(batch, operations - tally.operations());
      try (Workspace space = new Workspace(gpu, operators, random, shapes, number)) {
        run(group, space, count, tally);
      }
    }
    elements.addAll(tally.elements());
    return tally.report();
  }

  private void run(Group group, Workspace space, int count, GroupTally tally) {
    long begin = System.nanoTime();
    group.fill().accept(space, count);
    List<Call> calls = prepareVisibly(group, space.operations());
    // What is timed are the compiled operators, as in a program that has run for a moment.
    gpu.device().awaitCompiled(System.nanoTime() + COMPILE_NANOS);
    long prepared = System.nanoTime();
    for (int k = 0; k < REHEARSALS; k++) {
      calls.forEach(Call::submit);
      gpu.synchronize();
    }
    long rehearsed = System.nanoTime();
    space.reset();
    prepareNanos += prepared - begin + System.nanoTime() - rehearsed;
    rehearsalNanos += rehearsed - prepared;

    List<Call> late = new ArrayList<>();
    long nanos = submitAll(calls, space.late(), late);
    timedNanos += nanos;
    tally.add(nanos, tasks(calls) + tasks(late));

    long done = System.nanoTime();
    tally.check(space);
    checkNanos += System.nanoTime() - done;
    calls.forEach(Call::close);
    late.forEach(Call::close);
  }

  /** Says what it is at: a device may compile and link for seconds in all. */
  private List<Call> prepareVisibly(Group group, List<Operation> operations) {
    List<Call> calls = new ArrayList<>();
    for (Operation operation : operations) {
      if (met.add(operation.operator())) {
        progress.detail(
            String.format(
                Locale.ROOT,
                "%d of %d: %s: operator %d, %s",
                Groups.ALL.indexOf(group) + 1,
                Groups.ALL.size(),
                group.name(),
                met.size(),
                operation.operator()));
      }
      calls.add(operation.prepare(gpu));
    }
    return calls;
  }

  private List<Call> prepare(List<Operation> operations) {
    List<Call> calls = new ArrayList<>();
    for (Operation operation : operations) {
      calls.add(operation.prepare(gpu));
    }
    return calls;
  }

  private static long tasks(List<Call> calls) {
    return calls.stream().mapToLong(Call::tasks).sum();
  }

  /**
   * Submits everything and waits for it.
   *
   * @param late prepared when half of {@code calls} is submitted, which takes none of the time
   * @param lateCalls receives what was prepared
   * @return nanoseconds from the first submission to the last completion
   */
  private long submitAll(List<Call> calls, List<Operation> late, List<Call> lateCalls) {
    int half = late.isEmpty() ? calls.size() : calls.size() / 2;
    long begin = System.nanoTime();
    for (int k = 0; k < half; k++) {
      calls.get(k).submit();
    }
    long halted = System.nanoTime();
    if (!late.isEmpty()) {
      long inFlight = inFlight(gpu.device());
      lateCalls.addAll(prepare(late));
      added =
          new DemoReport.Added(
              late.getFirst().operator().toString(), inFlight, (System.nanoTime() - halted) * MS);
    }
    long resumed = System.nanoTime();
    int rest = Math.max(calls.size() - half, lateCalls.size());
    for (int k = 0; k < rest; k++) {
      if (k < lateCalls.size()) {
        lateCalls.get(k).submit();
      }
      if (half + k < calls.size()) {
        calls.get(half + k).submit();
      }
    }
    gpu.synchronize();
    return System.nanoTime() - resumed + halted - begin;
  }

  private static long inFlight(ComputeDevice device) {
    return device.ring().tail() - 1 - device.completions().through();
  }
}

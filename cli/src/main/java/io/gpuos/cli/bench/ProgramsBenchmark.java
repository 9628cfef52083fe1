package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.ProgramTrace;
import io.gpuos.Submission;
import io.gpuos.cli.bench.ProgramWorkload.Mode;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import io.gpuos.error.InvalidInputException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What replays of recorded programs cost. Every program is checked first, in full, on poisoned
 * outputs, and again once no operator is interpreted any more; then all are measured in rounds, one
 * after the other within each round, so that a change of the machine's pace meets all of them; then
 * they are checked again. One thread, one use.
 */
public final class ProgramsBenchmark {

  private static final Duration LIMIT = Duration.ofMinutes(5);
  static final int IN_A_ROW = 16;

  /** A workload with its recorded program. */
  record Running(ProgramWorkload workload, int units, ProgramFixture fixture) {}

  private final int warmUpRounds;
  private final int rounds;
  private final List<Running> running = new ArrayList<>();

  private ProgramsBenchmark(boolean quick) {
    this.warmUpRounds = quick ? 1 : 50;
    this.rounds = quick ? 5 : 101;
  }

  /** Names of the workloads, in the order of the report. */
  public static List<String> names() {
    return ProgramWorkloads.all().stream().map(ProgramWorkload::name).toList();
  }

  /**
   * Opens the device, measures and closes it again.
   *
   * @param environment describes the run, once the device is open
   * @param only name of the workload to measure; empty: all
   * @throws InvalidInputException if there is no workload of that name
   * @throws WrongResult if a program computes something wrong
   */
  public static ProgramsReport run(
      Supplier<Gpuos> device,
      Function<ComputeDevice, Environment> environment,
      String only,
      boolean quick,
      Progress progress) {
    List<ProgramWorkload> chosen = chosen(only);
    try (Gpuos gpu = device.get()) {
      Environment described = environment.apply(gpu.device());
      return new ProgramsBenchmark(quick).run(gpu, described, chosen, quick, progress);
    }
  }

  /**
   * Records one workload in its short form, checks it, has it compiled, and traces a replay.
   *
   * @throws InvalidInputException if there is no workload of that name
   * @throws WrongResult if it computes something wrong
   */
  public static ProgramTrace trace(Supplier<Gpuos> device, String name) {
    ProgramWorkload workload = chosen(name).getFirst();
    try (Gpuos gpu = device.get();
        ProgramFixture fixture = new ProgramFixture(gpu, new SplittableRandom(1))) {
      workload.make().accept(fixture, workload.quickUnits());
      check(new Running(workload, workload.quickUnits(), fixture));
      InjectBenchmark.awaitCompiled(gpu);
      fixture.trace();
      fixture.reset();
      return fixture.trace();
    }
  }

  private static List<ProgramWorkload> chosen(String only) {
    List<ProgramWorkload> chosen =
        ProgramWorkloads.all().stream()
            .filter(workload -> only.isEmpty() || workload.name().equals(only))
            .toList();
    if (chosen.isEmpty()) {
      throw new InvalidInputException(
          "unknown workload: only=%s, expected=one of %s".formatted(only, names()));
    }
    return chosen;
  }

  private ProgramsReport run(
      Gpuos gpu,
      Environment environment,
      List<ProgramWorkload> chosen,
      boolean quick,
      Progress progress) {
    SplittableRandom random = new SplittableRandom(environment.seed());
    try (GraphRuns graphs = GraphRuns.open(gpu.device().name(), rounds)) {
      for (ProgramWorkload workload : chosen) {
        progress.step("recording and checking " + workload.name());
        add(workload, quick, new ProgramFixture(gpu, random.split()));
      }
      progress.step("checking what was compiled");
      InjectBenchmark.awaitCompiled(gpu);
      running.forEach(ProgramsBenchmark::check);
      running.forEach(graphs::add);
      progress.step("measuring, all in turn");
      List<double[]> samples = measure(gpu, graphs);
      running.forEach(ProgramsBenchmark::check);
      List<ProgramsReport.Measured> measured = new ArrayList<>();
      for (int k = 0; k < running.size(); k++) {
        if (graphs.isThere()) {
          graphs.check(k, running.get(k));
        }
        measured.add(measured(running.get(k), samples.get(k), graphs.result(k)));
      }
      return new ProgramsReport(environment, warmUpRounds, rounds, graphs.what(), measured);
    } finally {
      running.forEach(one -> one.fixture().close());
    }
  }

  private void add(ProgramWorkload workload, boolean quick, ProgramFixture fixture) {
    int units = quick ? workload.quickUnits() : workload.units();
    Running added = new Running(workload, units, fixture);
    running.add(added);
    workload.make().accept(fixture, units);
    check(added);
  }

  /** Replays once on poisoned outputs and checks all of them. */
  private static void check(Running one) {
    one.fixture().reset();
    one.fixture().submit().await(LIMIT);
    one.fixture().check(one.workload().name());
  }

  /**
   * All programs of a round, then all graphs of it, so that workers that linger are in no graph's
   * way; after those the workers are called back, outside of the time.
   */
  private List<double[]> measure(Gpuos gpu, GraphRuns graphs) {
    List<double[]> samples = new ArrayList<>();
    running.forEach(_ -> samples.add(new double[rounds]));
    for (int round = -warmUpRounds; round < rounds; round++) {
      for (int k = 0; k < running.size(); k++) {
        double sample = sample(gpu, running.get(k));
        if (round >= 0) {
          samples.get(k)[round] = sample;
        }
      }
      if (graphs.isThere()) {
        measureGraphs(graphs, round);
      }
    }
    return samples;
  }

  private void measureGraphs(GraphRuns graphs, int round) {
    graphs.settle();
    for (int k = 0; k < running.size(); k++) {
      graphs.sample(k, round, running.get(k));
    }
    running.getFirst().fixture().reset();
    running.getFirst().fixture().submit().await(LIMIT);
  }

  /** Microseconds a unit. Outputs are poisoned before, outside of the time. */
  private static double sample(Gpuos gpu, Running one) {
    one.fixture().reset();
    Mode mode = one.workload().mode();
    int replays = mode == Mode.REPLAY ? 1 : IN_A_ROW;
    long begin = System.nanoTime();
    Submission last = null;
    for (int k = 0; k < replays; k++) {
      last = one.fixture().submit();
    }
    long submitted = System.nanoTime();
    last.await(LIMIT);
    long end = System.nanoTime();
    gpu.synchronize();
    return ((mode == Mode.HOST ? submitted : end) - begin) / 1e3 / replays / one.units();
  }

  private static ProgramsReport.Measured measured(
      Running one, double[] samples, Optional<ProgramsReport.Graph> graph) {
    ProgramWorkload workload = one.workload();
    return new ProgramsReport.Measured(
        workload.name(),
        workload.what(),
        workload.mode().timed(),
        one.units(),
        workload.goalUs(),
        Rounds.median(samples),
        Rounds.percentile(samples, 25),
        Rounds.percentile(samples, 75),
        samples,
        graph);
  }
}

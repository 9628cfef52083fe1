package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.bench.Adds.Storage;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.Injections;
import io.gpuos.device.Injections.Injection;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** What it costs to bring operators into running workers. One thread, one use. */
public final class InjectBenchmark {

  private static final int SIZE = 256;
  private static final int FEEDING = 4000;
  private static final long COMPILE_SECONDS = 300;

  private static final int WARM_UP_CHANGES = 1000;

  /** Rounds of bringing operators in, of which the last counts: the JVM compiles what does it. */
  private static final int WARM_UP_ROUNDS = 30;

  /** Opens a device. */
  @FunctionalInterface
  public interface Opener {
    Gpuos open(DeviceSettings settings);
  }

  private final Opener opener;
  private final boolean quick;
  private final SplittableRandom random;
  private final Progress progress;
  private final long seed;

  private InjectBenchmark(Opener opener, boolean quick, long seed, Progress progress) {
    this.opener = opener;
    this.quick = quick;
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.progress = progress;
  }

  /**
   * Measures everything.
   *
   * @param environment describes the run, once the device is open
   * @throws WrongResult if an operation computes something wrong
   */
  public static InjectReport run(
      Opener opener,
      Function<ComputeDevice, Environment> environment,
      boolean quick,
      Progress progress) {
    Environment described;
    try (Gpuos gpu = opener.open(DeviceSettings.defaults())) {
      described = environment.apply(gpu.device());
    }
    var benchmark = new InjectBenchmark(opener, quick, described.seed(), progress);
    List<Operator> operators = benchmark.cached(quick ? 20 : 100, "relu(x * %s + %s) - x");
    InjectReport.Fed fresh = benchmark.fed(operators);
    InjectReport.Fed fed = fresh;
    for (int round = 1; round < (quick ? 2 : WARM_UP_ROUNDS); round++) {
      fed = benchmark.fed(operators);
    }
    Optional<InjectReport.DriverPauses> pauses = benchmark.driverPauses();
    InjectReport.Throughput throughput = benchmark.throughput();
    InjectReport.FirstUse firstUse =
        new FirstUseBenchmark(opener, quick, benchmark.random, progress).run();
    InjectReport.Stress stress = benchmark.stress();
    return new InjectReport(
        described,
        goals(fed, pauses, throughput, firstUse, stress),
        fresh,
        fed,
        pauses,
        throughput,
        firstUse,
        stress);
  }

  /** Workers that stay, so that a launch shows. */
  private Gpuos openForGood() {
    return opener.open(
        DeviceSettings.defaults()
            .withLinger(DeviceSettings.FOREVER)
            .withMaxResidency(DeviceSettings.FOREVER));
  }

  /** Expressions that no other run has: their constants come from the random numbers. */
  private List<String> expressions(int count, String form) {
    List<String> expressions = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      double a = random.nextInt(1, 1 << 20) / 1024.0;
      double b = random.nextInt(1, 1 << 20) / 1024.0;
      expressions.add(form.formatted(a, b));
    }
    return expressions;
  }

  /** Such operators with their code on disk. */
  private List<Operator> cached(int count, String form) {
    List<Operator> operators = expressions(count, form).stream().map(Operator::of).toList();
    compile(operators);
    return operators;
  }

  private void compile(List<Operator> operators) {
    progress.step(String.format(Locale.ROOT, "compiling %d operators", operators.size()));
    try (Gpuos gpu = opener.open(DeviceSettings.defaults());
        Tensor x = gpu.zeros(DType.F32, SIZE);
        Tensor y = gpu.zeros(DType.F32, SIZE)) {
      for (Operator operator : operators) {
        gpu.prepare(operator, y, x).close();
      }
      awaitCompiled(gpu);
    }
  }

  private InjectReport.Fed fed(List<Operator> operators) {
    int count = operators.size();
    progress.step("bringing them in while the ring is fed");
    try (Gpuos gpu = openForGood();
        Adds adds = new Adds(gpu, FEEDING, SIZE, Storage.SLAB, random);
        Tensor x = gpu.zeros(DType.F32, SIZE);
        Tensor y = gpu.zeros(DType.F32, SIZE)) {
      awaitCompiled(gpu);
      long before = gpu.device().injections().count();
      double[] prepare = new double[count];
      long launches;
      try (Feeder feeder = Feeder.start(gpu, adds)) {
        feeder.awaitBatches(20);
        launches = gpu.device().lease().launches();
        for (int k = 0; k < count; k++) {
          long begin = System.nanoTime();
          Call call = gpu.prepare(operators.get(k), y, x);
          prepare[k] = (System.nanoTime() - begin) / 1e3;
          call.run();
          call.close();
          feeder.awaitBatches(1);
        }
      }
      adds.check();
      awaitCompiled(gpu);
      int came = (int) (gpu.device().injections().count() - before);
      List<Injection> all = gpu.device().injections().latest();
      List<Injection> mine = all.subList(all.size() - Math.min(came, all.size()), all.size());
      double[] load = mine.stream().mapToDouble(Injection::loadMicros).toArray();
      double[] turn = mine.stream().mapToDouble(Injection::turnMicros).toArray();
      double[] total =
          mine.stream().mapToDouble(one -> one.loadMicros() + one.turnMicros()).toArray();
      double[] measured = total.length == 0 ? prepare : total;
      return new InjectReport.Fed(
          count,
          launches,
          gpu.device().lease().launches(),
          Rounds.median(measured),
          Rounds.percentile(measured, 99),
          Rounds.most(measured),
          Rounds.median(prepare),
          Rounds.percentile(prepare, 99),
          load,
          turn,
          total,
          prepare);
    }
  }

  private Optional<InjectReport.DriverPauses> driverPauses() {
    try (Gpuos gpu = openForGood()) {
      if (gpu.device().injection().live()) {
        return Optional.empty();
      }
      List<String> generations = expressions(quick ? 20 : 60, "x * %s + %s");
      progress.step("pauses while the driver loads");
      try (Adds adds = new Adds(gpu, FEEDING, SIZE, Storage.SLAB, random)) {
        awaitCompiled(gpu);
        return Optional.of(DriverPause.measure(gpu, adds, generations));
      }
    }
  }

  /**
   * Waits until nothing is interpreted any more.
   *
   * @throws WrongResult at the deadline, or if an operator stays interpreted: its times would be
   *     the interpreter's
   */
  static void awaitCompiled(Gpuos gpu) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(COMPILE_SECONDS);
    if (!gpu.device().awaitCompiled(deadline)) {
      throw new WrongResult("not compiled: waited_s=" + COMPILE_SECONDS + ", expected=less");
    }
    requireCompiled(gpu.device().injections());
  }

  static void requireCompiled(Injections injections) {
    if (injections.failed() != 0) {
      throw new WrongResult(
          String.format(
              Locale.ROOT,
              "not compiled: operators=%d, last=%s, expected=none that stays interpreted",
              injections.failed(),
              injections.failures().getLast()));
    }
  }

  private InjectReport.Throughput throughput() {
    int changes = quick ? 100 : 1000;
    List<String> generations = expressions(changes / 2, "x * %s + %s");
    compile(generations.stream().map(Operator::of).toList());
    progress.step(String.format(Locale.ROOT, "throughput during %d changes", changes));
    try (Gpuos gpu = openForGood();
        Adds adds = new Adds(gpu, FEEDING, SIZE, Storage.SLAB, random);
        Tensor x = gpu.zeros(DType.F32, SIZE)) {
      LiveOperator live = gpu.inject("live", "x + 1");
      gpu.run(live.operator(), x).close();
      awaitCompiled(gpu);
      double[] calm;
      double[] disturbed;
      int done = 0;
      try (Feeder feeder = Feeder.start(gpu, adds)) {
        // Also the way of a change, so that the JVM compiles nothing later.
        for (int k = 0; k < WARM_UP_CHANGES; k++) {
          gpu.inject("live", "x + " + (k % 2));
          live.rollback();
        }
        feeder.awaitBatches(quick ? 200 : 20_000);
        feeder.reset();
        feeder.awaitBatches(quick ? 300 : 3000);
        calm = feeder.windows();
        feeder.reset();
        for (String generation : generations) {
          gpu.inject("live", generation);
          live.rollback();
          done += 2;
        }
        disturbed = feeder.windows();
      }
      adds.check();
      return new InjectReport.Throughput(
          done,
          Rounds.median(calm),
          Rounds.least(calm),
          Rounds.median(disturbed),
          Rounds.least(disturbed),
          Rounds.least(disturbed) / Rounds.median(calm),
          calm,
          disturbed);
    }
  }

  private InjectReport.Stress stress() {
    int events = quick ? 500 : 10_000;
    progress.step(String.format(Locale.ROOT, "checked tasks under %d random events", events));
    try (Gpuos gpu = opener.open(DeviceSettings.defaults())) {
      return new InjectStress(gpu, seed, events, 100L * events).run();
    }
  }

  private static List<Goal> goals(
      InjectReport.Fed fed,
      Optional<InjectReport.DriverPauses> pauses,
      InjectReport.Throughput throughput,
      InjectReport.FirstUse firstUse,
      InjectReport.Stress stress) {
    List<Goal> goals = new ArrayList<>();
    pauses.ifPresent(
        p -> goals.add(Goal.atMost("driver fallback, pause, p50", 250, p.p50Us(), "us")));
    goals.addAll(goals(fed, throughput, firstUse, stress));
    return goals;
  }

  private static List<Goal> goals(
      InjectReport.Fed fed,
      InjectReport.Throughput throughput,
      InjectReport.FirstUse firstUse,
      InjectReport.Stress stress) {
    return List.of(
        Goal.atMost("bring in a cached operator while the ring is fed, p50", 40, fed.p50Us(), "us"),
        Goal.atMost("the same, p99", 150, fed.p99Us(), "us"),
        Goal.atMost(
            "launches meanwhile", 0, fed.launchesAfter() - (double) fed.launchesBefore(), ""),
        Goal.atLeast(
            "slowest 10 ms under publications and rollbacks, of undisturbed",
            97,
            100 * throughput.ratio(),
            "%"),
        Goal.atMost(
            "first result of a new expression, p50", 2000, firstUse.firstResultP50Us(), "us"),
        Goal.atMost("its compiled generation, p50", 100, firstUse.compiledP50Ms(), "ms"),
        Goal.atLeast(
            "verified or failed as expected, of what was submitted under random events",
            100,
            100.0 * (stress.verified() + stress.failedAsExpected()) / stress.submitted(),
            "%"));
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.cli.bench.Adds.Storage;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.OpenPhases;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;

/** The cost of single operations. One thread, one use. */
public final class MicroBenchmark {

  /** How calls are submitted, as the report names it. */
  static final String CALL = "call";

  static final String BATCH = "batch";

  private static final int SMALL = 256;
  private static final int[] SIZES = {256, 1024, 4096, 16_384};

  /** Calls taken in turn where the host's caches are to hold them. */
  private static final int HOT = 64;

  /** Far below the ring's capacity, so that no submission waits. */
  private static final int HOT_TURNS = 32;

  /**
   * How much of everything.
   *
   * @param rounds timed, of everything but the latency
   * @param operations additions of one throughput round; the ring has room for them
   * @param bandwidthElements of the large operation
   * @param bandwidthPieces such operations one behind the other, each on memory of its own
   */
  private record Effort(
      WarmUp warmUp,
      int rounds,
      int latencies,
      int operations,
      int bandwidthElements,
      int bandwidthPieces,
      int opens) {

    private static final long MS = 1_000_000;
    private static final WarmUp SHORT = new WarmUp(30, 200 * MS, 600 * MS);
    private static final WarmUp LONG = new WarmUp(30, 500 * MS, 2000 * MS);

    private static final int FEW_ROUNDS = 31;
    private static final int ROUNDS = 101;
    private static final int CPU_ELEMENTS = 16 << 20;
    private static final int GPU_ELEMENTS = 64 << 20;

    /** So many that what the host adds to the whole is small beside it. */
    private static final int GPU_PIECES = 8;

    /**
     * @param quick only to see that everything works, in seconds
     */
    static Effort of(boolean quick, boolean gpu) {
      int elements = gpu ? GPU_ELEMENTS : CPU_ELEMENTS;
      int pieces = gpu ? GPU_PIECES : 1;
      return quick
          ? new Effort(SHORT, FEW_ROUNDS, 2000, gpu ? 10_000 : 1000, elements / 8, pieces, 1)
          : new Effort(LONG, gpu ? ROUNDS : FEW_ROUNDS, 10_000, 10_000, elements, pieces, 5);
    }
  }

  private final Gpuos gpu;
  private final Effort effort;
  private final SplittableRandom random;
  private final Progress progress;

  private MicroBenchmark(Gpuos gpu, Effort effort, long seed, Progress progress) {
    this.gpu = gpu;
    this.effort = effort;
    this.random = new SplittableRandom(seed);
    this.progress = progress;
  }

  /**
   * Opens the device, measures everything and closes it again.
   *
   * @param device opens it for the first time in this process
   * @param environment describes the run, once the device is open
   * @throws WrongResult if an operation computes something wrong
   */
  public static MicroReport run(
      Supplier<Gpuos> device,
      Function<ComputeDevice, Environment> environment,
      boolean quick,
      Progress progress) {
    long begin = System.nanoTime();
    Gpuos gpu = device.get();
    double firstMs = (System.nanoTime() - begin) / 1e6;
    String name = gpu.device().name();
    Effort effort = Effort.of(quick, !name.equals("cpu"));
    MicroReport.Submit submit;
    MicroReport.Latency latency;
    List<MicroReport.Throughput> throughput = new ArrayList<>();
    MicroReport.Bandwidth bandwidth;
    Environment described;
    List<OpenPhases.Phase> phases = gpu.device().openPhases();
    try (gpu) {
      described = environment.apply(gpu.device());
      var benchmark = new MicroBenchmark(gpu, effort, described.seed(), progress);
      submit = benchmark.submit();
      latency = benchmark.latency();
      for (int size : SIZES) {
        throughput.addAll(benchmark.throughput(size, Storage.SLAB));
      }
      throughput.addAll(benchmark.throughput(SMALL, Storage.SEPARATE));
      bandwidth = benchmark.bandwidth();
    }
    progress.step("opening the device");
    MicroReport.Open open = new MicroReport.Open(firstMs, phases, open(name, effort.opens()));
    return new MicroReport(
        described,
        goals(submit, latency, throughput, bandwidth, open),
        submit,
        distinct(throughput.getFirst()),
        latency,
        throughput,
        bandwidth,
        open);
  }

  private Timing time(Adds adds, Runnable submit) {
    return Timing.of(gpu, adds, submit, effort.warmUp(), effort.rounds(), random);
  }

  private MicroReport.Submit submit() {
    progress.step("cost of a submission");
    try (Adds adds = new Adds(gpu, HOT, SMALL, Storage.SLAB, random)) {
      Timing timing = time(adds, () -> adds.submitOneByOne(HOT_TURNS));
      int calls = HOT * HOT_TURNS;
      double[] rounds = each(timing.hostNs(), calls);
      return submit(calls, HOT, timing.warmUpRounds(), rounds);
    }
  }

  /** The same over different calls: the first measurement of throughput has it. */
  private static MicroReport.Submit distinct(MicroReport.Throughput oneByOne) {
    int calls = oneByOne.operations();
    return submit(calls, calls, oneByOne.warmUpRounds(), oneByOne.hostRoundsNs());
  }

  private static MicroReport.Submit submit(int calls, int distinct, int warmUp, double[] rounds) {
    return new MicroReport.Submit(
        calls,
        distinct,
        SMALL,
        warmUp,
        Rounds.median(rounds),
        Rounds.least(rounds),
        Rounds.percentile(rounds, 90),
        rounds);
  }

  private MicroReport.Latency latency() {
    progress.step("latency of one operation");
    double[] samples = new double[effort.latencies()];
    try (Adds adds = new Adds(gpu, HOT, SMALL, Storage.SLAB, random)) {
      adds.poison();
      Call[] calls = adds.calls();
      for (int k = -samples.length / 2; k < samples.length; k++) {
        Call call = calls[Math.floorMod(k, calls.length)];
        long begin = System.nanoTime();
        gpu.await(call.submit());
        long end = System.nanoTime();
        if (k >= 0) {
          samples[k] = end - begin;
        }
      }
      adds.check();
    }
    return new MicroReport.Latency(
        samples.length,
        SMALL,
        Rounds.percentile(samples, 10) / 1e3,
        Rounds.median(samples) / 1e3,
        Rounds.percentile(samples, 90) / 1e3,
        Rounds.percentile(samples, 99) / 1e3,
        Rounds.least(samples) / 1e3,
        Rounds.most(samples) / 1e3,
        samples);
  }

  /** One by one, and as a batch. */
  private List<MicroReport.Throughput> throughput(int size, Storage storage) {
    int count = effort.operations();
    String kind = storage.name().toLowerCase(Locale.ROOT);
    progress.step(String.format(Locale.ROOT, "%d additions of %d elements, %s", count, size, kind));
    try (Adds adds = new Adds(gpu, count, size, storage, random)) {
      return List.of(
          throughput(kind, CALL, size, time(adds, () -> adds.submitOneByOne(1))),
          throughput(kind, BATCH, size, time(adds, adds::submitBatch)));
    }
  }

  private MicroReport.Throughput throughput(String storage, String how, int size, Timing timing) {
    int count = effort.operations();
    double[] complete = each(timing.completeNs(), count * 1e3);
    double[] host = each(timing.hostNs(), count);
    return new MicroReport.Throughput(
        storage,
        how,
        count,
        size,
        timing.warmUpRounds(),
        Rounds.median(complete),
        Rounds.least(complete),
        Rounds.percentile(complete, 90),
        complete,
        Rounds.median(host),
        Rounds.least(host),
        Rounds.percentile(host, 90),
        host);
  }

  private static double[] each(double[] rounds, double divisor) {
    return Arrays.stream(rounds).map(round -> round / divisor).toArray();
  }

  private MicroReport.Bandwidth bandwidth() {
    progress.step(
        String.format(Locale.ROOT, "bandwidth over %d elements", effort.bandwidthElements()));
    return new BandwidthBenchmark(
            gpu,
            effort.bandwidthElements(),
            effort.bandwidthPieces(),
            effort.rounds(),
            effort.warmUp(),
            random)
        .run();
  }

  private static double[] open(String device, int times) {
    double[] millis = new double[times];
    for (int k = 0; k < times; k++) {
      long begin = System.nanoTime();
      try (Gpuos opened = Gpuos.open(device)) {
        millis[k] = (System.nanoTime() - begin) / 1e6;
        opened.synchronize();
      }
    }
    return millis;
  }

  private static List<Goal> goals(
      MicroReport.Submit submit,
      MicroReport.Latency latency,
      List<MicroReport.Throughput> throughput,
      MicroReport.Bandwidth bandwidth,
      MicroReport.Open open) {
    return List.of(
        Goal.atMost("submit one prepared call, hot, host time", 50, submit.medianNs(), "ns"),
        batch(throughput, SMALL, 0.03),
        batch(throughput, 16_384, 0.2),
        Goal.atMost("one operation, submit to complete, p50", 6, latency.p50Us(), "us"),
        Goal.atLeast(
            String.format(
                Locale.ROOT,
                "an addition of %d elements, bandwidth by that of the device's own copy",
                bandwidth.elements()),
            90,
            100 * bandwidth.addOverCopy(),
            "%"),
        Goal.atMost("open the device, first in this process", 400, open.firstMs(), "ms"));
  }

  private static Goal batch(List<MicroReport.Throughput> throughput, int size, double goal) {
    MicroReport.Throughput found =
        throughput.stream()
            .filter(one -> one.how().equals(BATCH) && one.size() == size)
            .findFirst()
            .orElseThrow();
    return Goal.atMost(
        String.format(
            Locale.ROOT,
            "%d independent additions of %d elements, first submit to all complete, each",
            found.operations(),
            size),
        goal,
        found.medianUs(),
        "us");
  }
}

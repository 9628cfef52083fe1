package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;

/** The cost of single operations. One thread, one use. */
public final class MicroBenchmark {

  private static final int SMALL = 256;
  private static final int[] SIZES = {256, 1024, 4096, 16_384};

  /** Far below the ring's capacity, so that no submission waits. */
  private static final int SUBMITS = 2048;

  /**
   * How much of everything.
   *
   * @param operations additions of one throughput round
   * @param bandwidthElements of the large operation
   */
  private record Effort(
      int submitRounds,
      int latencies,
      int operations,
      int throughputRounds,
      int bandwidthElements,
      int bandwidthRounds,
      int opens) {

    private static final int CPU_ELEMENTS = 16 << 20;
    private static final int GPU_ELEMENTS = 64 << 20;

    /**
     * @param quick only to see that everything works, in seconds
     */
    static Effort of(boolean quick, boolean gpu) {
      int elements = gpu ? GPU_ELEMENTS : CPU_ELEMENTS;
      return quick
          ? new Effort(21, 2000, 1000, 3, elements / 8, 5, 1)
          : new Effort(201, 10_000, 10_000, 11, elements, 21, 5);
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
    try (gpu) {
      described = environment.apply(gpu.device());
      var benchmark = new MicroBenchmark(gpu, effort, described.seed(), progress);
      submit = benchmark.submit();
      latency = benchmark.latency();
      for (int size : SIZES) {
        throughput.add(benchmark.throughput(size));
      }
      bandwidth = benchmark.bandwidth();
    }
    progress.step("opening the device");
    MicroReport.Open open = new MicroReport.Open(firstMs, open(name, effort.opens()));
    return new MicroReport(described, submit, latency, throughput, bandwidth, open);
  }

  private MicroReport.Submit submit() {
    progress.step("cost of a submission");
    double[] rounds = new double[effort.submitRounds()];
    try (Adds adds = new Adds(gpu, SUBMITS, SMALL, random)) {
      Call[] calls = adds.calls();
      for (int k = -rounds.length / 2; k < rounds.length; k++) {
        adds.poison();
        long begin = System.nanoTime();
        for (Call call : calls) {
          call.submit();
        }
        long end = System.nanoTime();
        gpu.synchronize();
        adds.check();
        if (k >= 0) {
          rounds[k] = (double) (end - begin) / calls.length;
        }
      }
    }
    return new MicroReport.Submit(
        SUBMITS, SMALL, Rounds.median(rounds), Rounds.least(rounds), Rounds.most(rounds), rounds);
  }

  private MicroReport.Latency latency() {
    progress.step("latency of one operation");
    double[] samples = new double[effort.latencies()];
    try (Adds adds = new Adds(gpu, Adds.PAIRS, SMALL, random)) {
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
        Rounds.median(samples) / 1e3,
        Rounds.percentile(samples, 99) / 1e3,
        Rounds.least(samples) / 1e3,
        Rounds.most(samples) / 1e3,
        samples);
  }

  private MicroReport.Throughput throughput(int size) {
    progress.step("%d additions of %d elements".formatted(effort.operations(), size));
    double[] rounds = new double[effort.throughputRounds()];
    try (Adds adds = new Adds(gpu, effort.operations(), size, random)) {
      Call[] calls = adds.calls();
      for (int k = -2; k < rounds.length; k++) {
        adds.poison();
        long begin = System.nanoTime();
        for (Call call : calls) {
          call.submit();
        }
        gpu.synchronize();
        long end = System.nanoTime();
        adds.check();
        if (k >= 0) {
          rounds[k] = (end - begin) / 1e3 / calls.length;
        }
      }
    }
    return new MicroReport.Throughput(
        effort.operations(),
        size,
        Math.min(Adds.PAIRS, effort.operations()),
        Rounds.median(rounds),
        Rounds.least(rounds),
        rounds);
  }

  private MicroReport.Bandwidth bandwidth() {
    progress.step("bandwidth over %d elements".formatted(effort.bandwidthElements()));
    return new BandwidthBenchmark(gpu, effort.bandwidthElements(), effort.bandwidthRounds()).run();
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
}

package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.DeviceSettings;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * The first use of expressions that no cache holds, whatever ran on this machine before: the cache
 * on disk is a folder of its own, empty at the start. Two cases: the device is ready to interpret,
 * and the device has just been opened with nothing compiled, not even the interpreter. One use.
 */
final class FirstUseBenchmark {

  /** Of each device, so that the JVM has compiled the host's part. */
  private static final int WARM_UP = 10;

  private final InjectBenchmark.Opener opener;
  private final boolean quick;
  private final SplittableRandom random;
  private final Progress progress;

  FirstUseBenchmark(
      InjectBenchmark.Opener opener, boolean quick, SplittableRandom random, Progress progress) {
    this.opener = opener;
    this.quick = quick;
    this.random = random;
    this.progress = progress;
  }

  private record Sample(double firstUs, double compiledMs) {}

  InjectReport.FirstUse run() {
    int count = quick ? 10 : 50;
    double[] first = new double[count];
    double[] compiled = new double[count];
    progress.step(String.format(Locale.ROOT, "first use of %d new expressions", count));
    try (EmptyCache cache = EmptyCache.use();
        Gpuos gpu = opener.open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {1, 2, 3, 4}, 4)) {
      cache.requireUsed();
      InjectBenchmark.awaitCompiled(gpu);
      for (int k = -WARM_UP; k < count; k++) {
        Sample sample = use(gpu, x);
        if (k >= 0) {
          first[k] = sample.firstUs();
          compiled[k] = sample.compiledMs();
        }
      }
    }
    InjectReport.EmptyCacheUse empty = emptyCache(quick ? 2 : 5);
    return new InjectReport.FirstUse(
        count,
        Rounds.median(first),
        Rounds.most(first),
        Rounds.median(compiled),
        Rounds.most(compiled),
        first,
        compiled,
        empty);
  }

  private InjectReport.EmptyCacheUse emptyCache(int count) {
    double[] open = new double[count];
    double[] first = new double[count];
    double[] compiled = new double[count];
    for (int k = 0; k < count; k++) {
      progress.step(String.format(Locale.ROOT, "opening with an empty cache, %d of %d", k, count));
      try (EmptyCache cache = EmptyCache.use()) {
        long begin = System.nanoTime();
        try (Gpuos gpu = opener.open(DeviceSettings.defaults());
            Tensor x = gpu.tensor(new float[] {1, 2, 3, 4}, 4)) {
          open[k] = (System.nanoTime() - begin) / 1e6;
          Sample sample = use(gpu, x);
          first[k] = sample.firstUs();
          compiled[k] = sample.compiledMs();
        }
        cache.requireUsed();
      }
    }
    return new InjectReport.EmptyCacheUse(
        count,
        Rounds.median(open),
        Rounds.median(first),
        Rounds.most(first),
        open,
        first,
        compiled);
  }

  private Sample use(Gpuos gpu, Tensor x) {
    double a = random.nextInt(1, 1 << 20) / 1024.0;
    String text = "sigmoid(x * %s) + x".formatted(a);
    long begin = System.nanoTime();
    try (Tensor y = gpu.run(Operator.of(text), x)) {
      long end = System.nanoTime();
      InjectBenchmark.awaitCompiled(gpu);
      long ready = System.nanoTime();
      double expected = 1 / (1 + Math.exp(-2 * a)) + 2;
      if (Math.abs(y.toFloats()[1] - expected) > 1e-5) {
        throw new WrongResult("wrong result: operation=%s".formatted(text));
      }
      return new Sample((end - begin) / 1e3, (ready - begin) / 1e6);
    }
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Tensor;
import io.gpuos.cli.bench.Gaps.Gap;
import io.gpuos.device.Injections.Pause;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.function.ToLongFunction;

/** For how long workers are away while the driver loads an image with one operator more. */
final class DriverPause {

  private static final int SIZE = 256;

  private DriverPause() {}

  /**
   * Publishes each of {@code generations} of one operator while {@code adds} feed the ring.
   *
   * @param gpu whose workers stay, and whose operators come in by the driver
   */
  static InjectReport.DriverPauses measure(Gpuos gpu, Adds adds, List<String> generations) {
    int before;
    List<Gap> gaps;
    try (Tensor x = gpu.zeros(DType.F32, SIZE)) {
      LiveOperator paused = gpu.inject("paused", "x + 1");
      gpu.run(paused.operator(), x).close();
      before = gpu.device().injections().pauses().size();
      Gaps watch = Gaps.watch(gpu);
      try (watch;
          Feeder feeder = Feeder.start(gpu, adds)) {
        feeder.awaitBatches(20);
        for (String generation : generations) {
          gpu.inject("paused", generation);
          feeder.awaitBatches(2);
        }
      }
      gaps = watch.found();
    }
    adds.check();
    List<Pause> pauses = gpu.device().injections().pauses();
    return report(pauses.subList(before, pauses.size()), gaps);
  }

  /** The pauses, with what {@code gaps} say of the first task after each. */
  static InjectReport.DriverPauses report(List<Pause> pauses, List<Gap> gaps) {
    double[] total = micros(pauses, p -> Gaps.firstAfter(gaps, p.releasedNanos()) - p.askedNanos());
    double[] leave = micros(pauses, p -> p.leftNanos() - p.askedNanos());
    double[] load = micros(pauses, p -> p.loadedNanos() - p.leftNanos());
    double[] turn = micros(pauses, p -> p.turnedNanos() - p.loadedNanos());
    double[] release = micros(pauses, p -> p.releasedNanos() - p.turnedNanos());
    double[] first =
        micros(pauses, p -> Gaps.firstAfter(gaps, p.releasedNanos()) - p.releasedNanos());
    return new InjectReport.DriverPauses(
        pauses.size(),
        Rounds.median(total),
        Rounds.percentile(total, 99),
        Rounds.most(total),
        total,
        leave,
        load,
        turn,
        release,
        first);
  }

  private static double[] micros(List<Pause> pauses, ToLongFunction<Pause> nanos) {
    return pauses.stream().mapToDouble(pause -> nanos.applyAsLong(pause) / 1e3).toArray();
  }
}

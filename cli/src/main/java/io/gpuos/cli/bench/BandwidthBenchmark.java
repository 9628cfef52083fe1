package io.gpuos.cli.bench;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * How fast large elementwise operations go through memory, beside copies by an operator and the
 * device's own copy. The three take turns, so that what disturbs one disturbs all. Timed by the
 * host, from the first submission to the completion of all; the device copies everything with one
 * call, the operators go piece by piece, one submission behind the other.
 */
final class BandwidthBenchmark {

  private static final int CHUNK_ELEMENTS = 4 << 20;

  /** Time for idle workers to leave the device, so that its own copy has it for itself. */
  private static final long PARK_NANOS = 1_000_000;

  /** One of the three, with the times of its rounds. */
  private record Contender(
      String name, long bytes, float expected, boolean alone, Runnable work, double[] nanos) {}

  private final Gpuos gpu;
  private final long elements;
  private final long total;
  private final int rounds;
  private final WarmUp warmUp;
  private final SplittableRandom random;

  /**
   * @param elements of one operation
   * @param pieces operations of a round, each on memory of its own
   */
  BandwidthBenchmark(
      Gpuos gpu, long elements, int pieces, int rounds, WarmUp warmUp, SplittableRandom random) {
    this.gpu = gpu;
    this.elements = elements;
    this.total = elements * pieces;
    this.rounds = rounds;
    this.warmUp = warmUp;
    this.random = random;
  }

  /**
   * Measures.
   *
   * @throws WrongResult if a result is wrong after the first round, the last or one at random
   */
  MicroReport.Bandwidth run() {
    Operator copying = Operator.of("+a");
    try (Tensor a = filled(1);
        Tensor b = filled(2);
        Tensor out = gpu.empty(DType.F32, total);
        Tensor nan = gpu.tensor(new float[] {Float.NaN});
        Tensor nans = nan.expand(total);
        Call poison = gpu.prepare(copying, out, nans);
        Pieces adding = new Pieces(Operator.of("a + b"), out, a, b);
        Pieces copy = new Pieces(copying, out, a)) {
      long bytes = total * Float.BYTES;
      Contender add = contender("a + b", 3 * bytes, 3, false, adding::run);
      Contender operator = contender("+a", 2 * bytes, 1, false, copy::run);
      Contender own =
          contender(
              "device copy",
              2 * bytes,
              2,
              true,
              () -> gpu.device().copy(out.address(), b.address(), bytes));
      Contender[] all = {add, own, operator};
      warmUp.run(() -> round(all, poison, out, 0, false));
      int chosen = random.nextInt(rounds);
      for (int k = 0; k < rounds; k++) {
        round(all, poison, out, k, k == 0 || k == chosen || k == rounds - 1);
      }
      return report(add, operator, own);
    }
  }

  /** One operation for each piece of the tensors. */
  private final class Pieces implements AutoCloseable {
    private final List<Tensor> parts = new ArrayList<>();
    private final List<Call> calls = new ArrayList<>();

    Pieces(Operator operator, Tensor out, Tensor... inputs) {
      for (long from = 0; from < total; from += elements) {
        Tensor[] in = new Tensor[inputs.length];
        for (int k = 0; k < in.length; k++) {
          in[k] = part(inputs[k], from);
        }
        calls.add(gpu.prepare(operator, part(out, from), in));
      }
    }

    private Tensor part(Tensor tensor, long from) {
      Tensor part = tensor.narrow(0, from, elements);
      parts.add(part);
      return part;
    }

    void run() {
      for (Call call : calls) {
        call.submit();
      }
      gpu.synchronize();
    }

    @Override
    public void close() {
      calls.forEach(Call::close);
      parts.forEach(Tensor::close);
    }
  }

  private Contender contender(
      String name, long bytes, float expected, boolean alone, Runnable work) {
    return new Contender(name, bytes, expected, alone, work, new double[rounds]);
  }

  /** One round of all three; its time, for the warm-up. */
  private double round(Contender[] all, Call poison, Tensor out, int round, boolean checked) {
    double sum = 0;
    for (Contender contender : all) {
      poison.run();
      if (contender.alone()) {
        long parked = System.nanoTime() + PARK_NANOS;
        while (System.nanoTime() < parked) {
          Thread.onSpinWait();
        }
      }
      long begin = System.nanoTime();
      contender.work().run();
      contender.nanos()[round] = System.nanoTime() - begin;
      sum += contender.nanos()[round];
      if (checked) {
        check(contender, out);
      }
    }
    return sum;
  }

  private MicroReport.Bandwidth report(Contender add, Contender operator, Contender own) {
    double[] addRates = rates(add);
    double[] ownRates = rates(own);
    double[] ratios = new double[rounds];
    Arrays.setAll(ratios, k -> addRates[k] / ownRates[k]);
    return new MicroReport.Bandwidth(
        elements,
        total / elements,
        moved(add),
        moved(operator),
        moved(own),
        Rounds.median(ratios),
        ratios);
  }

  private static double[] rates(Contender contender) {
    return Arrays.stream(contender.nanos()).map(nanos -> contender.bytes() / nanos).toArray();
  }

  private static MicroReport.Moved moved(Contender contender) {
    double[] rates = rates(contender);
    double[] nanos = contender.nanos();
    return new MicroReport.Moved(
        contender.bytes(),
        Rounds.median(nanos) / 1e3,
        Rounds.least(nanos) / 1e3,
        Rounds.percentile(nanos, 90) / 1e3,
        Rounds.median(rates),
        Rounds.most(rates),
        rates);
  }

  /** A tensor of one value; the device sets it. */
  private Tensor filled(float value) {
    Tensor tensor = gpu.empty(DType.F32, total);
    try (Tensor scalar = gpu.tensor(new float[] {value});
        Tensor all = scalar.expand(total)) {
      gpu.runInto(Operator.of("+a"), tensor, all);
    }
    return tensor;
  }

  private void check(Contender contender, Tensor tensor) {
    float[] expected = new float[(int) Math.min(CHUNK_ELEMENTS, total)];
    Arrays.fill(expected, contender.expected());
    float[] found = new float[expected.length];
    for (long from = 0; from < total; from += expected.length) {
      int length = (int) Math.min(expected.length, total - from);
      try (Tensor part = tensor.narrow(0, from, length)) {
        part.read(MemorySegment.ofArray(found).asSlice(0, (long) length * Float.BYTES));
      }
      int differs = Arrays.mismatch(found, 0, length, expected, 0, length);
      if (differs >= 0) {
        throw new WrongResult(
            String.format(
                Locale.ROOT,
                "wrong result: operation=%s, elements=%d, element=%d, result=%s, expected=%s",
                contender.name(),
                total,
                from + differs,
                found[differs],
                contender.expected()));
      }
    }
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.Program;
import io.gpuos.ProgramTrace;
import io.gpuos.Recording;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * A recorded program, the tensors it uses, and what each result has to be. All tensors are F32, in
 * use by the program, and in memory of their own. One thread.
 */
final class ProgramFixture implements AutoCloseable {

  /** Of 1 + the expected number's magnitude. Results are F32, of up to 1,000 steps. */
  private static final double TOLERANCE = 1e-4;

  /**
   * A tensor that replays write.
   *
   * @param before written before a round: poison, or the state that a replay starts from
   * @param expected after one replay
   */
  private record Result(Tensor tensor, float[] before, double[] expected) {}

  /** A tensor with its values. */
  record Values(Tensor tensor, double[] values) {}

  private final Gpuos gpu;
  private final SplittableRandom random;
  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Result> results = new ArrayList<>();
  private final Peer peer = new Peer(this);
  private Program program;

  ProgramFixture(Gpuos gpu, SplittableRandom random) {
    this.gpu = gpu;
    this.random = random;
  }

  /** A tensor of random values between the bounds. */
  Values random(double least, double most, long... shape) {
    int count = Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact));
    float[] values = new float[count];
    double[] exact = new double[count];
    for (int k = 0; k < count; k++) {
      values[k] = (float) random.nextDouble(least, most);
      exact[k] = values[k];
    }
    return new Values(keep(gpu.tensor(values, shape)), exact);
  }

  /** A tensor that replays fill and that holds NaN before. */
  Tensor result(double[] expected, long... shape) {
    float[] poison = new float[expected.length];
    Arrays.fill(poison, Float.NaN);
    Tensor tensor = keep(gpu.tensor(poison, shape));
    results.add(new Result(tensor, poison, expected));
    return tensor;
  }

  /** A tensor for results in between, of the launches beside the program. */
  Tensor scratch(long... shape) {
    return keep(gpu.zeros(DType.F32, shape));
  }

  /** The launches that compute the same without GPUOS, to be told by who makes the program. */
  Peer peer() {
    return peer;
  }

  /** A tensor that a replay changes in place. Each round begins with its present values. */
  void state(Values values, double[] expected) {
    results.add(new Result(values.tensor(), values.tensor().toFloats(), expected));
  }

  private Tensor keep(Tensor tensor) {
    tensors.add(tensor);
    return tensor;
  }

  /** Records the program; its results are tensors in use. */
  void record(Consumer<Recording> body) {
    program =
        gpu.record(
            scope -> {
              body.accept(scope);
              return List.of();
            });
  }

  Submission submit() {
    return program.submitInto(List.of());
  }

  /** A replay, when each node ran. */
  ProgramTrace trace() {
    return program.trace(List.of());
  }

  /** Fills results with NaN and puts state back, and waits for that. */
  void reset() {
    gpu.synchronize();
    results.forEach(result -> result.tensor().write(result.before()));
    gpu.synchronize();
  }

  /**
   * Compares every element of every result.
   *
   * @throws WrongResult if one is off
   */
  void check(String workload) {
    gpu.synchronize();
    for (int number = 0; number < results.size(); number++) {
      Result result = results.get(number);
      float[] found = result.tensor().toFloats();
      for (int k = 0; k < found.length; k++) {
        double wanted = result.expected()[k];
        // A NaN has to fail.
        if (!(Math.abs(found[k] - wanted) <= TOLERANCE * (1 + Math.abs(wanted)))) {
          throw new WrongResult(
              String.format(
                  Locale.ROOT,
                  "wrong result: workload=%s, tensor=%d, element=%d, result=%s, expected=%s",
                  workload,
                  number,
                  k,
                  found[k],
                  wanted));
        }
      }
    }
  }

  @Override
  public void close() {
    gpu.synchronize();
    if (program != null) {
      program.close();
    }
    tensors.reversed().forEach(Tensor::close);
  }
}

package io.gpuos.cli.bench;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Tasks of one operator, whose generations each add a number of their own, while it is published,
 * rolled back and the workers are parked at random. Every element of every task must be the result
 * of a generation that was current at some moment between its submission and its completion, and
 * all elements of a task of the same one.
 */
final class InjectStress {

  private static final int SIZE = 256;
  private static final int BATCH = 1000;
  private static final int GENERATIONS = 64;
  private static final int POISON = -1;

  private final Gpuos gpu;
  private final SplittableRandom random;
  private final long seed;
  private final int events;
  private final long tasks;
  private long verified;
  private long wrong;
  private int publications;
  private int rollbacks;
  private int parks;

  /** Numbers the generations add: the current one's, and that of the one before or -1. */
  private int current;

  private int previous = -1;

  InjectStress(Gpuos gpu, long seed, int events, long tasks) {
    this.gpu = gpu;
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.events = events;
    this.tasks = tasks;
  }

  InjectReport.Stress run() {
    long begin = System.nanoTime();
    LiveOperator live = gpu.inject("stress", body(0));
    float[] zeros = new float[BATCH * SIZE];
    try (Tensor x = gpu.tensor(zeros, BATCH, SIZE);
        Tensor y = gpu.empty(DType.F32, BATCH, SIZE)) {
      List<Call> calls = new ArrayList<>();
      List<Tensor> rows = new ArrayList<>();
      for (int k = 0; k < BATCH; k++) {
        Tensor in = x.select(0, k);
        Tensor out = y.select(0, k);
        rows.add(in);
        rows.add(out);
        calls.add(gpu.prepare(live.operator(), out, in));
      }
      Batch batch = gpu.batch(calls);
      long rounds = tasks / BATCH;
      int each = (int) Math.max(1, events / rounds);
      for (long round = 0; round < rounds; round++) {
        round(live, batch, y, each);
      }
      calls.forEach(Call::close);
      rows.forEach(Tensor::close);
    }
    return new InjectReport.Stress(
        seed,
        verified + wrong,
        verified,
        wrong,
        publications,
        rollbacks,
        parks,
        gpu.device().lease().launches(),
        (System.nanoTime() - begin) / 1e9);
  }

  private static String body(int number) {
    return "x + " + number;
  }

  private void round(LiveOperator live, Batch batch, Tensor y, int each) {
    y.write(poison());
    BitSet allowed = new BitSet();
    allowed.set(current);
    long last = batch.submit();
    for (int k = 0; k < each; k++) {
      event(live);
      allowed.set(current);
    }
    gpu.await(last);
    check(y.toFloats(), allowed);
  }

  private static float[] poison() {
    float[] values = new float[BATCH * SIZE];
    java.util.Arrays.fill(values, POISON);
    return values;
  }

  private void event(LiveOperator live) {
    switch (random.nextInt(3)) {
      case 0 -> {
        int next = random.nextInt(GENERATIONS);
        gpu.inject("stress", body(next));
        previous = current;
        current = next;
        publications++;
      }
      case 1 -> {
        if (previous >= 0) {
          live.rollback();
          current = previous;
          previous = -1;
          rollbacks++;
        }
      }
      default -> {
        gpu.device().lease().yieldWorkers();
        parks++;
      }
    }
  }

  private void check(float[] found, BitSet allowed) {
    for (int row = 0; row < BATCH; row++) {
      float value = found[row * SIZE];
      boolean right = value >= 0 && value == (int) value && allowed.get((int) value);
      for (int k = 1; k < SIZE; k++) {
        right &= found[row * SIZE + k] == value;
      }
      if (right) {
        verified++;
      } else {
        wrong++;
      }
    }
  }
}

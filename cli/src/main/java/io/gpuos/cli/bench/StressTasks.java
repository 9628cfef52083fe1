package io.gpuos.cli.bench;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Submits the tasks of {@link InjectStress} from a thread of its own, in batches, and checks every
 * element of their results. It goes on until the events are over, so that all of them meet tasks.
 */
final class StressTasks implements AutoCloseable {

  /** Tasks in a batch. */
  static final int BATCH = 1000;

  private static final int SIZE = 256;
  private static final int POISON = -1;

  private final Gpuos gpu;
  private final LiveOperator live;
  private final StressHistory history;
  private final long rounds;
  private final Thread thread = new Thread(this::work, "stress tasks");

  // Guarded by this.
  private long begun;
  private boolean eventsOver;
  private boolean ended;
  private Throwable failure;

  // Written by the thread, read after its end.
  private long submitted;
  private long verified;
  private long wrong;

  private StressTasks(Gpuos gpu, LiveOperator live, StressHistory history, long rounds) {
    this.gpu = gpu;
    this.live = live;
    this.history = history;
    this.rounds = rounds;
  }

  /**
   * Begins to submit.
   *
   * @param rounds batches at least
   */
  static StressTasks start(Gpuos gpu, LiveOperator live, StressHistory history, long rounds) {
    StressTasks tasks = new StressTasks(gpu, live, history, rounds);
    tasks.thread.start();
    return tasks;
  }

  /** Waits until batch {@code round} is about to be submitted, or the thread has ended. */
  synchronized void awaitRound(long round) throws InterruptedException {
    while (begun <= round && !ended) {
      wait();
    }
    if (failure != null) {
      throw new WrongResult("submitting failed: " + failure);
    }
  }

  private void work() {
    Throwable thrown = null;
    try {
      submitAll();
    } catch (Throwable e) {
      thrown = e;
    }
    synchronized (this) {
      failure = thrown;
      ended = true;
      notifyAll();
    }
  }

  private void submitAll() {
    try (Tensor x = gpu.tensor(new float[BATCH * SIZE], BATCH, SIZE);
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
      while (next()) {
        round(batch, y);
      }
      calls.forEach(Call::close);
      rows.forEach(Tensor::close);
    }
  }

  /** Whether there is another round. */
  private synchronized boolean next() {
    boolean more = begun < rounds || !eventsOver;
    begun++;
    notifyAll();
    return more;
  }

  private void round(Batch batch, Tensor y) {
    float[] poison = new float[BATCH * SIZE];
    Arrays.fill(poison, POISON);
    y.write(poison);
    int mark = history.mark();
    long last = batch.submit();
    submitted += BATCH;
    gpu.await(last);
    float[] found = y.toFloats();
    check(found, history.since(mark));
  }

  private void check(float[] found, BitSet allowed) {
    for (int row = 0; row < BATCH; row++) {
      if (isRight(Arrays.copyOfRange(found, row * SIZE, (row + 1) * SIZE), allowed)) {
        verified++;
      } else {
        wrong++;
      }
    }
  }

  /** Whether all elements are the result of the same generation, and of one of those allowed. */
  static boolean isRight(float[] row, BitSet allowed) {
    float value = row[0];
    boolean right = value >= 0 && value == (int) value && allowed.get((int) value);
    for (float other : row) {
      right &= other == value;
    }
    return right;
  }

  /** Ends the submitting after the rounds asked for, and waits. */
  @Override
  public void close() {
    synchronized (this) {
      eventsOver = true;
    }
    Feeder.join(thread);
  }

  /** Tasks submitted; after {@link #close}. */
  long submitted() {
    return submitted;
  }

  /** Tasks with the right result; after {@link #close}. */
  long verified() {
    return verified;
  }

  /** Tasks with a wrong one; after {@link #close}. */
  long wrong() {
    return wrong;
  }

  /**
   * Throws what ended the submitting early; after {@link #close}.
   *
   * @throws WrongResult with the reason
   */
  synchronized void requireNoFailure() {
    if (failure != null) {
      throw new WrongResult("submitting failed: " + failure);
    }
  }
}

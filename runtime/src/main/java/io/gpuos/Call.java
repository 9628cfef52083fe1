package io.gpuos;

import io.gpuos.device.MemoryPool;
import io.gpuos.error.ClosedException;
import io.gpuos.error.OverlapException;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Overlap;
import io.gpuos.queue.Access;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * An operator with its operands, checked and compiled, to be submitted any number of times. {@link
 * #submit} allocates nothing and calls nothing that blocks, unless the ring is full. Thread-safe.
 *
 * <p>A call holds the memory of its operands, and that of the temporaries some expressions need:
 * the tensors may be closed while it is in use, and their memory goes back when the call, and every
 * {@link Batch} made of it, is closed too. Closing does not disturb submitted work.
 */
public final class Call implements AutoCloseable {

  private final Gpuos runtime;
  private final SubmissionRing ring;
  private final Operator operator;
  private final List<Tensor> outputs;
  private final Invocation single;
  private final Invocation[] steps;
  private final List<Storage> memory;
  private final int tiles;
  private volatile boolean closed;

  /** What a candidate's trial needs to compute the same again; not kept for other operators. */
  private final Tensor[] inputs;

  /** The trial that takes samples of this call, or null. Written with the monitor held. */
  private volatile Candidate trial;

  /** Whether the live operator knows this call; one-shot calls end before that would help. */
  private boolean remembered;

  /** Whether a submission is nothing but the invocation: open, and without a trial. */
  private volatile boolean plain = true;

  /** The call itself while open, and each batch made of it. Guarded by the monitor. */
  private int holders = 1;

  private Call(
      Gpuos runtime,
      Operator operator,
      List<Tensor> outputs,
      Tensor[] inputs,
      Invocation[] steps,
      List<Storage> memory) {
    this.runtime = runtime;
    this.inputs = operator.live() == null ? null : inputs;
    this.ring = runtime.device().ring();
    this.operator = operator;
    this.outputs = outputs;
    this.steps = steps;
    this.single = steps.length == 1 ? steps[0] : null;
    this.memory = memory;
    int sum = 0;
    for (Invocation step : steps) {
      sum += step.tiles();
    }
    this.tiles = sum;
  }

  static Call create(Gpuos runtime, Operator operator, Tensor[] outputs, Tensor[] inputs) {
    List<Storage> memory = new ArrayList<>();
    try {
      retain(outputs, memory);
      retain(inputs, memory);
      Binding binding = operator.binding(runtime, layouts(outputs), layouts(inputs));
      checkOverlap(operator, binding, outputs, inputs);
      List<MemoryPool.Block> temporaries = new ArrayList<>();
      for (Layout layout : binding.temporaries()) {
        memory.add(Storage.allocate(runtime.device().memory(), layout.byteSize()));
        temporaries.add(memory.getLast().block());
      }
      List<Invocation> steps = new ArrayList<>();
      for (Binding.Step step : binding.steps()) {
        if (step.positions() != 0) {
          steps.add(
              Operands.invocation(step, source -> operand(source, outputs, inputs, temporaries)));
        }
      }
      return new Call(
          runtime, operator, List.of(outputs), inputs, steps.toArray(Invocation[]::new), memory);
    } catch (Throwable failure) {
      memory.forEach(Storage::release);
      throw failure;
    }
  }

  private static void retain(Tensor[] tensors, List<Storage> memory) {
    for (Tensor tensor : tensors) {
      memory.add(tensor.retain());
    }
  }

  private static Layout[] layouts(Tensor[] tensors) {
    Layout[] layouts = new Layout[tensors.length];
    for (int k = 0; k < tensors.length; k++) {
      layouts[k] = tensors[k].layout();
    }
    return layouts;
  }

  private static Operands.Operand operand(
      Source source, Tensor[] outputs, Tensor[] inputs, List<MemoryPool.Block> temporaries) {
    return switch (source) {
      case Source.Input(int index) -> Operands.Operand.of(inputs[index]);
      case Source.Output(int index) -> Operands.Operand.of(outputs[index]);
      case Source.Temporary(int index) -> {
        MemoryPool.Block block = temporaries.get(index);
        yield new Operands.Operand(block.address(), new Access(block.history(), 0, block.bytes()));
      }
    };
  }

  /**
   * Refuses outputs whose memory is read after, or differently from how, it is written: such a call
   * would not compute what the expression says.
   */
  private static void checkOverlap(
      Operator operator, Binding binding, Tensor[] outputs, Tensor[] inputs) {
    for (int o = 0; o < outputs.length; o++) {
      for (int other = 0; other < o; other++) {
        if (overlap(outputs[o], outputs[other]) != Overlap.DISJOINT) {
          throw new OverlapException(
              String.format(
                  Locale.ROOT,
                  "outputs overlap: operator=%s, outputs=%d and %d, expected=disjoint memory",
                  operator,
                  other,
                  o));
        }
      }
      for (int i = 0; i < inputs.length; i++) {
        Overlap overlap = overlap(outputs[o], inputs[i]);
        if (overlap == Overlap.PARTIAL
            || overlap == Overlap.IDENTICAL
                && ExpressionPlan.readsAfterWrite(binding.planned(), o, i)) {
          throw new OverlapException(
              String.format(
                  Locale.ROOT,
                  "output overlaps an input: operator=%s, output=%d, input=%s, expected=disjoint memory, or the very same tensor in an elementwise operator or one over rows; write to a new tensor and copy",
                  operator,
                  o,
                  operator.inputs().get(i)));
        }
      }
    }
  }

  private static Overlap overlap(Tensor a, Tensor b) {
    return Overlap.between(a.address(), a.layout(), b.address(), b.layout());
  }

  /**
   * Submits the call.
   *
   * @return sequence of its last task, for {@link Gpuos#await}
   * @throws io.gpuos.error.RingFullException if the ring stays full
   * @throws ClosedException if the call or the runtime is closed
   */
  public long submit() {
    if (single != null && plain) {
      return ring.submit(single);
    }
    checkOpen();
    if (steps.length == 0) {
      return ring.beforeAll();
    }
    Candidate candidate = trial;
    if (candidate != null) {
      long last = candidate.sample(this);
      if (last != ring.beforeAll()) {
        return last;
      }
    }
    return ring.submit(steps, tiles);
  }

  /** Submits the call if the ring has room; otherwise changes nothing and returns false. */
  public boolean trySubmit() {
    checkOpen();
    if (steps.length == 0) {
      return true;
    }
    Candidate candidate = trial;
    return candidate != null && candidate.sample(this) != ring.beforeAll()
        || ring.trySubmit(steps, tiles);
  }

  /** Submits the call and waits for it. */
  public void run() {
    long last = submit();
    runtime.await(last - Math.max(0, tiles - 1), last, Duration.ofDays(3650));
  }

  Submission submission() {
    long last = submit();
    return new Submission(runtime, outputs, last - Math.max(0, tiles - 1), last);
  }

  Gpuos runtime() {
    return runtime;
  }

  // ---- trials of candidates -----------------------------------------------------------------

  /** Has every later trial concern this call, which nobody else has yet. */
  void beRemembered() {
    remembered = true;
    operator.live().remember(this);
  }

  /** Has {@code candidate}, or nobody if it is null, take samples of later submissions. */
  synchronized void tries(Candidate candidate) {
    trial = candidate;
    plain = candidate == null && !closed;
  }

  /** The invocation of a call of a live operator that has elements to compute. */
  Invocation invocation() {
    return single;
  }

  /** The inputs of a call of a live operator, whose tensors may be closed. */
  Tensor[] inputs() {
    return inputs.clone();
  }

  /**
   * What one submission submits, for a batch: the call's memory stays until that has released the
   * call.
   */
  synchronized Invocation[] retain() {
    checkOpen();
    holders++;
    return steps;
  }

  /** Gives up what {@link #retain} took. */
  void release() {
    synchronized (this) {
      holders--;
      if (holders > 0) {
        return;
      }
    }
    memory.forEach(Storage::release);
  }

  /** Tasks one submission takes. */
  public int tasks() {
    return tiles;
  }

  /** The tensors written. */
  public List<Tensor> outputs() {
    return outputs;
  }

  private void checkOpen() {
    if (closed) {
      throw new ClosedException("call closed: operator=" + operator + ", expected=an open call");
    }
  }

  /**
   * Refuses later submissions and gives up the memory of operands and temporaries. Submitted work,
   * and batches made of this call, are not disturbed. Idempotent.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      plain = false;
    }
    if (remembered) {
      operator.live().forget(this);
    }
    // Another thread's submission is registered with the memory now, or will be refused.
    ring.close(steps);
    release();
  }
}

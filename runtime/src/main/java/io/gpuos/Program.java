package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.StreamReplays;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.Expr;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Overlap;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.schedule.Buffer;
import io.gpuos.schedule.Explanation;
import io.gpuos.schedule.GraphPicture;
import io.gpuos.schedule.Node;
import io.gpuos.schedule.Place;
import io.gpuos.schedule.Plan;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A recorded graph of operations, fused and planned, to be replayed any number of times with other
 * inputs. {@link Gpuos#record} makes it. A replay has the results of running the operations one by
 * one, and the same bits every time on equal inputs. Inputs are used where they are, not copied.
 *
 * <p>Replays may be in flight together, of one program or of several: those that share memory run
 * in the order of submission, and the replays of one program share its temporaries. Thread-safe; a
 * program is submitted by one thread at a time, the others wait.
 *
 * <p>A program holds the memory of tensors in use, of its temporaries, and of the operands of its
 * last {@value #MAX_REPLAYS} replays into given outputs, which are replayed again without any work
 * but the submission. Closing it gives all that up; submitted work is not disturbed.
 */
public final class Program implements AutoCloseable {

  /** Replays whose operands are remembered. */
  static final int MAX_REPLAYS = 4;

  private static final Duration FOREVER = Duration.ofDays(3650);

  /** A place of memory from outside of the program, as nodes use it. */
  record Use(Place place, boolean write) {}

  private final Gpuos runtime;
  private final SubmissionRing ring;
  private final Plan plan;
  private final List<Place> inputs;
  private final List<Place> outputs;
  private final List<Use> uses;
  private final Map<Storage, Integer> held;
  private final Storage slab;
  private final ProgramCode code;

  /** The one used last at the end. Guarded by the monitor, as is {@link #closed}. */
  private final List<Replay> replays = new ArrayList<>();

  /** Null until the first replay on a stream. Guarded by the monitor. */
  private StreamReplay streamReplay;

  private boolean closed;

  /**
   * @param fixed operators that nodes name by number
   * @param held buffers of allocations in use, with one use of each, taken over unless this throws
   */
  Program(
      Gpuos runtime,
      Plan plan,
      List<Operator> fixed,
      List<Place> inputs,
      List<Place> outputs,
      Map<Storage, Integer> held) {
    this.runtime = runtime;
    this.ring = runtime.device().ring();
    this.plan = plan;
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.held = held;
    LinkedHashSet<Use> external = new LinkedHashSet<>();
    List<Binding> bindings = new ArrayList<>();
    for (Node node : plan.nodes()) {
      node.reads().forEach(place -> external.add(new Use(place, false)));
      node.outputs().forEach(place -> external.add(new Use(place, true)));
      bindings.add(bind(node, fixed));
    }
    external.removeIf(use -> kind(use.place()) == Buffer.Kind.TEMPORARY);
    this.uses = List.copyOf(external);
    this.slab = Storage.allocate(runtime.device().memory(), plan.slabBytes());
    try {
      this.code = new ProgramCode(runtime.device(), plan, bindings);
    } catch (Throwable failure) {
      slab.release();
      throw failure;
    }
  }

  private Binding bind(Node node, List<Operator> fixed) {
    Operator operator =
        node.fixed() == Node.FREE
            ? Operator.of(node.expressions().toArray(Expr[]::new))
            : fixed.get(node.fixed());
    return operator.binding(
        runtime,
        node.outputs().stream().map(Place::layout).toArray(Layout[]::new),
        node.reads().stream().map(Place::layout).toArray(Layout[]::new));
  }

  private Buffer.Kind kind(Place place) {
    return plan.buffers().get(place.buffer()).kind();
  }

  /** Types, shapes and strides of the inputs, in order. */
  public List<Layout> inputs() {
    return inputs.stream().map(Place::layout).toList();
  }

  /** Types and shapes of the results, in order. */
  public List<Layout> outputs() {
    return outputs.stream()
        .map(place -> Layout.contiguous(place.layout().dtype(), place.layout().shape()))
        .toList();
  }

  /** Replays the program into new tensors and waits for it. */
  public List<Tensor> run(Tensor... operands) {
    Submission submission = submit(operands);
    submission.await();
    return submission.results();
  }

  /** Replays the program into {@code results}, one for each output, and waits for it. */
  public void runInto(List<Tensor> results, Tensor... operands) {
    submitInto(results, operands).await(FOREVER);
  }

  /** Starts a replay into new tensors. */
  public Submission submit(Tensor... operands) {
    List<Tensor> results = new ArrayList<>();
    try {
      check(operands);
      for (Layout layout : outputs()) {
        results.add(runtime.empty(layout.dtype(), layout.shape()));
      }
      return submit(operands, results, false);
    } catch (Throwable failure) {
      results.forEach(Tensor::close);
      throw failure;
    }
  }

  /**
   * Starts a replay into {@code results}, one for each output.
   *
   * @param results contiguous, of the outputs' types and shapes
   * @throws InvalidInputException if there are more or fewer operands than recorded
   * @throws DTypeException if one has another type
   * @throws ShapeException if one has another shape, or other strides
   * @throws OverlapException if something that is written shares memory with another operand, or a
   *     tensor in use, and was recorded as a tensor of its own
   * @throws io.gpuos.error.RingFullException if the ring stays full; nothing is submitted then
   */
  public Submission submitInto(List<Tensor> results, Tensor... operands) {
    check(operands);
    return submit(operands, results, true);
  }

  /**
   * Puts a replay on a stream of somebody else, as a kernel of its own, and comes back at once.
   * What is on the stream gives the order, also among replays of this program on several streams;
   * tasks of this runtime on the same memory are not ordered with it.
   *
   * @param stream a {@code cudaStream_t} of the device's primary context; 0 is the legacy stream.
   *     On one that is being captured the replay becomes part of the graph; that graph may be
   *     launched as long as the runtime is open, but not while other replays of this program run.
   * @param addresses device addresses of element 0 of each input, then of each output, 64-bit words
   *     in order; of memory as recorded in type, shape and strides (outputs contiguous), disjoint
   *     from one another where one is written. Not checked: nothing is known of foreign memory.
   * @throws InvalidInputException if there are more or fewer addresses, or the device has no
   *     streams
   */
  public synchronized void launch(long stream, MemorySegment addresses) {
    checkOpen();
    runtime.checkOpen();
    int operands = inputs.size() + outputs.size();
    if (addresses.byteSize() != (long) operands * Long.BYTES) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "number of addresses: program=%s, bytes=%d, expected=%d words, inputs and outputs",
              this,
              addresses.byteSize(),
              operands));
    }
    prepareLaunch();
    if (streamReplay != null) {
      streamReplay.launch(stream, addresses);
    }
  }

  /**
   * Does now what the first {@link #launch} would do before it launches: loads the kernels and
   * brings the program to where they find it. A launch after this allocates nothing.
   *
   * @throws InvalidInputException if the device has no streams
   */
  public synchronized void prepareLaunch() {
    checkOpen();
    if (streamReplay == null && code.parts().count() > 0) {
      streamReplay = onStreams();
    }
  }

  /**
   * Replays the program once into {@code results}, waits for it, and tells when each of its nodes
   * ran, by the workers' own clocks. On a CUDA device by a kernel of its own, as {@link #launch}
   * does, which takes the segments as the resident workers do. Looking at clocks costs a few
   * nanoseconds a node.
   *
   * @throws InvalidInputException and others as {@link #submitInto} has them
   */
  public ProgramTrace trace(List<Tensor> results, Tensor... operands) {
    // Also checks them, has every operator compiled, and waits for whatever fills the memory.
    runInto(results, operands);
    runtime.synchronize();
    synchronized (this) {
      checkOpen();
      ComputeDevice device = runtime.device();
      if (device.streams().isEmpty()) {
        return code.trace(device.traced(() -> runInto(results, operands)));
      }
      if (code.parts().count() == 0) {
        return new ProgramTrace(List.of(), 0);
      }
      prepareLaunch();
      try (Arena arena = Arena.ofConfined()) {
        List<Tensor> all = new ArrayList<>(List.of(operands));
        all.addAll(results);
        long[] addresses = all.stream().mapToLong(Tensor::address).toArray();
        return streamReplay.trace(arena.allocateFrom(ValueLayout.JAVA_LONG, addresses));
      }
    }
  }

  private StreamReplay onStreams() {
    ComputeDevice device = runtime.device();
    StreamReplays streams =
        device
            .streams()
            .orElseThrow(
                () ->
                    new InvalidInputException(
                        "replay on a stream: device=%s, expected=a CUDA device"
                            .formatted(device.name())));
    List<Place> operands = new ArrayList<>(inputs);
    operands.addAll(outputs);
    return new StreamReplay(device, streams, code, operands, held, slab);
  }

  private Submission submit(Tensor[] operands, List<Tensor> results, boolean again) {
    Tensor[] out = results.toArray(Tensor[]::new);
    checkResults(out);
    synchronized (this) {
      checkOpen();
      runtime.checkOpen();
      Replay replay = again ? known(operands, out) : null;
      boolean once = replay == null && !again;
      if (replay == null) {
        replay = bind(operands.clone(), out);
      }
      if (!once) {
        remember(replay);
      }
      try {
        long last = replay.submit();
        long first = last - Math.max(0, code.parts().count() - 1);
        return new Submission(runtime, List.copyOf(results), first, last);
      } finally {
        if (once) {
          replay.close();
        }
      }
    }
  }

  private Replay known(Tensor[] operands, Tensor[] results) {
    for (Replay replay : replays) {
      if (replay.isFor(operands, results)) {
        return replay;
      }
    }
    return null;
  }

  private void remember(Replay replay) {
    replays.remove(replay);
    replays.add(replay);
    if (replays.size() > MAX_REPLAYS) {
      replays.removeFirst().close();
    }
  }

  private Replay bind(Tensor[] operands, Tensor[] results) {
    List<Storage> memory = new ArrayList<>();
    try {
      Replay.Base[] bases = new Replay.Base[plan.buffers().size()];
      held.forEach((storage, buffer) -> bases[buffer] = new Replay.Base(storage, 0));
      base(operands, inputs, bases, memory);
      base(results, outputs, bases, memory);
      checkOverlaps(bases);
      return new Replay(ring, code, bases, uses, slab, operands, results, memory);
    } catch (Throwable failure) {
      memory.forEach(Storage::release);
      throw failure;
    }
  }

  private static void base(
      Tensor[] tensors, List<Place> places, Replay.Base[] bases, List<Storage> memory) {
    for (int k = 0; k < tensors.length; k++) {
      Storage storage = tensors[k].retain();
      memory.add(storage);
      long start = tensors[k].address() - storage.block().address();
      bases[places.get(k).buffer()] = new Replay.Base(storage, start - places.get(k).offset());
    }
  }

  // ---- checks
  // ---------------------------------------------------------------------------------------

  private void check(Tensor[] operands) {
    requireCount("inputs", operands.length, inputs.size());
    runtime.checkTensors(this, operands);
    for (int k = 0; k < operands.length; k++) {
      Layout wanted = inputs.get(k).layout();
      checkType("input", k, operands[k], wanted);
      if (operands[k].layout() != wanted) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "strides of an operand: program=%s, input=%d, tensor=%s, expected=%s; record with this layout",
                this,
                k,
                operands[k],
                wanted));
      }
    }
  }

  private void checkResults(Tensor[] results) {
    requireCount("outputs", results.length, outputs.size());
    runtime.checkTensors(this, results);
    for (int k = 0; k < results.length; k++) {
      checkType("output", k, results[k], outputs.get(k).layout());
      if (!results[k].layout().isContiguous()) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "strides of an operand: program=%s, output=%d, tensor=%s, expected=a contiguous tensor",
                this,
                k,
                results[k]));
      }
    }
  }

  private void requireCount(String what, int count, int expected) {
    if (count != expected) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "number of operands: program=%s, %s=%d, expected=%d as recorded",
              this,
              what,
              count,
              expected));
    }
  }

  private void checkType(String role, int index, Tensor tensor, Layout wanted) {
    if (tensor.dtype() != wanted.dtype()) {
      throw new DTypeException(
          String.format(
              Locale.ROOT,
              "type of an operand: program=%s, %s=%d, tensor=%s, expected=%s; cast it, or record with its type",
              this,
              role,
              index,
              tensor,
              wanted.dtype()));
    }
    if (!tensor.layout().sameShape(wanted)) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "shape of an operand: program=%s, %s=%d, tensor=%s, expected=%s; record with its shape",
              this,
              role,
              index,
              tensor,
              wanted));
    }
  }

  /** Whatever was recorded as memory of its own must be that, where it is written. */
  private void checkOverlaps(Replay.Base[] bases) {
    for (int a = 0; a < uses.size(); a++) {
      for (int b = 0; b < a; b++) {
        Place first = uses.get(a).place();
        Place second = uses.get(b).place();
        if (first.buffer() != second.buffer()
            && (uses.get(a).write() || uses.get(b).write())
            && bases[first.buffer()].storage() == bases[second.buffer()].storage()
            && overlap(bases, first, second) != Overlap.DISJOINT) {
          throw new OverlapException(
              "operands overlap: program=%s, operands=%s and %s, expected=disjoint memory, as recorded; pass a copy"
                  .formatted(this, name(second), name(first)));
        }
      }
    }
  }

  private static Overlap overlap(Replay.Base[] bases, Place a, Place b) {
    return Overlap.between(
        bases[a.buffer()].address() + a.offset(),
        a.layout(),
        bases[b.buffer()].address() + b.offset(),
        b.layout());
  }

  private String name(Place place) {
    return plan.buffers().get(place.buffer()).name();
  }

  private void checkOpen() {
    if (closed) {
      throw new ClosedException("program closed: program=" + this + ", expected=an open program");
    }
  }

  // ---- looking at it
  // --------------------------------------------------------------------------------

  Plan plan() {
    return plan;
  }

  /**
   * What is run, in words: nodes, memory, which waits for which and why, and the segments that
   * workers take.
   */
  public String explain() {
    return Explanation.of(plan) + code.explain();
  }

  /** What is run, as a picture: the text of an SVG file. */
  public String explainSvg() {
    return GraphPicture.of(plan);
  }

  /** Refuses later replays and gives up all memory. Submitted work is not disturbed. Idempotent. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    replays.forEach(Replay::close);
    replays.clear();
    if (streamReplay == null) {
      release();
    } else {
      streamReplay.close(this::release);
    }
  }

  private void release() {
    held.keySet().forEach(Storage::release);
    slab.release();
    code.close();
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%d operations in %d nodes", plan.recorded(), plan.nodes().size());
  }
}

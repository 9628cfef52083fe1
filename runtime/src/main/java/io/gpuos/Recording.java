package io.gpuos;

import io.gpuos.error.ClosedException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OverlapException;
import io.gpuos.ir.Expr;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import io.gpuos.schedule.Buffer;
import io.gpuos.schedule.Node;
import io.gpuos.schedule.Place;
import io.gpuos.schedule.Plan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/**
 * What the body of {@link Gpuos#record} writes to: every {@code apply} is noted and computes
 * nothing. A program has three kinds of tensors: {@link #input}s, passed anew at every replay;
 * tensors in {@link #use}, which stay the same ones; and results. All may be written in place.
 *
 * <p>Inputs are taken to share no memory with each other nor with tensors in use where one of them
 * is written; a replay that breaks that is refused. Tensors in use may be views of each other.
 *
 * <p>For the thread that records, until the body returns.
 */
public final class Recording {

  private static final Operator COPY = Operator.of("x");

  private final Gpuos runtime;
  private final List<Buffer> buffers = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final List<Operator> fixed = new ArrayList<>();
  private final List<Place> inputs = new ArrayList<>();
  private final List<Place> outputs = new ArrayList<>();

  /** Buffer of each allocation in use; holds one use of each. */
  private final Map<Storage, Integer> held = new LinkedHashMap<>();

  private boolean fusion = true;
  private boolean open = true;

  private Recording(Gpuos runtime) {
    this.runtime = runtime;
  }

  static Program record(Gpuos runtime, Function<Recording, List<SymbolicTensor>> body) {
    Recording recording = new Recording(runtime);
    try {
      recording.finish(body.apply(recording));
      Plan plan = Plan.of(recording.buffers, recording.nodes, recording.fusion);
      return new Program(
          runtime, plan, recording.fixed, recording.inputs, recording.outputs, recording.held);
    } catch (Throwable failure) {
      recording.held.keySet().forEach(Storage::release);
      throw failure;
    } finally {
      recording.open = false;
    }
  }

  /** Whether operations are fused, which is the default; results are the same either way. */
  public Recording fusion(boolean fuse) {
    checkOpen();
    fusion = fuse;
    return this;
  }

  /** A contiguous tensor that is passed at every replay; the next one in order. */
  public SymbolicTensor input(DType dtype, long... shape) {
    return input(Layout.contiguous(dtype, shape));
  }

  /** A tensor of exactly that type, shape and strides that is passed at every replay. */
  public SymbolicTensor input(Layout layout) {
    checkOpen();
    long bytes = layout.maxByteOffset() - layout.minByteOffset();
    int buffer = add(Buffer.Kind.INPUT, "in" + inputs.size(), bytes);
    inputs.add(new Place(buffer, -layout.minByteOffset(), layout));
    return new SymbolicTensor(this, buffer, -layout.minByteOffset(), View.of(layout));
  }

  /**
   * A tensor that every replay uses as it is then, such as weights, or state that is written in
   * place. The program holds its memory.
   */
  public SymbolicTensor use(Tensor tensor) {
    checkOpen();
    runtime.checkTensors("program", new Tensor[] {tensor});
    Storage storage = tensor.retain();
    Integer known = held.get(storage);
    if (known == null) {
      known = add(Buffer.Kind.HELD, "held" + held.size(), storage.block().bytes());
      held.put(storage, known);
    } else {
      storage.release();
    }
    long offset = tensor.address() - storage.block().address();
    return new SymbolicTensor(this, known, offset, View.of(tensor.layout()));
  }

  /**
   * A new contiguous tensor, of undefined contents until {@code applyInto} writes to it or to views
   * of it. Returned from the body as a whole it is a result.
   */
  public SymbolicTensor empty(DType dtype, long... shape) {
    checkOpen();
    return result(Buffer.Kind.TEMPORARY, "t" + buffers.size(), Layout.contiguous(dtype, shape));
  }

  /** Size of a buffer. */
  long bytes(int buffer) {
    return buffers.get(buffer).bytes();
  }

  /** Computes an operator of one result into a new tensor. */
  public SymbolicTensor apply(Operator operator, SymbolicTensor... operands) {
    requireOutputs(operator, 1);
    return applyAll(operator, operands).getFirst();
  }

  /** Computes an operator into new tensors, one for each of its expressions. */
  public List<SymbolicTensor> applyAll(Operator operator, SymbolicTensor... operands) {
    checkOperands(operator, operands);
    List<SymbolicTensor> results = new ArrayList<>();
    for (TensorType type : Binding.results(operator, layouts(operands))) {
      results.add(result(Buffer.Kind.TEMPORARY, "t" + buffers.size(), Binding.contiguous(type)));
    }
    addNode(operator, results, operands);
    return results;
  }

  /**
   * Computes an operator of one result into {@code target}, which may be a view, or one of the
   * operands.
   *
   * @throws OverlapException if the operands share memory in a way that {@link Gpuos#runInto} would
   *     refuse
   */
  public void applyInto(SymbolicTensor target, Operator operator, SymbolicTensor... operands) {
    applyInto(List.of(target), operator, operands);
  }

  /** Computes an operator into {@code targets}, one for each of its expressions. */
  public void applyInto(
      List<SymbolicTensor> targets, Operator operator, SymbolicTensor... operands) {
    checkOperands(operator, operands);
    requireOutputs(operator, targets.size());
    targets.forEach(this::checkOwn);
    List<TensorType> types = Binding.results(operator, layouts(operands));
    for (int k = 0; k < targets.size(); k++) {
      Binding.checkedOutput(operator, k, types.get(k), targets.get(k).layout());
    }
    addNode(operator, targets, operands);
  }

  // ---- making the graph
  // -----------------------------------------------------------------------------

  private void addNode(Operator operator, List<SymbolicTensor> targets, SymbolicTensor[] operands) {
    int number = Node.FREE;
    if (operator.live() != null) {
      number = fixed.size();
      fixed.add(operator);
    }
    Map<String, Place> places = new LinkedHashMap<>();
    for (int k = 0; k < operands.length; k++) {
      places.put(operator.inputs().get(k), operands[k].place());
    }
    List<Place> written = targets.stream().map(SymbolicTensor::place).toList();
    List<Expr> expressions = operator.outputs();
    Node node = Node.of(expressions, places, written, 1, number);
    node.conflict()
        .ifPresent(
            conflict -> {
              throw new OverlapException(
                  "operands overlap: operator="
                      + operator
                      + ", "
                      + conflict
                      + ", expected=outputs in memory of their own, or the very same tensor in an elementwise operator or one over rows; write to a new tensor and copy");
            });
    nodes.add(node);
  }

  private int add(Buffer.Kind kind, String name, long bytes) {
    buffers.add(new Buffer(kind, name, bytes));
    return buffers.size() - 1;
  }

  private SymbolicTensor result(Buffer.Kind kind, String name, Layout layout) {
    return new SymbolicTensor(this, add(kind, name, layout.byteSize()), 0, View.of(layout));
  }

  /** Gives each result a buffer of its own: the one it has, or a copy made at the end. */
  private void finish(List<SymbolicTensor> results) {
    for (SymbolicTensor result : results) {
      checkOwn(result);
      Place place = result.place();
      Buffer buffer = buffers.get(place.buffer());
      String name = "out" + outputs.size();
      boolean whole = place.offset() == 0 && place.layout().byteSize() == buffer.bytes();
      if (buffer.kind() == Buffer.Kind.TEMPORARY && whole && place.layout().isContiguous()) {
        buffers.set(place.buffer(), new Buffer(Buffer.Kind.OUTPUT, name, buffer.bytes()));
        outputs.add(place);
      } else {
        Layout layout = Layout.contiguous(result.dtype(), result.shape());
        SymbolicTensor copy = result(Buffer.Kind.OUTPUT, name, layout);
        addNode(COPY, List.of(copy), new SymbolicTensor[] {result});
        outputs.add(copy.place());
      }
    }
  }

  // ---- checks
  // ---------------------------------------------------------------------------------------

  private static Layout[] layouts(SymbolicTensor[] operands) {
    Layout[] layouts = new Layout[operands.length];
    for (int k = 0; k < operands.length; k++) {
      layouts[k] = operands[k].layout();
    }
    return layouts;
  }

  private void checkOperands(Operator operator, SymbolicTensor[] operands) {
    checkOpen();
    runtime.checkOperator(operator, operands.length);
    for (SymbolicTensor operand : operands) {
      checkOwn(operand);
    }
  }

  private static void requireOutputs(Operator operator, int outputs) {
    if (operator.outputs().size() != outputs) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of outputs: operator=%s, outputs=%d, expected=%d",
              operator,
              outputs,
              operator.outputs().size()));
    }
  }

  private void checkOwn(SymbolicTensor tensor) {
    if (tensor.recording() != this) {
      throw new InvalidInputException(
          "tensor of another recording: tensor="
              + tensor
              + ", expected=one of this recording; pass it as an input");
    }
  }

  private void checkOpen() {
    if (!open) {
      throw new ClosedException(
          "recording closed: operation=after the body returned, expected=operations inside of the body");
    }
  }
}

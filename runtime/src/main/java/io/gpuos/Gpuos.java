package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.MemoryPool;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.Definition;
import io.gpuos.ir.Expr;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import io.gpuos.queue.Access;
import io.gpuos.queue.Uses;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * A runtime on one device: memory, resident workers, and the operators they have learned. Open one
 * per device and process, and close it. Thread-safe.
 */
public final class Gpuos implements AutoCloseable {

  private static final Duration FOREVER = Duration.ofDays(3650);

  private final ComputeDevice device;
  private final Map<String, LiveOperator> live = new ConcurrentHashMap<>();
  private final Trials trials;
  private final Set<Operator> operators =
      Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));
  private volatile boolean closed;

  private Gpuos(ComputeDevice device) {
    this.device = device;
    this.trials = new Trials(device);
  }

  /**
   * Opens the first CUDA device; the CPU device where there is none, or no driver or compiler for
   * it. A log line says which and why.
   *
   * @throws io.gpuos.error.GpuosException if there is a CUDA device that does not work: a call of
   *     the driver failed, or the compiler refused the worker kernel. {@code open("cpu")} passes it
   *     over.
   */
  public static Gpuos open() {
    return open("auto");
  }

  /**
   * Opens {@code auto}, {@code cpu} or {@code cuda:N} with default settings. {@code auto} as {@link
   * #open()}.
   *
   * @throws io.gpuos.error.DeviceUnavailableException if that device cannot be used, with the
   *     reason
   */
  public static Gpuos open(String device) {
    return open(device, DeviceSettings.defaults());
  }

  /** Opens {@code auto}, {@code cpu} or {@code cuda:N}. */
  public static Gpuos open(String device, DeviceSettings settings) {
    return new Gpuos(Devices.open(device, settings));
  }

  /** The device this runtime is on. */
  public ComputeDevice device() {
    return device;
  }

  // ---- tensors
  // --------------------------------------------------------------------------------------

  /** A tensor with undefined contents; without a shape, one of a single element, no dimensions. */
  public Tensor empty(DType dtype, long... shape) {
    return empty(Layout.contiguous(dtype, shape));
  }

  private Tensor empty(Layout layout) {
    checkOpen();
    Storage storage = Storage.allocate(device.memory(), layout.byteSize());
    return new Tensor(this, storage, View.of(layout));
  }

  /**
   * A tensor over memory that is the caller's, row-major; nothing is copied. The caller keeps the
   * memory until the tasks that use it are complete, and until then leaves it alone. Tasks are
   * ordered by what they do to one such tensor and its views; several over the same memory know
   * nothing of each other.
   *
   * @param address of the first element: in this process for the CPU device, on the device
   *     otherwise
   * @throws InvalidInputException if it is not a multiple of the size of an element
   */
  public Tensor wrap(long address, DType dtype, long... shape) {
    checkOpen();
    Layout layout = Layout.contiguous(dtype, shape);
    if (address % dtype.bytes() != 0 || address == 0 && layout.byteSize() != 0) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "address of memory: address=0x%x, dtype=%s, expected=a multiple of %d, not 0",
              address,
              dtype,
              dtype.bytes()));
    }
    long bytes = Math.max(1, layout.byteSize());
    MemoryPool.Block block =
        new MemoryPool.Block(address, bytes, device.ring().reuse(bytes, Uses.NONE));
    return new Tensor(this, Storage.foreign(block), View.of(layout));
  }

  /** A tensor of zeros; without a shape, one of a single element, no dimensions. */
  public Tensor zeros(DType dtype, long... shape) {
    Tensor tensor = empty(dtype, shape);
    MemorySegment zero = MemorySegment.ofArray(new long[1]);
    tensor.write(zero, 0, Layout.contiguous(dtype));
    return tensor;
  }

  /**
   * An F32 tensor of {@code values}, row-major. Without a shape it has one dimension; {@link
   * #scalar(double)} makes one without dimensions.
   */
  public Tensor tensor(float[] values, long... shape) {
    Tensor tensor = empty(DType.F32, shapeOf(values.length, shape));
    tensor.write(values);
    return tensor;
  }

  /** An F64 tensor of {@code values}, row-major. Without a shape it has one dimension. */
  public Tensor tensor(double[] values, long... shape) {
    return tensor(DType.F64, values, shape);
  }

  /**
   * A tensor of {@code values} converted to {@code dtype}, row-major. Without a shape it has one
   * dimension.
   */
  public Tensor tensor(DType dtype, double[] values, long... shape) {
    Tensor tensor = empty(dtype, shapeOf(values.length, shape));
    tensor.write(values);
    return tensor;
  }

  /** An I64 tensor of {@code values}, row-major. Without a shape it has one dimension. */
  public Tensor tensor(long[] values, long... shape) {
    return tensor(DType.I64, values, shape);
  }

  /**
   * A tensor of {@code values} converted to {@code dtype}, row-major. Without a shape it has one
   * dimension.
   */
  public Tensor tensor(DType dtype, long[] values, long... shape) {
    Tensor tensor = empty(dtype, shapeOf(values.length, shape));
    tensor.write(values);
    return tensor;
  }

  /** A BOOL tensor of {@code values}, row-major. Without a shape it has one dimension. */
  public Tensor tensor(boolean[] values, long... shape) {
    Tensor tensor = empty(DType.BOOL, shapeOf(values.length, shape));
    tensor.write(values);
    return tensor;
  }

  private static long[] shapeOf(int length, long[] shape) {
    return shape.length == 0 ? new long[] {length} : shape;
  }

  /** An F64 tensor of one value, without dimensions. */
  public Tensor scalar(double value) {
    return scalar(DType.F64, value);
  }

  /** An I64 tensor of one value, without dimensions. */
  public Tensor scalar(long value) {
    Tensor tensor = empty(DType.I64);
    tensor.write(new long[] {value});
    return tensor;
  }

  /** A tensor of one value, converted to {@code dtype}, without dimensions. */
  public Tensor scalar(DType dtype, double value) {
    Tensor tensor = empty(dtype);
    tensor.write(value);
    return tensor;
  }

  // ---- operations
  // -----------------------------------------------------------------------------------

  /** Computes {@code operator} into a new tensor and waits for it. */
  public Tensor run(Operator operator, Tensor... inputs) {
    return submit(operator, inputs).await();
  }

  /** Computes {@code operator} into {@code output} and waits for it. */
  public void runInto(Operator operator, Tensor output, Tensor... inputs) {
    submitInto(operator, output, inputs).await();
  }

  /** Starts to compute {@code operator} into new tensors. */
  public Submission submit(Operator operator, Tensor... inputs) {
    checkOperands(operator, inputs);
    Layout[] layouts = new Layout[inputs.length];
    for (int k = 0; k < inputs.length; k++) {
      layouts[k] = inputs[k].layout();
    }
    List<Tensor> results = new ArrayList<>();
    try {
      for (TensorType type : Binding.results(operator, layouts)) {
        results.add(
            empty(type.dtype(), type.shape().stream().mapToLong(Long::longValue).toArray()));
      }
      return submitInto(operator, results, inputs);
    } catch (Throwable failure) {
      results.forEach(Tensor::close);
      throw failure;
    }
  }

  /** Starts to compute {@code operator} into {@code output}. */
  public Submission submitInto(Operator operator, Tensor output, Tensor... inputs) {
    return submitInto(operator, List.of(output), inputs);
  }

  /** Starts to compute {@code operator} into {@code outputs}, one for each of its expressions. */
  public Submission submitInto(Operator operator, List<Tensor> outputs, Tensor... inputs) {
    try (Call call = create(operator, outputs, inputs)) {
      return call.submission();
    }
  }

  /** Checks and compiles {@code operator} on these operands, to be submitted many times. */
  public Call prepare(Operator operator, Tensor output, Tensor... inputs) {
    return prepare(operator, List.of(output), inputs);
  }

  /** Checks and compiles {@code operator} on these operands, to be submitted many times. */
  public Call prepare(Operator operator, List<Tensor> outputs, Tensor... inputs) {
    Call call = create(operator, outputs, inputs);
    if (operator.live() != null) {
      call.beRemembered();
    }
    return call;
  }

  private Call create(Operator operator, List<Tensor> outputs, Tensor... inputs) {
    checkOperands(operator, inputs);
    if (outputs.size() != operator.outputs().size()) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of outputs: operator=%s, outputs=%d, expected=%d",
              operator,
              outputs.size(),
              operator.outputs().size()));
    }
    Tensor[] out = outputs.toArray(Tensor[]::new);
    checkTensors(operator, out);
    Call call = Call.create(this, operator, out, inputs);
    Candidate trial = operator.live() == null ? null : operator.live().trial();
    if (trial != null) {
      call.tries(trial);
    }
    return call;
  }

  /**
   * Gathers calls of this runtime to be submitted together, in order, any number of times. Tasks of
   * other threads may come between the calls of a batch.
   */
  public Batch batch(List<Call> calls) {
    checkOpen();
    return Batch.of(this, calls);
  }

  // ---- programs
  // -------------------------------------------------------------------------------------

  /**
   * Records a program: {@code body} applies operators to symbolic tensors, which computes nothing,
   * and returns those whose values the program is to give. What is recorded is planned, checked and
   * compiled here.
   *
   * <pre>{@code
   * Program program = gpu.record(scope -> {
   *   SymbolicTensor x = scope.input(DType.F32, 64, 64);
   *   SymbolicTensor y = scope.apply(Operator.of("relu(x * w)"), x, scope.use(weights));
   *   return List.of(scope.apply(Operator.of("sum(y, axis=-1)"), y));
   * });
   * }</pre>
   */
  public Program record(Function<Recording, List<SymbolicTensor>> body) {
    checkOpen();
    return Recording.record(this, body);
  }

  /**
   * A function of tensors that is recorded when it meets types, shapes, strides or shared inputs
   * for the first time, and replayed from then on.
   *
   * @param body as of {@link #record}; gets a symbolic tensor for each argument, the same one where
   *     the same tensor is passed again
   */
  public RecordedFunction function(
      BiFunction<Recording, List<SymbolicTensor>, List<SymbolicTensor>> body) {
    return new RecordedFunction(this, body);
  }

  private void checkOperands(Operator operator, Tensor[] inputs) {
    checkOpen();
    checkOperator(operator, inputs.length);
    checkTensors(operator, inputs);
  }

  /** Refuses an operator of another runtime, and a wrong number of inputs. */
  void checkOperator(Operator operator, int inputs) {
    if (operator.live() != null && operator.live().runtime() != this) {
      throw new InvalidInputException(
          "operator of another runtime: operator=%s, expected=one that was injected into this runtime on %s"
              .formatted(operator, device.name()));
    }
    if (inputs != operator.inputs().size()) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of inputs: operator=%s, inputs=%d, expected=%d: %s",
              operator,
              inputs,
              operator.inputs().size(),
              operator.inputs()));
    }
  }

  /** Refuses tensors that {@code operator}, which messages name, cannot work on. */
  void checkTensors(Object operator, Tensor[] tensors) {
    for (Tensor tensor : tensors) {
      if (tensor.runtime() != this) {
        throw new InvalidInputException(
            "tensor of another runtime: operator=%s, tensor=%s, expected=a tensor of this runtime on %s"
                .formatted(operator, tensor, device.name()));
      }
      if (tensor.isClosed()) {
        throw new ClosedException(
            "tensor closed: operator=%s, tensor=%s, expected=an open tensor"
                .formatted(operator, tensor));
      }
    }
  }

  // ---- operators that can be replaced
  // ---------------------------------------------------------------

  /**
   * Makes an operator that can be replaced while it is used, or publishes another generation of the
   * one of that name. When this returns, whatever is submitted runs the new generation.
   *
   * @param name of the operator: a letter or _, then letters, digits and _. Names of functions of
   *     the language are free: operators are not called in expressions.
   * @param expression such as {@code x * sigmoid(beta * x)}: elementwise, or one reduction as the
   *     last operation
   * @throws ExpressionException if it does not parse or is not one kernel, or if it has other
   *     inputs or another form than the generation before it; nothing has changed
   * @throws io.gpuos.error.GpuosException if types the operator is used with have no meaning for
   *     the expression, or give another result type; nothing has changed
   * @throws io.gpuos.error.TransitionException if tasks of the generation before the current one do
   *     not end in 10 s, or a {@link Candidate} is being tried; nothing has changed
   */
  public LiveOperator inject(String name, String expression) {
    checkOpen();
    LiveOperator.requireName(name);
    return inject(name, definition(name, expression), expression, (_, _) -> {});
  }

  /** What {@code expression} computes under that name. */
  static Definition definition(String name, String expression) {
    List<Expr> outputs = Operator.of(expression).outputs();
    if (outputs.size() != 1) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of results: operator=%s, results=%d, expected=1; inject each under a name of its own",
              name,
              outputs.size()));
    }
    return Definition.of(name, outputs.getFirst());
  }

  /**
   * Makes an operator in CUDA C++, or publishes it as another generation of the one of that name.
   * Compiled at once, on a device without CUDA too, so that errors show here; running it needs a
   * CUDA device.
   *
   * @throws io.gpuos.error.CompileException if the source does not compile, with file, line and the
   *     compiler's log; nothing has changed
   * @throws io.gpuos.error.GpuosException as {@link #inject(String, String)}; nothing has changed
   */
  public LiveOperator inject(CudaOperator operator) {
    checkOpen();
    boolean runs = device.architecture().isPresent();
    if (!runs) {
      operator.compile(CudaOperator.DEFAULT_ARCHITECTURE);
    }
    return inject(
        operator.name(),
        operator.definition(),
        operator.origin(),
        (target, definition) -> {
          if (runs) {
            target.check(definition, operator.types());
          }
        });
  }

  /**
   * @param check refuses a definition before anything has changed
   */
  private LiveOperator inject(
      String name,
      Definition definition,
      String origin,
      BiConsumer<LiveOperator, Definition> check) {
    LiveOperator known = live.get(name);
    if (known == null) {
      LiveOperator first = new LiveOperator(this, name, definition, origin);
      check.accept(first, definition);
      known = live.putIfAbsent(name, first);
      if (known == null) {
        return first;
      }
    }
    Definition fitting = known.fitting(definition);
    check.accept(known, fitting);
    known.publish(fitting, origin);
    return known;
  }

  /** The operator injected under {@code name}, if there is one. */
  public Optional<LiveOperator> live(String name) {
    return Optional.ofNullable(live.get(name));
  }

  /** All operators injected so far, by name. */
  public List<LiveOperator> liveOperators() {
    return live.values().stream().sorted(Comparator.comparing(LiveOperator::name)).toList();
  }

  // ---- waiting
  // --------------------------------------------------------------------------------------

  /** Makes sure workers are awake for everything submitted. Returns at once. */
  public void flush() {
    device.lease().wake();
  }

  /**
   * Waits until everything submitted so far is complete. An interrupt does not end the wait; it is
   * pending afterwards.
   */
  public void synchronize() {
    device.ring().awaitAll(deadline(FOREVER));
    device.completions().throwIfFailed();
  }

  /**
   * Waits for the task {@code sequence}, which {@link Call#submit} returned, and those before it.
   * An interrupt does not end the wait; it is pending afterwards.
   *
   * @throws InvalidInputException if no such task has been submitted
   */
  public void await(long sequence) {
    long next = device.ring().tail();
    if (sequence - next >= 0) {
      throw new InvalidInputException(
          "sequence not submitted: sequence=%s, expected=one before %s, as submit returned it"
              .formatted(sequence, next));
    }
    await(device.completions().through() + 1, sequence, FOREVER);
  }

  boolean await(long first, long last, Duration limit) {
    boolean complete = device.completions().await(first, last, deadline(limit));
    device.completions().throwIfFailed();
    return complete;
  }

  boolean awaitInterruptibly(long first, long last, Duration limit) throws InterruptedException {
    boolean complete = device.completions().awaitInterruptibly(first, last, deadline(limit));
    device.completions().throwIfFailed();
    return complete;
  }

  static long deadline(Duration limit) {
    Duration bounded = limit.compareTo(FOREVER) < 0 ? limit : FOREVER;
    return System.nanoTime() + (bounded.isNegative() ? 0 : bounded.toNanos());
  }

  /**
   * Whether the device works. False from the moment it has failed: an operator has died, or has not
   * come back within {@link DeviceSettings#taskDeadline}. Then every wait, also one under way,
   * throws {@link DeviceFaultException} with the operator's name, and so does every later call but
   * {@link #close}. Once false it stays false; false too when closed.
   */
  public boolean healthy() {
    return !closed && device.completions().fault() == null;
  }

  // ---- used by tensors and operators
  // ----------------------------------------------------------------

  /** Waits for the tasks that write what {@code access} names. */
  void awaitReadable(Access access) {
    awaitAccess(access, false);
  }

  /** Waits for the tasks that read or write what {@code access} names. */
  void awaitWritable(Access access) {
    awaitAccess(access, true);
  }

  private void awaitAccess(Access access, boolean forWrite) {
    checkOpen();
    device.ring().awaitAccess(access, forWrite, deadline(FOREVER));
    device.completions().throwIfFailed();
  }

  void download(MemorySegment target, long address, long bytes) {
    device.download(target, address, bytes);
  }

  void upload(MemorySegment source, long address, long bytes) {
    device.upload(address, source, bytes);
  }

  /** Where samples of candidates are compared. */
  Trials trials() {
    return trials;
  }

  void remember(Operator operator) {
    operators.add(operator);
  }

  /** Whether {@link #close} has not been called. */
  boolean isOpen() {
    return !closed;
  }

  void checkOpen() {
    if (closed) {
      throw new ClosedException(
          "runtime closed: device=" + device.name() + ", expected=an open runtime");
    }
    DeviceFaultException fault = device.completions().fault();
    if (fault != null) {
      throw new DeviceFaultException(fault.getMessage(), fault);
    }
  }

  /**
   * Waits for submitted work, lets the workers leave and frees all memory. Nothing submitted is
   * dropped: this takes as long as the work does, and a line in the log tells of every minute of
   * waiting. {@link Submission#await(Duration)} is the wait with a limit. Idempotent.
   *
   * <p>Comes back also when an operator does not: once the device has failed, or no task has ended
   * for a minute, it waits one more second and then leaves workers that do not end, and the memory
   * they may use, to the process's end.
   */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    live.values().forEach(operator -> operator.endTrial("runtime closed"));
    trials.close();
    device.close();
    for (Operator operator : operators.toArray(Operator[]::new)) {
      operator.forget(this);
    }
  }

  @Override
  public String toString() {
    return "Gpuos on " + device.description();
  }
}

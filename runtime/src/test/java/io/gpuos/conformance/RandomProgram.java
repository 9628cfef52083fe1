package io.gpuos.conformance;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.error.OverlapException;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * A random sequence of operations over overlapping views of a few tensors: in place, reading what
 * was just written, writing what was just read, strided and reversed views that interleave,
 * reductions, tensors of many tiles, host reads and writes in between. Made so that every operation
 * is valid.
 */
final class RandomProgram {

  /** One thing to do. Views are indices into {@link Memory#views}. */
  sealed interface Step {
    /** Computes an operator. */
    record Compute(Operator operator, List<Integer> outputs, List<Integer> inputs)
        implements Step {}

    /** The host reads a view. */
    record Read(int view) implements Step {}

    /** The host fills a view with numbers that follow from {@code seed}. */
    record Write(int view, int seed) implements Step {}
  }

  /** A view of a buffer. */
  private record Window(int buffer, List<ViewStep> steps) {}

  private static final int[] BUFFERS = {1_500, 1_500, 4_000, 110_000};

  private static final List<Operator> UNARY = operators("a + 1", "-a", "a * 2");
  private static final List<Operator> BINARY =
      operators("a + b", "a - b", "maximum(a, b)", "a * 3 + b", "where(a > b, a, b)");
  private static final List<Operator> WHOLE = operators("max(a)", "sum(a) + max(a)");
  private static final List<Operator> ROWS = operators("max(a, axis=-1)", "sum(a, axis=-1)");
  private static final Operator CENTERED = Operator.of("a - max(a, axis=-1, keepdim=true)");
  private static final Operator PAIR = Operator.of("a + b, a - b");

  private final DType type;
  private final SplittableRandom random;
  private final TensorGenerator tensors;
  private final List<OracleTensor> initial = new ArrayList<>();
  private final List<Window> windows = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();

  private static List<Operator> operators(String... texts) {
    return Arrays.stream(texts).map(Operator::of).toList();
  }

  /**
   * @param gpu says which operations are valid; computes nothing
   */
  RandomProgram(long seed, DType type, int length, Gpuos gpu) {
    this.type = type;
    this.random = new SplittableRandom(seed);
    this.tensors = new TensorGenerator(random);
    for (int size : BUFFERS) {
      initial.add(tensors.valuesOfKind(type, 0, size));
    }
    try (Memory memory = new Memory(gpu)) {
      while (steps.size() < length) {
        Step step = step(memory);
        if (isValid(gpu, memory, step)) {
          steps.add(step);
        }
      }
    }
  }

  List<Step> steps() {
    return steps;
  }

  private static boolean isValid(Gpuos gpu, Memory memory, Step step) {
    if (!(step instanceof Step.Compute compute)) {
      return true;
    }
    try {
      memory.prepare(gpu, compute).close();
      return true;
    } catch (OverlapException _) {
      return false;
    }
  }

  // ---- making steps -----------------------------------------------------------------------------

  private Step step(Memory memory) {
    int dice = random.nextInt(40);
    if (dice == 0) {
      return new Step.Read(view(memory, true, random.nextInt(1, 200)));
    }
    if (dice == 1) {
      return new Step.Write(view(memory, false, random.nextInt(1, 200)), random.nextInt());
    }
    int rows = random.nextInt(1, 9);
    int columns = columns(rows);
    return switch (dice % 8) {
      case 2 -> compute(memory, any(WHOLE), new int[0], new int[] {rows, columns});
      case 3 -> compute(memory, any(ROWS), new int[] {rows}, new int[] {rows, columns});
      case 4 -> compute(memory, CENTERED, new int[] {rows, columns}, new int[] {rows, columns});
      case 5, 6 ->
          compute(memory, any(UNARY), new int[] {rows * columns}, new int[] {rows * columns});
      default -> {
        boolean flat = random.nextBoolean();
        int[] shape = flat ? new int[] {rows * columns} : new int[] {rows, columns};
        Operator operator = random.nextInt(5) == 0 ? PAIR : any(BINARY);
        yield compute(memory, operator, shape, shape);
      }
    };
  }

  private int columns(int rows) {
    int most =
        switch (random.nextInt(8)) {
          case 0 -> 90_000;
          case 1, 2 -> 1_400;
          default -> 100;
        };
    return random.nextInt(1, Math.max(2, most / rows));
  }

  private Operator any(List<Operator> operators) {
    return operators.get(random.nextInt(operators.size()));
  }

  private Step compute(Memory memory, Operator operator, int[] outputShape, int[] inputShape) {
    List<Integer> outputs = new ArrayList<>();
    for (int i = 0; i < operator.outputs().size(); i++) {
      outputs.add(view(memory, false, outputShape));
    }
    List<Integer> inputs = new ArrayList<>();
    for (int i = 0; i < operator.inputs().size(); i++) {
      boolean inPlace = random.nextInt(3) == 0 && Arrays.equals(inputShape, outputShape);
      inputs.add(inPlace ? outputs.getFirst() : view(memory, true, inputShape));
    }
    return new Step.Compute(operator, outputs, inputs);
  }

  /** A new view of that shape, of any buffer that is large enough. */
  private int view(Memory memory, boolean input, int... shape) {
    int count = PlainView.count(shape);
    int buffer = random.nextInt(BUFFERS.length);
    while (BUFFERS[buffer] < count) {
      buffer++;
    }
    windows.add(new Window(buffer, tensors.window(BUFFERS[buffer], input, shape)));
    memory.add(windows.getLast());
    return windows.size() - 1;
  }

  // ---- memory -----------------------------------------------------------------------------------

  /** The program's buffers and views on one runtime. */
  final class Memory implements AutoCloseable {
    private final List<Tensor> buffers = new ArrayList<>();
    private final List<Tensor> views = new ArrayList<>();

    Memory(Gpuos gpu) {
      for (OracleTensor values : initial) {
        buffers.add(new TensorCase(values, List.of()).upload(gpu));
      }
      windows.forEach(this::add);
    }

    private void add(Window window) {
      OracleTensor base = initial.get(window.buffer());
      views.add(new TensorCase(base, window.steps()).view(buffers.get(window.buffer())));
    }

    private List<Tensor> views(List<Integer> numbers) {
      return numbers.stream().map(views::get).toList();
    }

    Call prepare(Gpuos gpu, Step.Compute compute) {
      return gpu.prepare(compute.operator(), views(compute.outputs()), inputs(compute));
    }

    private Tensor[] inputs(Step.Compute compute) {
      return views(compute.inputs()).toArray(Tensor[]::new);
    }

    /** Submits at once and lets temporaries go before the work is done. */
    void submit(Gpuos gpu, Step.Compute compute) {
      gpu.submitInto(compute.operator(), views(compute.outputs()), inputs(compute));
    }

    /** What the host reads in a step. */
    OracleTensor read(Step.Read read) {
      return TensorCase.download(views.get(read.view()));
    }

    void write(Step.Write write) {
      Tensor view = views.get(write.view());
      long[] values = new SplittableRandom(write.seed()).longs(view.elements(), 0, 9).toArray();
      view.write(values);
    }

    /** The contents of all buffers. */
    List<OracleTensor> contents() {
      return buffers.stream().map(TensorCase::download).toList();
    }

    @Override
    public void close() {
      views.forEach(Tensor::close);
      buffers.forEach(Tensor::close);
    }
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("program of " + type + ":\n");
    for (int i = 0; i < steps.size(); i++) {
      text.append(
          switch (steps.get(i)) {
            case Step.Compute(Operator operator, List<Integer> outputs, List<Integer> inputs) ->
                String.format(
                    Locale.ROOT,
                    "  %d: %s := %s of %s%n",
                    i,
                    describe(outputs),
                    operator,
                    describe(inputs));
            case Step.Read(int view) ->
                String.format(Locale.ROOT, "  %d: read %s%n", i, windows.get(view));
            case Step.Write(int view, int _) ->
                String.format(Locale.ROOT, "  %d: write %s%n", i, windows.get(view));
          });
    }
    return text.toString();
  }

  private List<Window> describe(List<Integer> views) {
    return views.stream().map(windows::get).toList();
  }
}

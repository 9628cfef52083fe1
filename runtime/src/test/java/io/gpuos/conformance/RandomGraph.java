package io.gpuos.conformance;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Oracle;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * A random graph of operations: elementwise, reductions, views, writing in place also into views,
 * inputs and a tensor in use. Run in three ways: recorded and replayed, one by one on the device,
 * and by the oracle on plain arrays, which shares nothing with strides, planning and fusion.
 *
 * <p>Values are such that sums are exact, so all three agree in every bit.
 */
final class RandomGraph {

  /** A view of a buffer. */
  record Ref(int buffer, List<ViewStep> steps) {}

  /** An operation into new buffers, or into the views {@code targets}. */
  record Step(Operator operator, List<Ref> inputs, List<Ref> targets, boolean inPlace) {}

  private static final int[][] INPUTS = {{4, 6}, {6}};
  private static final int[] HELD = {4, 6};
  private static final int OUTSIDE = INPUTS.length + 1;

  private static final List<Operator> UNARY = operators("a + 1", "-a", "abs(a)", "relu(a) - 2");
  private static final List<Operator> BINARY =
      operators("a + b", "a - b", "maximum(a, b)", "where(a > b, a, b)", "minimum(a, b) + 1");
  private static final List<Operator> FOLDS =
      operators("max(a, axis=-1)", "max(a)", "a - max(a, axis=-1, keepdim=true)", "min(abs(a))");
  private static final Operator SUM = Operator.of("sum(a, axis=0)");
  private static final Operator PAIR = Operator.of("a + b, a - b");

  private final DType type;
  private final SplittableRandom random;
  private final List<OracleTensor> memory;
  private final List<Step> steps = new ArrayList<>();
  private final List<Ref> results = new ArrayList<>();
  private int sums;

  private static List<Operator> operators(String... texts) {
    return Arrays.stream(texts).map(Operator::of).toList();
  }

  RandomGraph(long seed, DType type, int length) {
    this.type = type;
    this.random = new SplittableRandom(seed);
    this.memory = new ArrayList<>(values(seed));
    while (steps.size() < length) {
      addStep();
    }
    int count = random.nextInt(1, 4);
    for (int k = 0; k < count; k++) {
      results.add(ref());
    }
  }

  /** Inputs and the tensor in use, from a seed. */
  List<OracleTensor> values(long seed) {
    SplittableRandom numbers = new SplittableRandom(seed * 31 + 7);
    List<OracleTensor> values = new ArrayList<>();
    for (int k = 0; k < OUTSIDE; k++) {
      int[] shape = k < INPUTS.length ? INPUTS[k] : HELD;
      long[] longs = numbers.longs(PlainView.count(shape), 0, 9).toArray();
      values.add(
          type.isFloating()
              ? OracleTensor.floating(type, shape, Arrays.stream(longs).asDoubleStream().toArray())
              : OracleTensor.integral(type, shape, longs));
    }
    return values;
  }

  // ---- making steps -----------------------------------------------------------------------------

  private void addStep() {
    int dice = random.nextInt(10);
    boolean half = type == DType.F16 || type == DType.BF16;
    Operator operator = dice < 3 ? any(UNARY) : dice < 7 ? any(BINARY) : any(FOLDS);
    if (dice == 8 && !half && sums < 2) {
      operator = SUM;
    } else if (dice == 6) {
      operator = PAIR;
    }
    List<Ref> inputs = new ArrayList<>();
    inputs.add(ref());
    if (operator.inputs().size() == 2) {
      inputs.add(partner(inputs.getFirst()));
    }
    List<OracleTensor> values = evaluate(memory, operator, inputs);
    boolean inPlace = random.nextInt(3) == 0;
    List<Ref> targets = new ArrayList<>();
    for (OracleTensor value : values) {
      targets.add(
          inPlace ? target(value, inputs) : new Ref(memory.size() + targets.size(), List.of()));
    }
    boolean elementwise = UNARY.contains(operator) || BINARY.contains(operator) || operator == PAIR;
    if (inPlace && !valid(targets, inputs, elementwise)) {
      return;
    }
    sums += operator == SUM ? 1 : 0;
    store(memory, values, targets, inPlace);
    steps.add(new Step(operator, inputs, targets, inPlace));
  }

  private Operator any(List<Operator> operators) {
    return operators.get(random.nextInt(operators.size()));
  }

  /** Any buffer, recent ones more often, perhaps through views. */
  private Ref ref() {
    int back = Math.min(random.nextInt(1, 6), memory.size());
    int buffer = random.nextBoolean() ? memory.size() - back : random.nextInt(memory.size());
    Ref ref = new Ref(buffer, List.of());
    while (random.nextInt(5) < 2) {
      ref = changed(ref);
    }
    return ref;
  }

  private Ref changed(Ref ref) {
    int[] shape = plain(ref).shape();
    if (shape.length == 0) {
      return ref;
    }
    int dim = random.nextInt(shape.length);
    ViewStep step =
        switch (random.nextInt(6)) {
          case 0 -> new ViewStep.Slice(dim, random.nextInt(Math.max(1, shape[dim])), 99, 1);
          case 1 -> new ViewStep.Slice(dim, 0, 99, 2);
          case 2 -> new ViewStep.Flip(dim);
          case 3 -> new ViewStep.Select(dim, random.nextInt(Math.max(1, shape[dim])));
          case 4 -> new ViewStep.Unsqueeze(0);
          default -> shape.length == 2 ? new ViewStep.Permute(1, 0) : new ViewStep.Flip(dim);
        };
    if (shape.length > 3 && step instanceof ViewStep.Unsqueeze) {
      return ref;
    }
    List<ViewStep> changed = new ArrayList<>(ref.steps());
    changed.add(step);
    return new Ref(ref.buffer(), changed);
  }

  /** Something whose shape broadcasts with that of {@code ref}. */
  private Ref partner(Ref ref) {
    int[] shape = plain(ref).shape();
    for (int tries = 0; tries < 20; tries++) {
      Ref other = ref();
      int[] otherShape = plain(other).shape();
      int common = Math.min(shape.length, otherShape.length);
      boolean fits =
          IntStream.rangeClosed(1, common)
              .allMatch(
                  d -> {
                    int a = shape[shape.length - d];
                    int b = otherShape[otherShape.length - d];
                    return a == b || a == 1 || b == 1;
                  });
      if (fits) {
        return other;
      }
    }
    return ref;
  }

  private Ref target(OracleTensor value, List<Ref> inputs) {
    for (int tries = 0; tries < 30; tries++) {
      Ref ref = tries == 0 ? inputs.getFirst() : ref();
      if (memory.get(ref.buffer()).dtype() == value.dtype()
          && Arrays.equals(plain(ref).shape(), value.shape())) {
        return ref;
      }
    }
    return null;
  }

  private boolean valid(List<Ref> targets, List<Ref> inputs, boolean elementwise) {
    for (int t = 0; t < targets.size(); t++) {
      Ref target = targets.get(t);
      if (target == null || targets.subList(0, t).stream().anyMatch(o -> meets(o, target))) {
        return false;
      }
      for (Ref input : inputs) {
        boolean same =
            input.buffer() == target.buffer()
                && Arrays.equals(plain(input).positions(), plain(target).positions());
        if (meets(input, target) && !(same && elementwise && sameShape(input, target))) {
          return false;
        }
      }
    }
    return true;
  }

  private boolean sameShape(Ref a, Ref b) {
    return Arrays.equals(plain(a).shape(), plain(b).shape());
  }

  private boolean meets(Ref a, Ref b) {
    return a.buffer() == b.buffer()
        && Arrays.stream(plain(a).positions())
            .anyMatch(p -> Arrays.stream(plain(b).positions()).anyMatch(q -> p == q));
  }

  private PlainView plain(Ref ref) {
    return plain(memory, ref);
  }

  private static PlainView plain(List<OracleTensor> memory, Ref ref) {
    PlainView view = PlainView.whole(memory.get(ref.buffer()).shape());
    for (ViewStep step : ref.steps()) {
      view = step.apply(view);
    }
    return view;
  }

  // ---- the oracle -------------------------------------------------------------------------------

  private static OracleTensor read(List<OracleTensor> memory, Ref ref) {
    return TensorCase.picked(memory.get(ref.buffer()), plain(memory, ref));
  }

  private static List<OracleTensor> evaluate(
      List<OracleTensor> memory, Operator operator, List<Ref> inputs) {
    Map<String, OracleTensor> operands = new HashMap<>();
    for (int k = 0; k < inputs.size(); k++) {
      operands.put(operator.inputs().get(k), read(memory, inputs.get(k)));
    }
    List<OracleTensor> values = new ArrayList<>();
    for (Expr expression : operator.outputs()) {
      values.add(Oracle.evaluate(expression, operands));
    }
    return values;
  }

  private static void store(
      List<OracleTensor> memory, List<OracleTensor> values, List<Ref> targets, boolean inPlace) {
    for (int k = 0; k < values.size(); k++) {
      if (inPlace) {
        int buffer = targets.get(k).buffer();
        PlainView view = plain(memory, targets.get(k));
        memory.set(buffer, TensorCase.replaced(memory.get(buffer), view, values.get(k)));
      } else {
        memory.add(values.get(k));
      }
    }
  }

  /** Results, then inputs and the tensor in use as they are afterwards. */
  List<OracleTensor> byOracle(List<OracleTensor> outside) {
    List<OracleTensor> all = new ArrayList<>(outside);
    for (Step step : steps) {
      store(all, evaluate(all, step.operator(), step.inputs()), step.targets(), step.inPlace());
    }
    List<OracleTensor> values = new ArrayList<>();
    results.forEach(ref -> values.add(read(all, ref)));
    values.addAll(all.subList(0, OUTSIDE));
    return values;
  }

  // ---- the device -------------------------------------------------------------------------------

  List<OracleTensor> oneByOne(Gpuos gpu, List<OracleTensor> outside) {
    List<Tensor> all = new ArrayList<>();
    outside.forEach(values -> all.add(new TensorCase(values, List.of()).upload(gpu)));
    for (Step step : steps) {
      Tensor[] inputs = step.inputs().stream().map(ref -> view(all, ref)).toArray(Tensor[]::new);
      if (step.inPlace()) {
        List<Tensor> targets = step.targets().stream().map(ref -> view(all, ref)).toList();
        gpu.submitInto(step.operator(), targets, inputs).await();
        targets.forEach(Tensor::close);
      } else {
        all.addAll(gpu.submit(step.operator(), inputs).results());
      }
      Arrays.stream(inputs).forEach(Tensor::close);
    }
    List<OracleTensor> values = new ArrayList<>();
    for (Ref ref : results) {
      try (Tensor view = view(all, ref)) {
        values.add(TensorCase.download(view));
      }
    }
    all.subList(0, OUTSIDE).forEach(tensor -> values.add(TensorCase.download(tensor)));
    all.forEach(Tensor::close);
    return values;
  }

  private static Tensor view(List<Tensor> all, Ref ref) {
    Tensor base = all.get(ref.buffer());
    Tensor view = base.reshape(base.shape());
    for (ViewStep step : ref.steps()) {
      Tensor next = step.apply(view);
      view.close();
      view = next;
    }
    return view;
  }

  Program record(Gpuos gpu, Tensor held, boolean fuse) {
    return gpu.record(scope -> record(scope.fusion(fuse), held));
  }

  private List<SymbolicTensor> record(Recording scope, Tensor held) {
    List<SymbolicTensor> all = new ArrayList<>();
    for (int[] shape : INPUTS) {
      all.add(scope.input(type, Arrays.stream(shape).asLongStream().toArray()));
    }
    all.add(scope.use(held));
    for (Step step : steps) {
      SymbolicTensor[] inputs =
          step.inputs().stream().map(ref -> symbolic(all, ref)).toArray(SymbolicTensor[]::new);
      if (step.inPlace()) {
        List<SymbolicTensor> targets =
            step.targets().stream().map(ref -> symbolic(all, ref)).toList();
        scope.applyInto(targets, step.operator(), inputs);
      } else {
        all.addAll(scope.applyAll(step.operator(), inputs));
      }
    }
    return results.stream().map(ref -> symbolic(all, ref)).toList();
  }

  private static SymbolicTensor symbolic(List<SymbolicTensor> all, Ref ref) {
    SymbolicTensor view = all.get(ref.buffer());
    for (ViewStep step : ref.steps()) {
      view = step.apply(view);
    }
    return view;
  }

  /** Replays with fresh inputs; {@code held} is the tensor the program was recorded with. */
  List<OracleTensor> replay(Gpuos gpu, Program program, Tensor held, List<OracleTensor> outside) {
    return replay(
        gpu,
        program,
        held,
        outside,
        inputs -> program.submit(inputs.toArray(Tensor[]::new)).results());
  }

  /** The same, by whatever way gives the outputs for the inputs. */
  List<OracleTensor> replay(
      Gpuos gpu,
      Program program,
      Tensor held,
      List<OracleTensor> outside,
      Function<List<Tensor>, List<Tensor>> way) {
    List<Tensor> inputs = new ArrayList<>();
    for (OracleTensor values : outside.subList(0, INPUTS.length)) {
      inputs.add(new TensorCase(values, List.of()).upload(gpu));
    }
    try (Tensor fresh = new TensorCase(outside.getLast(), List.of()).upload(gpu)) {
      gpu.runInto(Operator.of("x"), held, fresh);
    }
    List<Tensor> outputs = way.apply(inputs);
    List<OracleTensor> values = new ArrayList<>();
    outputs.forEach(tensor -> values.add(TensorCase.download(tensor)));
    inputs.forEach(tensor -> values.add(TensorCase.download(tensor)));
    values.add(TensorCase.download(held));
    outputs.forEach(Tensor::close);
    inputs.forEach(Tensor::close);
    return values;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("graph of " + type + ":\n");
    for (Step step : steps) {
      text.append("  ").append(step).append('\n');
    }
    return text.append("  results ").append(results).append('\n').toString();
  }
}

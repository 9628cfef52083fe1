package io.gpuos;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.SpaceNumber;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.Definition;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Reducer;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.AttentionSpace;
import io.gpuos.layout.ContractionSpace;
import io.gpuos.layout.DType;
import io.gpuos.layout.GatherSpace;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import io.gpuos.layout.ScatterSpace;
import io.gpuos.layout.Shapes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;

/**
 * An operator bound to operand layouts on one device: its plan, with every kernel installed and
 * every iteration space interned. Only addresses are missing. Immutable.
 */
final class Binding {

  /** What a binding depends on; layouts are interned and compared by identity. */
  record Key(Gpuos runtime, List<Layout> layouts, int outputs) {
    static Key of(Gpuos runtime, Layout[] outputs, Layout[] inputs) {
      List<Layout> layouts = new ArrayList<>(Arrays.asList(outputs));
      layouts.addAll(Arrays.asList(inputs));
      return new Key(runtime, List.copyOf(layouts), outputs.length);
    }
  }

  /**
   * One step, less its addresses. Positions 0 means there is nothing to submit; linear ones have no
   * space.
   *
   * @param bytes about what all of it moves
   * @param products multiplications of a matrix product or of attention, 0 for others
   * @param planned what the operator was compiled from
   */
  record Step(
      int operator,
      boolean linear,
      SpaceNumber space,
      long positions,
      long tilePositions,
      double bytes,
      double products,
      ExpressionPlan.Step planned) {

    Kernel kernel() {
      return planned.kernel();
    }

    List<Source> operands() {
      return planned.operands();
    }
  }

  private final Gpuos runtime;
  private final Layout[] outputs;
  private final Layout[] inputs;
  private final Layout[] temporaries;
  private final List<Step> steps;

  private Binding(
      Gpuos runtime, Layout[] outputs, Layout[] inputs, Layout[] temporaries, List<Step> steps) {
    this.runtime = runtime;
    this.outputs = outputs.clone();
    this.inputs = inputs.clone();
    this.temporaries = temporaries;
    this.steps = List.copyOf(steps);
  }

  boolean isFor(Gpuos otherRuntime, Layout[] otherOutputs, Layout[] otherInputs) {
    return runtime == otherRuntime && same(outputs, otherOutputs) && same(inputs, otherInputs);
  }

  private static boolean same(Layout[] a, Layout[] b) {
    if (a.length != b.length) {
      return false;
    }
    for (int k = 0; k < a.length; k++) {
      if (a[k] != b[k]) {
        return false;
      }
    }
    return true;
  }

  Layout[] temporaries() {
    return temporaries;
  }

  List<Step> steps() {
    return steps;
  }

  /** What the steps were made from, in order. */
  List<ExpressionPlan.Step> planned() {
    return steps.stream().map(Step::planned).toList();
  }

  /** Types and shapes of the results of {@code operator} on these inputs. */
  static List<TensorType> results(Operator operator, Layout[] inputLayouts) {
    return plan(operator, operator.outputs(), inputLayouts).outputs();
  }

  private static ExpressionPlan plan(
      Operator operator, List<Expr> expressions, Layout[] inputLayouts) {
    return ExpressionPlan.of(expressions, types(operator, inputLayouts));
  }

  private static SequencedMap<String, TensorType> types(Operator operator, Layout[] inputLayouts) {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    for (int k = 0; k < inputLayouts.length; k++) {
      Layout layout = inputLayouts[k];
      types.put(operator.inputs().get(k), TensorType.of(layout.dtype(), layout.shape()));
    }
    return types;
  }

  static Binding create(
      Gpuos runtime, Operator operator, Layout[] outputLayouts, Layout[] inputLayouts) {
    if (operator.live() != null) {
      return live(runtime, operator, outputLayouts, inputLayouts);
    }
    ExpressionPlan natural = plan(operator, operator.outputs(), inputLayouts);
    ExpressionPlan plan = natural;
    List<Expr> stored = new ArrayList<>();
    for (int k = 0; k < outputLayouts.length; k++) {
      TensorType type = natural.outputs().get(k);
      DType wanted = checkedOutput(operator, k, type, outputLayouts[k]);
      Expr expression = operator.outputs().get(k);
      stored.add(wanted == type.dtype() ? expression : new Expr.Cast(wanted, expression));
    }
    if (!stored.equals(operator.outputs())) {
      plan = plan(operator, stored, inputLayouts);
    }
    Layout[] temporaries =
        plan.temporaries().stream().map(Binding::contiguous).toArray(Layout[]::new);
    int tiles = tilesForStep(runtime.device(), operator, plan.steps().size());
    List<Step> steps = new ArrayList<>();
    for (ExpressionPlan.Step step : plan.steps()) {
      IterationSpace space =
          space(step, layouts(step, outputLayouts, inputLayouts, temporaries), ordered(step));
      Kernel kernel = forSpace(step.kernel(), space);
      int number = space.count() == 0 ? 0 : runtime.device().operator(kernel);
      steps.add(step(runtime.device(), step, space, number, tiles));
    }
    return new Binding(runtime, outputLayouts, inputLayouts, temporaries, steps);
  }

  /**
   * The one step of a live operator. It keeps its operator, operands and space when another
   * generation is published, so nothing in it may be what only the current one asks for.
   */
  private static Binding live(
      Gpuos runtime, Operator operator, Layout[] outputLayouts, Layout[] inputLayouts) {
    while (true) {
      Definition definition = operator.live().definition();
      try {
        return live(runtime, operator, definition, outputLayouts, inputLayouts);
      } catch (GpuosException refused) {
        if (definition == operator.live().definition()) {
          throw refused;
        }
        // Replaced meanwhile, so perhaps between two looks at it.
      }
    }
  }

  private static Binding live(
      Gpuos runtime,
      Operator operator,
      Definition definition,
      Layout[] outputLayouts,
      Layout[] inputLayouts) {
    SequencedMap<String, TensorType> types = types(operator, inputLayouts);
    TensorType natural = definition.result(types);
    DType stored = checkedOutput(operator, 0, natural, outputLayouts[0]);
    ExpressionPlan.Step step = definition.step(operator.toString(), types, stored);
    Layout[] none = {};
    IterationSpace space = space(step, layouts(step, outputLayouts, inputLayouts, none), true);
    int number =
        space.count() == 0
            ? 0
            : operator
                .live()
                .number(
                    List.copyOf(types.values()),
                    natural.dtype(),
                    stored,
                    isLinear(step.kernel(), space));
    int tiles = tilesForStep(runtime.device(), operator, 1);
    return new Binding(
        runtime,
        outputLayouts,
        inputLayouts,
        none,
        List.of(step(runtime.device(), step, space, number, tiles)));
  }

  static Layout contiguous(TensorType type) {
    return Layout.contiguous(
        type.dtype(), type.shape().stream().mapToLong(Long::longValue).toArray());
  }

  /** The type that the expression is converted to, to be stored into an output of that layout. */
  static DType checkedOutput(Operator operator, int index, TensorType natural, Layout layout) {
    long[] shape = natural.shape().stream().mapToLong(Long::longValue).toArray();
    if (!Arrays.equals(shape, layout.shape())) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "output shape: operator=%s, output=%d, shape=%s, expected=%s",
              operator,
              index,
              Shapes.format(layout.shape()),
              Shapes.format(shape)));
    }
    if (layout.hasInternalOverlap()) {
      throw new OverlapException(
          String.format(
              Locale.ROOT,
              "output overlaps itself: operator=%s, output=%d, layout=%s, expected=distinct elements; write to a tensor that is not expanded",
              operator,
              index,
              layout));
    }
    DType wanted = layout.dtype();
    if (wanted.category().compareTo(natural.dtype().category()) < 0) {
      throw new DTypeException(
          String.format(
              Locale.ROOT,
              "output type: operator=%s, output=%d, dtype=%s, expected=%s or another type of its kind; cast the expression",
              operator,
              index,
              wanted,
              natural.dtype()));
    }
    return wanted;
  }

  private static List<Layout> layouts(
      ExpressionPlan.Step step, Layout[] outputs, Layout[] inputs, Layout[] temporaries) {
    List<Layout> layouts = new ArrayList<>();
    for (Source source : step.operands()) {
      layouts.add(
          switch (source) {
            case Source.Input(int index) -> inputs[index];
            case Source.Temporary(int index) -> temporaries[index];
            case Source.Output(int index) -> outputs[index];
          });
    }
    return layouts;
  }

  private static Step step(
      ComputeDevice device,
      ExpressionPlan.Step step,
      IterationSpace space,
      int operator,
      int maxTiles) {
    Kernel kernel = step.kernel();
    long positions =
        switch (kernel) {
          case Kernel.Contraction _ -> ContractionSpace.blocks(space);
          case Kernel.Attention _ -> AttentionSpace.units(space);
          default -> space.count();
        };
    boolean linear = isLinear(kernel, space);
    SpaceNumber number = linear || space.count() == 0 ? null : device.space(space);
    return new Step(
        operator,
        linear,
        number,
        positions,
        tilePositions(device.tilePositions(kernel, space), kernel, positions, maxTiles),
        bytes(kernel, space),
        products(kernel, space) * positions,
        step);
  }

  /** Multiplications of each position. */
  private static double products(Kernel kernel, IterationSpace space) {
    return switch (kernel) {
      case Kernel.Contraction _ -> ContractionSpace.products(space);
      case Kernel.Attention _ -> AttentionSpace.products(space);
      default -> 0;
    };
  }

  private static double bytes(Kernel kernel, IterationSpace space) {
    double each = 0;
    double folded = 0;
    for (Kernel.Operand operand : kernel.operands()) {
      if (operand.role() == Kernel.Role.OUTPUT) {
        each += operand.type().bytes();
      } else {
        folded += operand.type().bytes();
      }
    }
    boolean folds = kernel instanceof Kernel.Reduction || kernel instanceof Kernel.Rows;
    return space.count() * (each + folded * (folds ? Math.max(1, space.reducedCount()) : 1));
  }

  private static boolean isLinear(Kernel kernel, IterationSpace space) {
    return kernel instanceof Kernel.Elementwise && space.linear();
  }

  private static Kernel forSpace(Kernel kernel, IterationSpace space) {
    return kernel instanceof Kernel.Elementwise elementwise
        ? elementwise.forLinear(space.linear())
        : kernel;
  }

  /** All tiles of all steps are submitted together, so together they must fit the ring. */
  private static int tilesForStep(ComputeDevice device, Operator operator, int steps) {
    int tiles = device.ring().maxTiles() / Math.max(1, steps);
    if (tiles == 0) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "expression needs too many steps: operator=%s, steps=%d, expected=at most %d; split it, or open the runtime with a larger ring",
              operator,
              steps,
              device.ring().maxTiles()));
    }
    return tiles;
  }

  private static long tilePositions(long wanted, Kernel kernel, long positions, int maxTiles) {
    long least = Math.ceilDiv(positions, (long) maxTiles);
    if (kernel.folds()) {
      if (positions > 0xffffffffL) {
        throw new ShapeException(
            String.format(
                Locale.ROOT,
                "too many results or blocks: count=%d, expected=at most %d; compute in parts",
                positions,
                0xffffffffL));
      }
      return Math.max(wanted, least);
    }
    return Math.max(wanted, Math.ceilDiv(least, 256L) * 256);
  }

  /** Whether the step counts the elements that it folds. */
  private static boolean ordered(ExpressionPlan.Step step) {
    return switch (step.kernel()) {
      case Kernel.Elementwise _,
          Kernel.Contraction _,
          Kernel.Attention _,
          Kernel.Gather _,
          Kernel.Scan _,
          Kernel.Scatter _ ->
          false;
      case Kernel.Reduction reduction -> counts(reduction.reducer());
      case Kernel.Rows rows ->
          rows.nodes().stream()
              .anyMatch(node -> node instanceof Kernel.Node.Fold fold && counts(fold.reducer()));
    };
  }

  private static boolean counts(Reducer reducer) {
    return reducer == Reducer.ARGMAX || reducer == Reducer.ARGMIN;
  }

  private static IterationSpace space(
      ExpressionPlan.Step step, List<Layout> layouts, boolean ordered) {
    long[] shape = step.shape().stream().mapToLong(Long::longValue).toArray();
    if (step.kernel() instanceof Kernel.Contraction) {
      return ContractionSpace.of(layouts, step.axes().getFirst());
    }
    if (step.kernel() instanceof Kernel.Attention attention) {
      return AttentionSpace.of(layouts, attention.masked());
    }
    if (step.kernel() instanceof Kernel.Gather) {
      return GatherSpace.of(layouts, step.axes().getFirst());
    }
    if (step.kernel() instanceof Kernel.Scatter) {
      return ScatterSpace.of(layouts, step.axes().getFirst());
    }
    if (!step.kernel().folds()) {
      return IterationSpace.elementwise(shape, layouts);
    }
    int[] axes = step.axes().stream().mapToInt(Integer::intValue).toArray();
    if (step.kernel() instanceof Kernel.Scan) {
      return IterationSpace.rows(shape, axes, layouts, step.squeezed(), true);
    }
    if (step.kernel() instanceof Kernel.Rows) {
      return IterationSpace.rows(shape, axes, layouts, step.squeezed(), ordered);
    }
    return IterationSpace.reduction(
        shape, axes, layouts.subList(0, layouts.size() - 1), layouts.getLast(), ordered);
  }
}

package io.gpuos.conformance;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.ir.TypeRule;
import io.gpuos.layout.DType;
import io.gpuos.layout.DType.Category;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Makes random expressions that are nearly always valid: each part is asked for with the kind of
 * type it must have, and shapes are followed so that everything broadcasts to one full shape.
 * Inputs are invented on the way.
 */
final class ExpressionGenerator {

  /** A part of an expression, and what is known of its value. */
  record Part(Expr expr, Category category, int[] shape) {}

  /** An input as the expression needs it. */
  record Input(DType type, int[] shape) {}

  private static final List<Function> FUNCTIONS = List.of(Function.values());

  private final RandomGenerator random;
  private final TensorGenerator tensors;
  private final int[] fullShape;
  private final int maxInputs;
  private final SequencedMap<String, Input> inputs = new LinkedHashMap<>();

  ExpressionGenerator(RandomGenerator random, int[] fullShape, int maxInputs) {
    this.random = random;
    this.tensors = new TensorGenerator(random);
    this.fullShape = fullShape;
    this.maxInputs = maxInputs;
  }

  /** The inputs that expressions made so far name. */
  SequencedMap<String, Input> inputs() {
    return inputs;
  }

  private Category anyCategory() {
    int dice = random.nextInt(10);
    return dice < 6 ? Category.FLOATING : dice < 9 ? Category.INTEGRAL : Category.BOOLEAN;
  }

  private Category atMost(Category category) {
    Category other = anyCategory();
    return other.compareTo(category) <= 0 ? other : category;
  }

  /** An expression of about that depth. */
  Part expression(int depth) {
    return expression(anyCategory(), depth);
  }

  private Part expression(Category category, int depth) {
    if (depth <= 0 || random.nextInt(10) == 0) {
      return leaf(category);
    }
    return switch (random.nextInt(12)) {
      case 0, 1 -> reduction(category, depth);
      case 2 -> cast(category, depth);
      case 3 -> category == Category.BOOLEAN ? call(category, depth) : overRows(category, depth);
      default -> call(category, depth);
    };
  }

  private Part leaf(Category category) {
    if (random.nextInt(6) == 0) {
      return literal(category);
    }
    boolean again = !inputs.isEmpty() && random.nextBoolean();
    return again || inputs.size() >= maxInputs ? tensor(category) : invented(category);
  }

  /**
   * The part, or a tensor in the place of a number: functions of nothing but numbers are left to
   * the tests of the language, because it is open which of them round to a half type.
   */
  private Part tensorial(Part part) {
    return isNumber(part) ? tensor(part.category()) : part;
  }

  private static boolean isNumber(Part part) {
    return part.expr() instanceof Expr.Literal;
  }

  /** An input, converted if there is none of that kind and no room for another. */
  private Part tensor(Category category) {
    List<String> names = List.copyOf(inputs.keySet());
    List<String> known =
        names.stream().filter(name -> inputs.get(name).type().category() == category).toList();
    if (known.isEmpty() && names.size() < maxInputs) {
      return invented(category);
    }
    List<String> among = known.isEmpty() ? names : known;
    String name = among.get(random.nextInt(among.size()));
    Expr input = Expr.input(name);
    Expr converted = known.isEmpty() ? new Expr.Cast(tensors.type(category), input) : input;
    return new Part(converted, category, inputs.get(name).shape());
  }

  private Part invented(Category category) {
    String name = "x" + inputs.size();
    inputs.put(name, new Input(tensors.type(category), tensors.broadcastable(fullShape)));
    return new Part(Expr.input(name), category, inputs.get(name).shape());
  }

  private Part literal(Category category) {
    double[] doubles = {0.5, -1.25, 2, 0.1, 3.7, 1e-3, 100, 0};
    Expr expr =
        switch (category) {
          case FLOATING -> Expr.of(doubles[random.nextInt(doubles.length)]);
          case INTEGRAL -> Expr.of(random.nextLong(-3, 8));
          case BOOLEAN -> Expr.of(random.nextBoolean());
        };
    return new Part(expr, category, new int[0]);
  }

  private Part cast(Category category, int depth) {
    Part argument = tensorial(expression(anyCategory(), depth - 1));
    return new Part(
        new Expr.Cast(tensors.type(category), argument.expr()), category, argument.shape());
  }

  // ---- calls ------------------------------------------------------------------------------------

  private Part call(Category category, int depth) {
    Function function = FUNCTIONS.get(random.nextInt(FUNCTIONS.size()));
    while (!canGive(function, category)) {
      function = FUNCTIONS.get(random.nextInt(FUNCTIONS.size()));
    }
    List<Part> arguments = new ArrayList<>();
    for (int k = 0; k < function.arity(); k++) {
      arguments.add(broadcasting(argument(function, k, category, depth - 1), arguments));
    }
    if (arguments.stream().allMatch(ExpressionGenerator::isNumber)) {
      arguments.set(0, tensorial(arguments.getFirst()));
    }
    List<Expr> exprs = arguments.stream().map(Part::expr).toList();
    return new Part(new Expr.Call(function, exprs), category, broadcast(arguments));
  }

  private static boolean canGive(Function function, Category category) {
    return switch (function.typeRule()) {
      case ANY, WHERE -> true;
      case NUMERIC -> category != Category.BOOLEAN;
      case FLOATING, FLOATING_ONLY -> category == Category.FLOATING;
      case COMPARISON, LOGICAL, PREDICATE -> category == Category.BOOLEAN;
      case BITWISE -> category != Category.FLOATING;
      case SHIFT -> category == Category.INTEGRAL;
    };
  }

  private Part argument(Function function, int index, Category category, int depth) {
    if (isParameter(function, index) && random.nextInt(3) != 0) {
      return new Part(parameter(function, index), Category.FLOATING, new int[0]);
    }
    return switch (function.typeRule()) {
      case FLOATING_ONLY, SHIFT -> expression(category, depth);
      case NUMERIC ->
          function == Function.SUB || index == 0
              ? expression(category, depth)
              : expression(atMost(category), depth);
      case ANY, BITWISE -> expression(index == 0 ? category : atMost(category), depth);
      case FLOATING, COMPARISON, LOGICAL, PREDICATE -> expression(anyCategory(), depth);
      case WHERE ->
          index == 0
              ? expression(Category.BOOLEAN, depth)
              : expression(index == 1 ? category : atMost(category), depth);
    };
  }

  /** Whether the argument only tunes the function. */
  private static boolean isParameter(Function function, int index) {
    return index > 0
        && switch (function) {
          case LEAKY_RELU, ELU, CELU, SOFTPLUS, HARDTANH -> true;
          default -> false;
        };
  }

  private Expr parameter(Function function, int index) {
    return switch (function) {
      case SOFTPLUS -> index == 1 ? Expr.of(1 + random.nextInt(3) / 2.0) : Expr.of(20.0);
      case HARDTANH -> index == 1 ? Expr.of(-0.75) : Expr.of(1.25);
      default -> Expr.of(0.25 + random.nextInt(4) / 2.0);
    };
  }

  // ---- shapes -----------------------------------------------------------------------------------

  /** {@code part}, folded to a single value if it does not broadcast with {@code others}. */
  private Part broadcasting(Part part, List<Part> others) {
    List<Part> all = new ArrayList<>(others);
    all.add(part);
    if (broadcast(all) != null) {
      return part;
    }
    Reducer reducer =
        switch (part.category()) {
          case FLOATING -> Reducer.MEAN;
          case INTEGRAL -> Reducer.SUM;
          case BOOLEAN -> Reducer.ANY;
        };
    return new Part(part.expr().reduce(reducer), part.category(), new int[0]);
  }

  /** The common shape, or null if there is none. */
  private static int[] broadcast(List<Part> parts) {
    int rank = parts.stream().mapToInt(part -> part.shape().length).max().orElse(0);
    int[] shape = new int[rank];
    Arrays.fill(shape, 1);
    for (Part part : parts) {
      int lead = rank - part.shape().length;
      for (int d = 0; d < part.shape().length; d++) {
        int size = part.shape()[d];
        if (size != 1 && shape[lead + d] != 1 && size != shape[lead + d]) {
          return null;
        }
        shape[lead + d] = size == 1 ? shape[lead + d] : size;
      }
    }
    return shape;
  }

  // ---- reductions -------------------------------------------------------------------------------

  /** Folds, and elements less the result of the fold over their row, once or twice. */
  private Part overRows(Category category, int depth) {
    Part part = tensorial(expression(category, depth - 1));
    List<Integer> axes = axes(part.shape().length);
    List<Reducer> reducers =
        category == Category.FLOATING
            ? List.of(Reducer.MAX, Reducer.MIN, Reducer.MEAN)
            : List.of(Reducer.MAX, Reducer.MIN);
    Expr expr = part.expr();
    for (int i = random.nextInt(2); i < 2; i++) {
      Reducer reducer = reducers.get(random.nextInt(reducers.size()));
      expr = expr.sub(new Expr.Reduce(reducer, expr, axes, true, 0));
    }
    return new Part(expr, category, part.shape());
  }

  private Part reduction(Category category, int depth) {
    Reducer reducer = reducer(category);
    Category wanted =
        switch (reducer) {
          case ARGMAX, ARGMIN -> random.nextBoolean() ? Category.FLOATING : Category.INTEGRAL;
          case ANY, ALL -> anyCategory();
          case SUM, PROD ->
              category == Category.INTEGRAL ? atMost(Category.INTEGRAL) : Category.FLOATING;
          default -> category;
        };
    Part argument = tensorial(expression(wanted, depth - 1));
    List<Integer> axes = axes(argument.shape().length);
    boolean keepdim = random.nextInt(3) != 0;
    double parameter =
        switch (reducer) {
          case NORM -> new double[] {2, 1, 3, 0, 0.5, Double.POSITIVE_INFINITY}[random.nextInt(6)];
          case VAR, STD -> random.nextInt(2);
          default -> 0;
        };
    return new Part(
        new Expr.Reduce(reducer, argument.expr(), axes, keepdim, parameter),
        category,
        folded(argument.shape(), axes, keepdim));
  }

  private Reducer reducer(Category category) {
    List<Reducer> reducers =
        switch (category) {
          case FLOATING ->
              List.of(
                  Reducer.SUM,
                  Reducer.MEAN,
                  Reducer.PROD,
                  Reducer.MAX,
                  Reducer.MIN,
                  Reducer.NORM,
                  Reducer.VAR,
                  Reducer.STD);
          case INTEGRAL ->
              List.of(
                  Reducer.SUM,
                  Reducer.PROD,
                  Reducer.MAX,
                  Reducer.MIN,
                  Reducer.ARGMAX,
                  Reducer.ARGMIN);
          case BOOLEAN -> List.of(Reducer.ANY, Reducer.ALL, Reducer.MAX, Reducer.MIN);
        };
    return reducers.get(random.nextInt(reducers.size()));
  }

  /** Some axes, often from the end; none means all. */
  private List<Integer> axes(int rank) {
    return random.nextInt(4) == 0
        ? List.of()
        : IntStream.range(0, rank)
            .filter(_ -> random.nextBoolean())
            .map(d -> random.nextBoolean() ? d : d - rank)
            .boxed()
            .toList();
  }

  private static int[] folded(int[] shape, List<Integer> axes, boolean keepdim) {
    int rank = shape.length;
    return IntStream.range(0, rank)
        .filter(d -> keepdim || !isFolded(axes, d, rank))
        .map(d -> isFolded(axes, d, rank) ? 1 : shape[d])
        .toArray();
  }

  private static boolean isFolded(List<Integer> axes, int dim, int rank) {
    return axes.isEmpty() || axes.contains(dim) || axes.contains(dim - rank);
  }

  /** Whether the expression does nothing that {@link TypeRule}s leave to the library's mercy. */
  static boolean isElementwise(List<Expr> outputs) {
    List<Expr> open = new ArrayList<>(outputs);
    while (!open.isEmpty()) {
      switch (open.removeLast()) {
        case Expr.Input _, Expr.Literal _ -> {}
        case Expr.Call call -> open.addAll(call.arguments());
        case Expr.Foreign foreign -> open.addAll(foreign.arguments());
        case Expr.Cast cast -> open.add(cast.argument());
        case Expr.Reduce _, Expr.MatMul _, Expr.Attention _, Expr.Pick _, Expr.ArrayCall _ -> {
          return false;
        }
      }
    }
    return true;
  }
}

package io.gpuos.ir;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Gives every part of an expression its type and shape, by PyTorch's rules, and makes every
 * conversion explicit. What consists of literals only is computed here as Python computes its
 * numbers, in double precision and 64-bit integers.
 */
final class Typer {

  /** A typed expression: {@code outputs} are nodes of {@code graph}. */
  record Typed(TypedGraph graph, List<Integer> outputs) {}

  private final TypedGraph graph = new TypedGraph();
  private final SequencedMap<String, TensorType> inputs;
  private final Map<String, Integer> inputNodes;

  private Typer(SequencedMap<String, TensorType> inputs) {
    this.inputs = inputs;
    this.inputNodes = new HashMap<>();
    inputs.forEach(
        (name, type) ->
            inputNodes.put(
                name,
                graph.add(
                    new TypedNode(
                        new Operation.Input(inputNodes.size()),
                        type.dtype(),
                        type.shape(),
                        List.of(),
                        false))));
  }

  /**
   * @param inputs type of each named tensor; the order is that of {@link Operation.Input#index}
   * @throws ExpressionException if a name is not among the inputs
   * @throws DTypeException if a function has no meaning for its types
   * @throws ShapeException if shapes do not broadcast or an axis does not exist
   */
  static Typed type(List<Expr> outputs, SequencedMap<String, TensorType> inputs) {
    Typer typer = new Typer(inputs);
    Map<Expr, Integer> typed = new IdentityHashMap<>();
    for (Expr expr : ExprGraph.postOrder(outputs)) {
      List<Integer> arguments = ExprGraph.arguments(expr).stream().map(typed::get).toList();
      typed.put(expr, typer.node(expr, arguments));
    }
    List<Integer> roots =
        outputs.stream().map(output -> typer.graph.tensor(typed.get(output))).toList();
    return new Typed(typer.graph, roots);
  }

  private int node(Expr expr, List<Integer> arguments) {
    return switch (expr) {
      case Expr.Input(String name) -> input(name);
      case Expr.Literal(DType type, long bits) -> graph.constant(type, bits, true);
      case Expr.Cast(DType type, _) -> graph.cast(arguments.getFirst(), type);
      case Expr.Reduce reduce -> reduce(reduce, arguments.getFirst());
      case Expr.MatMul product -> product(product, arguments);
      case Expr.Pick pick -> pick(pick, arguments);
      case Expr.Attention attention -> AttentionTyper.node(graph, attention, arguments);
      case Expr.ArrayCall call -> new ArrayTyper(graph, call).node(arguments);
      case Expr.Call call -> call(call, arguments);
      case Expr.Foreign foreign -> foreign(foreign, arguments);
    };
  }

  private int input(String name) {
    Integer node = inputNodes.get(name);
    if (node == null) {
      throw new ExpressionException(
          "unknown input: name=%s, expected=one of %s%s"
              .formatted(
                  name,
                  String.join(", ", inputs.keySet()),
                  Suggestions.closest(name, inputs.keySet())));
    }
    return node;
  }

  private int reduce(Expr.Reduce reduce, int argument) {
    Reducer reducer = reduce.reducer();
    TypedNode element = graph.node(graph.tensor(argument));
    if (!reducer.accepts(element.type())) {
      throw noMeaning(
          reducer.functionName(),
          List.of(reduce.argument()),
          List.of(element),
          "a floating type, as cast(x, f32)");
    }
    int value = graph.cast(graph.tensor(argument), reducer.valueType(element.type()));
    List<Long> shape = element.shape();
    List<Integer> axes =
        Shapes.axes(
            reduce.axes(), shape, () -> "function=" + reducer.functionName() + ", shape=" + shape);
    if (!reducer.acceptsEmpty(reduce.parameter())
        && axes.stream().anyMatch(axis -> shape.get(axis) == 0)) {
      throw new ShapeException(
          "nothing to reduce: function=%s, shape=%s, axes=%s, expected=reduced sizes > 0"
              .formatted(reducer.functionName(), shape, axes));
    }
    return graph.add(
        new TypedNode(
            new Operation.Fold(reducer, axes, reduce.parameter()),
            reducer.resultType(element.type()),
            Shapes.fold(shape, axes, reduce.keepdim()),
            List.of(value),
            false));
  }

  /** The factors keep their types: as in PyTorch nothing is promoted. */
  private int product(Expr.MatMul product, List<Integer> arguments) {
    List<Integer> factors = arguments.stream().map(graph::tensor).toList();
    List<Expr> named = ExprGraph.arguments(product);
    List<TypedNode> nodes = graph.nodes(factors);
    String name = product.functionName();
    int rank = nodes.getLast().shape().size();
    int axis = Math.max(0, product.transposed() ? rank - 1 : rank - 2);
    List<Long> shape =
        Shapes.product(
            nodes.getFirst().shape(),
            nodes.getLast().shape(),
            axis,
            () -> "function=" + name + ", " + shapes(named, nodes));
    DType type = nodes.getFirst().type();
    if (type != nodes.getLast().type()) {
      throw noMeaning(
          name,
          named,
          nodes,
          "factors of one type, as cast(..., %s)".formatted(TypeNames.shortName(type)));
    }
    if (type == DType.BOOL) {
      throw noMeaning(name, named, nodes, "integers or floating types, as cast(x, i32)");
    }
    Shapes.checkSize(shape, type);
    return graph.add(new TypedNode(new Operation.Contract(axis), type, shape, factors, false));
  }

  private int pick(Expr.Pick pick, List<Integer> arguments) {
    String name = pick.picker().functionName();
    List<Integer> written = arguments.stream().map(graph::tensor).toList();
    List<Integer> tensors = pick.picker() == Picker.EMBEDDING ? written.reversed() : written;
    List<TypedNode> nodes = graph.nodes(tensors);
    TypedNode source = nodes.getFirst();
    TypedNode index = nodes.getLast();
    boolean number =
        nodes.stream()
            .anyMatch(n -> n.operation() instanceof Operation.Constant && n.shape().isEmpty());
    if (number || source.shape().isEmpty()) {
      throw new ShapeException(
          "source or index without dimensions: function=%s, source=%s, index=%s, expected=tensors, the source with an axis"
              .formatted(name, source.shape(), index.shape()));
    }
    if (index.type() != DType.I64 && index.type() != DType.I32) {
      throw noMeaning(
          name,
          List.of(pick.source(), pick.index()),
          nodes,
          "an index of type i64 or i32, as cast(i, i64)");
    }
    int axis =
        Shapes.axes(
                List.of(pick.axis()),
                source.shape(),
                () -> "function=" + name + ", shape=" + source.shape())
            .getFirst();
    List<Long> shape = pick.picker().shape(source.shape(), index.shape(), axis);
    Shapes.checkSize(shape, source.type());
    return graph.add(new TypedNode(new Operation.Pick(axis), source.type(), shape, tensors, false));
  }

  private int call(Expr.Call call, List<Integer> arguments) {
    List<TypedNode> nodes = graph.nodes(arguments);
    if (isIdentity(call.function(), nodes.getFirst().type())) {
      return arguments.getFirst();
    }
    if (call.function() == Function.RELU6 && nodes.getFirst().type().isIntegral()) {
      int zero = graph.constant(DType.I64, 0, true);
      int six = graph.constant(DType.I64, 6, true);
      return apply(Function.CLAMP, call, List.of(arguments.getFirst(), zero, six));
    }
    if (call.function() == Function.HARDTANH && nodes.getFirst().type().isIntegral()) {
      return apply(Function.CLAMP, call, arguments);
    }
    return apply(call.function(), call, arguments);
  }

  /** Rounding an integer, or the sign of a truth value. */
  private static boolean isIdentity(Function function, DType type) {
    return switch (function) {
      case FLOOR, CEIL, ROUND, TRUNC -> type.isIntegral();
      case SIGN -> type == DType.BOOL;
      default -> false;
    };
  }

  private int apply(Function function, Expr.Call call, List<Integer> arguments) {
    List<TypedNode> nodes = graph.nodes(arguments);
    boolean scalar = nodes.stream().allMatch(TypedNode::scalar);
    DType common = commonType(function, call, nodes);
    List<Integer> converted = convert(function, common, arguments);
    DType type = function.typeRule().result(common);
    if (scalar) {
      OptionalLong folded = LiteralFolding.fold(function, common, graph.nodes(converted));
      if (folded.isPresent()) {
        return graph.constant(type, folded.getAsLong(), true);
      }
    }
    List<Long> shape =
        Shapes.broadcast(
            nodes.stream().map(TypedNode::shape).toList(),
            () -> "function=" + function.functionName() + ", " + shapes(call.arguments(), nodes));
    Shapes.checkSize(shape, type);
    return graph.add(new TypedNode(new Operation.Apply(function), type, shape, converted, scalar));
  }

  /** No argument is converted, but for literals, which have no type of their own. */
  private int foreign(Expr.Foreign foreign, List<Integer> arguments) {
    ForeignFunction function = foreign.function();
    List<Integer> converted = new ArrayList<>();
    for (int k = 0; k < arguments.size(); k++) {
      TypedNode node = graph.node(arguments.get(k));
      DType declared = function.parameters().get(k).type();
      boolean fits =
          node.scalar()
              ? node.type().category().compareTo(declared.category()) <= 0
              : node.type() == declared;
      if (!fits) {
        throw new DTypeException(
            "type of an argument: function=%s, %s, expected=%s for %s; cast(..., %3$s) converts it"
                .formatted(
                    function,
                    describe(foreign.arguments().get(k), TypeNames.shortName(node.type())),
                    TypeNames.shortName(declared),
                    function.parameters().get(k).name()));
      }
      converted.add(graph.promote(arguments.get(k), declared));
    }
    List<Expr> named = foreign.arguments();
    List<TypedNode> nodes = graph.nodes(arguments);
    List<Long> shape =
        Shapes.broadcast(
            nodes.stream().map(TypedNode::shape).toList(),
            () -> "function=" + function.name() + ", " + shapes(named, nodes));
    Shapes.checkSize(shape, function.result());
    return graph.add(
        new TypedNode(new Operation.Foreign(function), function.result(), shape, converted, false));
  }

  /** The type that the arguments convert to, the condition of {@code where} aside. */
  private DType commonType(Function function, Expr.Call call, List<TypedNode> nodes) {
    TypeRule rule = function.typeRule();
    rejectBooleanDifference(function, call, nodes);
    List<TypedNode> values = nodes;
    if (rule == TypeRule.LOGICAL) {
      return DType.BOOL;
    }
    if (rule == TypeRule.WHERE) {
      requireCondition(call, nodes);
      values = nodes.subList(1, nodes.size());
    }
    boolean scalar = nodes.stream().allMatch(TypedNode::scalar);
    DType common = Promotion.common(values);
    if (!scalar && values.stream().allMatch(TypedNode::scalar)) {
      common = Promotion.tensorType(common);
    }
    if (!common.isFloating() && wantsFloating(function, nodes)) {
      common = scalar ? DType.F64 : Promotion.DEFAULT_FLOATING;
    }
    if (!rule.accepts(common) || (rule == TypeRule.FLOATING_ONLY && hasIntegers(nodes))) {
      throw noMeaning(function.functionName(), call.arguments(), nodes, expected(rule));
    }
    rejectNegativeExponent(function, common, nodes);
    return common;
  }

  /** Whether integers become floating for that function. */
  private boolean wantsFloating(Function function, List<TypedNode> nodes) {
    boolean scalar = nodes.stream().allMatch(TypedNode::scalar);
    return switch (function.typeRule()) {
      case FLOATING, PREDICATE -> true;
      case FLOATING_ONLY -> scalar;
      case NUMERIC -> scalar && function == Function.POW && isNegative(nodes.getLast());
      case ANY, COMPARISON, LOGICAL, BITWISE, SHIFT, WHERE -> false;
    };
  }

  /** Whether the tensors among the arguments have no floating type, whatever the literals are. */
  private static boolean hasIntegers(List<TypedNode> nodes) {
    List<TypedNode> tensors = nodes.stream().filter(node -> !node.scalar()).toList();
    return !tensors.isEmpty() && !Promotion.common(tensors).isFloating();
  }

  private static boolean isNegative(TypedNode node) {
    return node.operation() instanceof Operation.Constant(long bits)
        && !node.type().isFloating()
        && bits < 0;
  }

  private List<Integer> convert(Function function, DType common, List<Integer> arguments) {
    List<Integer> converted = new ArrayList<>();
    for (int argument : arguments) {
      boolean condition = function == Function.WHERE && converted.isEmpty();
      boolean logical = function.typeRule() == TypeRule.LOGICAL;
      converted.add(
          condition
              ? argument
              : logical ? graph.cast(argument, common) : graph.promote(argument, common));
    }
    return converted;
  }

  /** PyTorch refuses to subtract truth values, also from numbers. */
  private static void rejectBooleanDifference(
      Function function, Expr.Call call, List<TypedNode> nodes) {
    if (function == Function.SUB && nodes.stream().anyMatch(node -> node.type() == DType.BOOL)) {
      throw noMeaning("sub", call.arguments(), nodes, "no bool; a ^ b, or cast(x, i32)");
    }
  }

  private static void requireCondition(Expr.Call call, List<TypedNode> nodes) {
    if (nodes.getFirst().type() != DType.BOOL) {
      throw noMeaning("where", call.arguments(), nodes, "a bool condition, as x != 0");
    }
  }

  private static void rejectNegativeExponent(
      Function function, DType common, List<TypedNode> nodes) {
    if (function == Function.POW && common.isIntegral() && isNegative(nodes.getLast())) {
      throw new DTypeException(
          "negative power of integers: function=pow, type=%s, expected=an exponent >= 0, or"
                  .formatted(TypeNames.shortName(common))
              + " cast(base, f32)");
    }
  }

  private static String expected(TypeRule rule) {
    return switch (rule) {
      case NUMERIC -> "integers or floating types, as cast(x, i32)";
      case FLOATING, FLOATING_ONLY, PREDICATE -> "a floating type, as cast(x, f32)";
      case BITWISE -> "integers or bool, as cast(x, i32)";
      case SHIFT -> "integers, as cast(x, i32)";
      case ANY, COMPARISON, LOGICAL, WHERE -> "any type";
    };
  }

  static DTypeException noMeaning(
      String function, List<Expr> arguments, List<TypedNode> nodes, String expected) {
    String types =
        IntStream.range(0, arguments.size())
            .filter(i -> !(arguments.get(i) instanceof Expr.Literal))
            .mapToObj(i -> describe(arguments.get(i), TypeNames.shortName(nodes.get(i).type())))
            .collect(Collectors.joining(", "));
    return new DTypeException(
        "type has no meaning for the function: function=%s, %s, expected=%s"
            .formatted(function, types, expected));
  }

  static String shapes(List<Expr> arguments, List<TypedNode> nodes) {
    return IntStream.range(0, arguments.size())
        .filter(i -> !nodes.get(i).scalar())
        .mapToObj(i -> describe(arguments.get(i), nodes.get(i).shape().toString()))
        .collect(Collectors.joining(", "));
  }

  private static String describe(Expr argument, String value) {
    return ExprPrinter.brief(argument) + "=" + value;
  }
}

package io.gpuos.ir;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * Types one call of a function of whole tensors, whose shapes are known by then, as the operations
 * it stands for. Sums along an axis and writes by an index are operations of their own; the others
 * are expressions of where an element is, which is a sum of ones.
 */
final class ArrayTyper {

  private final TypedGraph graph;
  private final Expr.ArrayCall call;
  private final ArrayFunction function;

  ArrayTyper(TypedGraph graph, Expr.ArrayCall call) {
    this.graph = graph;
    this.call = call;
    this.function = call.function();
  }

  /**
   * @param arguments nodes of the call's arguments
   * @throws ShapeException if shapes do not fit, or an axis does not exist
   * @throws DTypeException if types do not
   */
  int node(List<Integer> arguments) {
    return switch (function) {
      case CUMSUM -> sums(graph.tensor(arguments.getFirst()));
      case SCATTER, SCATTER_ADD, INDEX_COPY, INDEX_ADD, INDEX_PUT -> written(arguments);
      case POSITION -> {
        List<Long> shape = shape(arguments.getFirst());
        yield position(shape, axis(shape));
      }
      case FULL -> full(arguments.getFirst());
      case FULL_LIKE -> {
        TypedNode like = graph.node(graph.tensor(arguments.getFirst()));
        int value = number(arguments.getLast(), like.type());
        yield graph.filled(like.type(), bits(value), like.shape());
      }
      case ARANGE -> range(arguments);
      case EYE -> eye();
      case TRIL, TRIU -> triangle(graph.tensor(arguments.getFirst()));
      case BATCH_NORM -> batchNorm(arguments);
      case PAD -> padded(graph.tensor(arguments.getFirst()), arguments.getLast());
    };
  }

  // ---- sums and positions -------------------------------------------------------------------

  private int sums(int x) {
    TypedNode node = graph.node(x);
    DType type = node.type().isFloating() ? node.type() : DType.I64;
    int value = graph.cast(x, type);
    if (node.shape().isEmpty()) {
      axis(List.of(1L));
      return value;
    }
    return graph.add(
        new TypedNode(
            new Operation.Scan(axis(node.shape()), false),
            type,
            node.shape(),
            List.of(value),
            false));
  }

  /** 0, 1, .. along an axis; the other sizes are 1. */
  private int position(List<Long> shape, int axis) {
    List<Long> line = new ArrayList<>(Collections.nCopies(shape.size(), 1L));
    line.set(axis, shape.get(axis));
    int ones = graph.filled(DType.I64, 1, line);
    return graph.add(
        new TypedNode(new Operation.Scan(axis, true), DType.I64, line, List.of(ones), false));
  }

  private int full(int value) {
    List<Long> shape = checkedShape(numbers(0));
    DType type = Promotion.tensorType(graph.node(value).type());
    int constant = number(value, type);
    Shapes.checkSize(shape, type);
    return graph.filled(type, bits(constant), shape);
  }

  private int range(List<Integer> bounds) {
    List<Double> values = bounds.stream().map(this::real).toList();
    double start = values.get(0);
    double step = values.get(2);
    double count = Math.ceil((values.get(1) - start) / step);
    boolean floating = bounds.stream().anyMatch(b -> graph.node(b).type().isFloating());
    if (!floating) {
      long distance = bits(bounds.get(1)) - bits(bounds.get(0));
      count = step == 0 ? Double.NaN : Math.ceilDiv(distance, bits(bounds.get(2)));
    }
    if (!(count >= 0 && count < 1L << 53)) {
      throw new ShapeException(
          "range does not end: " + named() + ", expected=a step from start towards end");
    }
    List<Long> shape = List.of((long) count);
    Shapes.checkSize(shape, DType.I64);
    int place = position(shape, 0);
    if (floating) {
      int steps = apply(Function.MUL, DType.F64, graph.cast(place, DType.F64), real(step));
      return graph.cast(apply(Function.ADD, DType.F64, steps, real(start)), DType.F32);
    }
    int steps = apply(Function.MUL, DType.I64, place, whole(bits(bounds.get(2))));
    return apply(Function.ADD, DType.I64, steps, whole(bits(bounds.get(0))));
  }

  private int eye() {
    long rows = numbers(0).getFirst();
    long columns = numbers(1).isEmpty() ? rows : numbers(1).getFirst();
    List<Long> shape = checkedShape(List.of(rows, columns));
    Shapes.checkSize(shape, DType.F32);
    int diagonal = apply(Function.EQ, DType.BOOL, position(shape, 0), position(shape, 1));
    return graph.cast(diagonal, DType.F32);
  }

  private int triangle(int x) {
    TypedNode node = graph.node(x);
    int rank = node.shape().size();
    if (rank < 2) {
      throw new ShapeException("no matrix: " + named(node) + ", expected=at least two axes");
    }
    int row = position(node.shape(), rank - 2);
    int column = position(node.shape(), rank - 1);
    int distance = apply(Function.SUB, DType.I64, column, row);
    Function side = function == ArrayFunction.TRIL ? Function.LE : Function.GE;
    int inside = apply(side, DType.BOOL, distance, whole(numbers(0).getFirst()));
    int zero = graph.constant(node.type(), 0, false);
    return apply(Function.WHERE, node.type(), inside, x, zero);
  }

  // ---- padding ------------------------------------------------------------------------------

  /** Axis by axis: elements picked from where they were, and the value where there were none. */
  private int padded(int x, int value) {
    List<Long> widths = numbers(0);
    TypedNode node = graph.node(x);
    int constant = number(value, node.type());
    if (widths.size() % 2 != 0 || widths.size() > 2 * node.shape().size()) {
      throw new ShapeException(
          "widths: "
              + named(node)
              + ", pad="
              + widths
              + ", expected=two for each of the last axes");
    }
    int result = x;
    for (int k = 0; k < widths.size(); k += 2) {
      int axis = node.shape().size() - 1 - k / 2;
      if (widths.get(k) != 0 || widths.get(k + 1) != 0) {
        result = padded(result, axis, widths.get(k), widths.get(k + 1), constant);
      }
    }
    return result;
  }

  private int padded(int x, int axis, long before, long after, int value) {
    TypedNode node = graph.node(x);
    long size = node.shape().get(axis);
    List<Long> line = checkedShape(List.of(size + before + after));
    int index = apply(Function.SUB, DType.I64, position(line, 0), whole(before));
    List<Long> shape = Picker.INDEX_SELECT.shape(node.shape(), line, axis);
    Shapes.checkSize(shape, node.type());
    int picked =
        graph.add(
            new TypedNode(new Operation.Pick(axis), node.type(), shape, List.of(x, index), false));
    boolean missingIsValue = !node.type().isFloating() && bits(value) == 0;
    if (missingIsValue || (before <= 0 && after <= 0)) {
      return picked;
    }
    int place = position(shape, axis);
    int late = apply(Function.GE, DType.BOOL, place, whole(before));
    int early = apply(Function.LT, DType.BOOL, place, whole(before + size));
    int inside = apply(Function.LOGICAL_AND, DType.BOOL, late, early);
    return apply(Function.WHERE, node.type(), inside, picked, value);
  }

  // ---- writes -------------------------------------------------------------------------------

  private int written(List<Integer> arguments) {
    int x = graph.tensor(arguments.get(0));
    int index = graph.tensor(arguments.get(1));
    DType type = graph.node(x).type();
    List<Long> shape = graph.node(x).shape();
    List<Long> places = graph.node(index).shape();
    boolean put = function == ArrayFunction.INDEX_PUT;
    if (shape.isEmpty()) {
      throw new ShapeException("no axis: " + named(graph.node(x)) + ", expected=a tensor with one");
    }
    if (graph.node(index).type() != DType.I64 && graph.node(index).type() != DType.I32) {
      throw new DTypeException(
          "type of an index: %s, index=%s, expected=i64 or i32, as cast(i, i64)"
              .formatted(named(), TypeNames.shortName(graph.node(index).type())));
    }
    int axis = put ? 0 : axis(shape);
    List<Long> elements = elements(shape, places, axis);
    int source = source(arguments.get(2), type, elements);
    Operation operation = new Operation.Scatter(axis, adds(), put);
    return graph.add(new TypedNode(operation, type, shape, List.of(x, index, source), false));
  }

  private boolean adds() {
    return switch (function) {
      case SCATTER_ADD, INDEX_ADD -> true;
      case INDEX_PUT -> numbers(0).getFirst() != 0;
      default -> false;
    };
  }

  /** The shape of what is written, whose axes are those of the index or go around them. */
  private List<Long> elements(List<Long> shape, List<Long> index, int axis) {
    boolean beside = function == ArrayFunction.SCATTER || function == ArrayFunction.SCATTER_ADD;
    boolean fits = index.size() == (beside ? shape.size() : 1);
    for (int d = 0; beside && fits && d < shape.size(); d++) {
      fits = d == axis || index.get(d) <= shape.get(d);
    }
    List<Long> result = new ArrayList<>(index);
    if (!beside) {
      fits |= function == ArrayFunction.INDEX_PUT;
      result.addAll(0, shape.subList(0, axis));
      result.addAll(shape.subList(axis + 1, shape.size()));
    }
    int most = io.gpuos.layout.Shapes.MAX_RANK - 1;
    if (!fits || result.size() > most) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "index does not fit: function=%s, x=%s, index=%s, axis=%d, expected=%s, and at most %d dimensions",
              function.functionName(),
              shape,
              index,
              axis,
              beside ? "as many axes, none but that one longer than those of x" : "one axis",
              most));
    }
    return result;
  }

  /** What is written: a tensor, or a number in as many dimensions, all of size 1. */
  private int source(int argument, DType type, List<Long> elements) {
    TypedNode node = graph.node(argument);
    if (node.scalar()) {
      long bits = bits(number(argument, type));
      return graph.filled(type, bits, Collections.nCopies(elements.size(), 1L));
    }
    if (node.type() != type) {
      throw new DTypeException(
          "type of what is written: %s, type=%s, expected=%s, as that of x"
              .formatted(named(), TypeNames.shortName(node.type()), TypeNames.shortName(type)));
    }
    boolean larger = function == ArrayFunction.SCATTER || function == ArrayFunction.SCATTER_ADD;
    boolean fits = node.shape().size() == elements.size();
    for (int d = 0; fits && d < elements.size(); d++) {
      long size = node.shape().get(d);
      fits = size == elements.get(d) || larger && size > elements.get(d);
    }
    if (!fits) {
      throw new ShapeException(
          "shape of what is written: %s, shape=%s, expected=%s%s"
              .formatted(named(), node.shape(), elements, larger ? " or more" : ""));
    }
    return argument;
  }

  // ---- batch norm ---------------------------------------------------------------------------

  private int batchNorm(List<Integer> arguments) {
    int x = graph.tensor(arguments.getFirst());
    TypedNode node = graph.node(x);
    if (!node.type().isFloating() || node.shape().size() < 2) {
      throw new DTypeException(
          "no channels of a floating type: %s, type=%s, expected=a floating type, and two axes"
              .formatted(named(node), TypeNames.shortName(node.type())));
    }
    DType type = node.type();
    int eps = number(arguments.get(5), type);
    int mean = channel(arguments.get(1), x);
    int deviation =
        apply(Function.SQRT, type, apply(Function.ADD, type, channel(arguments.get(2), x), eps));
    int normal = apply(Function.DIV, type, apply(Function.SUB, type, x, mean), deviation);
    int scaled = apply(Function.MUL, type, normal, channel(arguments.get(3), x));
    return apply(Function.ADD, type, scaled, channel(arguments.get(4), x));
  }

  /** A number, or values of channels in the dimensions of x: picked in their order. */
  private int channel(int argument, int x) {
    TypedNode node = graph.node(x);
    TypedNode values = graph.node(argument);
    if (values.scalar()) {
      return number(argument, node.type());
    }
    if (!values.shape().equals(List.of(node.shape().get(1)))) {
      throw new ShapeException(
          "values of channels: "
              + named(node)
              + ", shape="
              + values.shape()
              + ", expected=[channels]");
    }
    if (values.type() != node.type()) {
      throw new DTypeException(
          "type of values of channels: %s, type=%s, expected=%s, as that of x"
              .formatted(
                  named(), TypeNames.shortName(values.type()), TypeNames.shortName(node.type())));
    }
    int place = position(node.shape(), 1);
    List<Long> shape = Picker.EMBEDDING.shape(values.shape(), graph.node(place).shape(), 0);
    List<Integer> picked = List.of(argument, place);
    return graph.add(new TypedNode(new Operation.Pick(0), node.type(), shape, picked, false));
  }

  // ---- parts --------------------------------------------------------------------------------

  private List<Long> numbers(int k) {
    return call.numbers().get(k);
  }

  private List<Long> shape(int argument) {
    return graph.node(graph.tensor(argument)).shape();
  }

  private int axis(List<Long> shape) {
    int axis = Math.clamp(numbers(0).getFirst(), Integer.MIN_VALUE, Integer.MAX_VALUE);
    return Shapes.axes(List.of(axis), shape, () -> named() + ", shape=" + shape).getFirst();
  }

  private List<Long> checkedShape(List<Long> shape) {
    if (shape.size() > io.gpuos.layout.Shapes.MAX_RANK || shape.stream().anyMatch(s -> s < 0)) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "shape of a result: %s, shape=%s, expected=at most %d sizes, none negative",
              named(),
              shape,
              io.gpuos.layout.Shapes.MAX_RANK));
    }
    return shape;
  }

  /** A number that the call gives, as a constant of that type. */
  private int number(int argument, DType type) {
    TypedNode node = graph.node(argument);
    if (!node.scalar() || !(node.operation() instanceof Operation.Constant)) {
      throw new ExpressionException("no number: " + named() + ", expected=a number for the value");
    }
    if (node.type().isFloating() && !type.isFloating()) {
      throw new DTypeException(
          "type of a number: %s, type=%s, expected=%s"
              .formatted(named(), TypeNames.shortName(node.type()), TypeNames.shortName(type)));
    }
    return graph.promote(argument, type);
  }

  private double real(int argument) {
    return Double.longBitsToDouble(
        bits(graph.promote(number(argument, graph.node(argument).type()), DType.F64)));
  }

  private int real(double value) {
    return graph.constant(DType.F64, Scalars.bits(value), false);
  }

  private int whole(long value) {
    return graph.constant(DType.I64, value, false);
  }

  private long bits(int constant) {
    return ((Operation.Constant) graph.node(constant).operation()).bits();
  }

  private int apply(Function applied, DType type, Integer... arguments) {
    List<Integer> nodes = Arrays.asList(arguments);
    List<Long> shape =
        Shapes.broadcast(graph.nodes(nodes).stream().map(TypedNode::shape).toList(), this::named);
    Operation operation = new Operation.Apply(applied);
    return graph.add(new TypedNode(operation, type, shape, nodes, false));
  }

  private String named() {
    return "function=" + function.functionName();
  }

  private String named(TypedNode x) {
    return named() + ", x=" + x.shape();
  }
}

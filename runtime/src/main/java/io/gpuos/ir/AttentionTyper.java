package io.gpuos.ir;

import io.gpuos.error.ShapeException;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/** Types attention; part of {@link Typer}. */
final class AttentionTyper {

  private static final String NAME = ProductFunction.ATTENTION.functionName();

  private AttentionTyper() {}

  /**
   * The node of an attention in {@code graph}.
   *
   * @param arguments nodes of query, key, value, and the mask if there is one
   * @throws io.gpuos.error.DTypeException if the factors are not of one type of those it has
   * @throws ShapeException if the shapes do not fit together
   */
  static int node(TypedGraph graph, Expr.Attention attention, List<Integer> arguments) {
    List<Integer> factors = new ArrayList<>(arguments.stream().map(graph::tensor).toList());
    List<TypedNode> nodes = graph.nodes(factors);
    List<Expr> named = attention.arguments();
    DType type = nodes.getFirst().type();
    boolean known = type == DType.F32 || type == DType.F16 || type == DType.BF16;
    if (!known || nodes.subList(0, 3).stream().anyMatch(node -> node.type() != type)) {
      throw Typer.noMeaning(NAME, named, nodes, "factors of one type, f32, f16 or bf16");
    }
    Supplier<String> describe = () -> "function=" + NAME + ", " + Typer.shapes(named, nodes);
    List<Long> shape = shape(nodes, describe);
    if (nodes.size() > 3) {
      TypedNode mask = nodes.getLast();
      if (mask.type() != DType.BOOL && !mask.type().isFloating()) {
        throw Typer.noMeaning(NAME, named, nodes, "a mask of type bool, or of a floating type");
      }
      boolean converted = mask.type() != DType.BOOL && mask.type() != type;
      factors.set(3, converted ? graph.cast(factors.get(3), type) : factors.get(3));
    }
    Shapes.checkSize(shape, type);
    double depth = nodes.getFirst().shape().getLast();
    double scale = attention.scale().orElse(1 / Math.sqrt(Math.max(1, depth)));
    Operation operation = new Operation.Attend(attention.causal(), scale);
    return graph.add(new TypedNode(operation, type, shape, factors, false));
  }

  private static List<Long> shape(List<TypedNode> nodes, Supplier<String> describe) {
    List<List<Long>> shapes = nodes.stream().map(TypedNode::shape).toList();
    boolean constant = nodes.stream().anyMatch(n -> n.operation() instanceof Operation.Constant);
    if (constant || shapes.subList(0, 3).stream().anyMatch(shape -> shape.size() < 2)) {
      throw doesNotFit(describe, "tensors, the factors with at least two axes");
    }
    List<Long> query = shapes.get(0);
    List<Long> key = shapes.get(1);
    List<Long> value = shapes.get(2);
    if (!query.getLast().equals(key.getLast())) {
      throw doesNotFit(describe, "query and key with the same last size");
    }
    long keys = key.get(key.size() - 2);
    if (value.get(value.size() - 2) != keys) {
      throw doesNotFit(describe, "key and value with the same last size but one");
    }
    List<Long> result =
        new ArrayList<>(
            Shapes.broadcast(
                shapes.subList(0, 3).stream().map(s -> s.subList(0, s.size() - 2)).toList(),
                describe));
    result.add(query.get(query.size() - 2));
    List<Long> scores = new ArrayList<>(result);
    scores.add(keys);
    if (shapes.size() > 3
        && !Shapes.broadcast(List.of(scores, shapes.get(3)), describe).equals(scores)) {
      throw doesNotFit(
          describe, String.format(Locale.ROOT, "a mask that broadcasts to %s", scores));
    }
    result.add(value.getLast());
    if (result.size() >= io.gpuos.layout.Shapes.MAX_RANK) {
      throw doesNotFit(
          describe,
          String.format(Locale.ROOT, "at most %d dimensions", io.gpuos.layout.Shapes.MAX_RANK - 1));
    }
    return result;
  }

  private static ShapeException doesNotFit(Supplier<String> describe, String expected) {
    return new ShapeException("shapes do not fit: " + describe.get() + ", expected=" + expected);
  }
}

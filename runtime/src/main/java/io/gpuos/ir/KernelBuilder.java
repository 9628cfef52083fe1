package io.gpuos.ir;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a region of a graph as a kernel. Operands and nodes are numbered in the region's order, so
 * that expressions of the same structure give equal kernels.
 */
final class KernelBuilder {

  private final TypedGraph graph;
  private final List<Operand> operands = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Node, Integer> indices = new HashMap<>();

  /** The kernel's node for each node of the graph. */
  private final Map<Integer, Integer> translated = new HashMap<>();

  private KernelBuilder(TypedGraph graph) {
    this.graph = graph;
  }

  private KernelBuilder(TypedGraph graph, Region region) {
    this(graph);
    translate(region);
  }

  private void translate(Region region) {
    for (int node : region.nodes()) {
      translated.computeIfAbsent(
          node, _ -> add(region.sources().contains(node) ? load(node) : compute(node)));
    }
  }

  /** A kernel that stores {@code roots}, each to an output of its own, in order. */
  static Kernel elementwise(TypedGraph graph, Region region, List<Integer> roots) {
    KernelBuilder builder = new KernelBuilder(graph, region);
    List<Store> stores = new ArrayList<>();
    for (int root : roots) {
      stores.add(new Store(builder.operands.size(), builder.translated.get(root)));
      builder.operands.add(new Operand(Role.OUTPUT, graph.node(root).type()));
    }
    return new Kernel.Elementwise(builder.operands, builder.nodes, stores);
  }

  /** A kernel that folds the node {@code value}. */
  static Kernel reduction(
      TypedGraph graph, Region region, Operation.Fold fold, int value, DType result) {
    KernelBuilder builder = new KernelBuilder(graph, region);
    builder.operands.add(new Operand(Role.OUTPUT, result));
    return new Kernel.Reduction(
        builder.operands,
        builder.nodes,
        fold.reducer(),
        builder.translated.get(value),
        fold.parameter());
  }

  /**
   * A kernel that computes {@code value} of the product, or the picked elements, that are a source
   * of the region or the value itself.
   */
  static Kernel withEpilogue(TypedGraph graph, Region region, int product, int value) {
    KernelBuilder builder = new KernelBuilder(graph);
    DType type = graph.node(product).type();
    for (int factor : graph.node(product).arguments()) {
      builder.operands.add(new Operand(Role.INPUT, graph.node(factor).type()));
    }
    builder.translated.put(product, builder.add(new Node.Load(Kernel.Contraction.PRODUCT, type)));
    builder.translate(region);
    builder.operands.add(new Operand(Role.OUTPUT, graph.node(value).type()));
    int stored = builder.translated.get(value);
    return switch (graph.node(product).operation()) {
      case Operation.Pick _ -> new Kernel.Gather(builder.operands, builder.nodes, stored);
      case Operation.Attend(boolean causal, double scale) ->
          new Kernel.Attention(
              builder.operands,
              builder.nodes,
              stored,
              graph.node(product).arguments().size() > 3,
              causal,
              scale);
      default -> new Kernel.Contraction(builder.operands, builder.nodes, stored);
    };
  }

  /** A kernel that sums the node {@code value}, whose type is that of the result. */
  static Kernel scan(TypedGraph graph, Region region, Operation.Scan scan, int value) {
    KernelBuilder builder = new KernelBuilder(graph, region);
    builder.operands.add(new Operand(Role.OUTPUT, graph.node(value).type()));
    return new Kernel.Scan(
        builder.operands, builder.nodes, builder.translated.get(value), scan.exclusive());
  }

  /** A kernel that writes where an index says. */
  static Kernel scatter(Operation.Scatter scatter, DType index, DType type) {
    return new Kernel.Scatter(
        List.of(
            new Operand(Role.INPUT, index),
            new Operand(Role.INPUT, type),
            new Operand(Role.OUTPUT, type)),
        scatter.adds(),
        scatter.wraps());
  }

  private int add(Node node) {
    return indices.computeIfAbsent(
        node,
        _ -> {
          nodes.add(node);
          return nodes.size() - 1;
        });
  }

  private Node load(int node) {
    DType type = graph.node(node).type();
    operands.add(new Operand(Role.INPUT, type));
    return new Node.Load(operands.size() - 1, type);
  }

  private Node compute(int node) {
    TypedNode typed = graph.node(node);
    return compute(typed, typed.arguments().stream().map(translated::get).toList());
  }

  /** The kernel's node for a node that is not read. */
  static Node compute(TypedNode typed, List<Integer> arguments) {
    return switch (typed.operation()) {
      case Operation.Constant(long bits) -> new Node.Constant(typed.type(), bits);
      case Operation.Apply(Function function) -> new Node.Apply(function, typed.type(), arguments);
      case Operation.Foreign(ForeignFunction function) -> new Node.Foreign(function, arguments);
      case Operation.Convert() -> new Node.Convert(typed.type(), arguments.getFirst());
      case Operation.Fold(Reducer reducer, _, double parameter) ->
          new Node.Fold(reducer, typed.type(), arguments.getFirst(), parameter);
      case Operation.Input _,
          Operation.Contract _,
          Operation.Attend _,
          Operation.Pick _,
          Operation.Scan _,
          Operation.Scatter _ ->
          throw new IllegalStateException("not computed in a kernel: node=" + typed);
    };
  }
}

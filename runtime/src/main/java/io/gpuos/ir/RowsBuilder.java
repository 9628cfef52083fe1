package io.gpuos.ir;

import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.ExpressionPlan.Step;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.ir.RowDomain.Frame;
import io.gpuos.ir.RowDomain.Placed;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a {@link RowRegion} as a step. Operands and nodes are numbered in the region's order, and
 * equal nodes are one, however their shapes are aligned.
 */
final class RowsBuilder {

  private final TypedGraph graph;
  private final RowDomain domain;
  private final List<Operand> operands = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Node, Integer> indices = new HashMap<>();
  private final Map<Placed, Integer> translated = new HashMap<>();
  private final Set<Integer> perRow = new HashSet<>();
  private final Set<Integer> squeezed = new HashSet<>();

  private RowsBuilder(TypedGraph graph, RowDomain domain) {
    this.graph = graph;
    this.domain = domain;
  }

  /**
   * The step that computes a region.
   *
   * @param roots the values to store
   * @param memory where the region's sources lie
   * @param targets where each root is stored
   */
  static Step step(
      TypedGraph graph,
      RowPlanner.Rows rows,
      List<Integer> roots,
      Map<Integer, Source> memory,
      List<Source> targets) {
    RowsBuilder builder = new RowsBuilder(graph, rows.domain());
    List<Source> sources = new ArrayList<>();
    for (Placed placed : rows.region().nodes()) {
      boolean read = rows.region().sources().contains(placed);
      if (read) {
        sources.add(memory.get(placed.node()));
      }
      builder.translated.put(
          placed, builder.add(read ? builder.load(placed) : builder.compute(placed)));
    }
    sources.addAll(targets);
    return builder.step(roots, sources);
  }

  private Step step(List<Integer> roots, List<Source> sources) {
    List<Store> stores = new ArrayList<>();
    for (int root : roots) {
      Frame frame = domain.frame(graph.node(root).shape()).orElseThrow();
      Placed placed = new Placed(root, frame);
      stores.add(new Store(operands.size(), translated.get(placed)));
      addOperand(Role.OUTPUT, placed);
    }
    Kernel kernel = new Kernel.Rows(operands, nodes, perRow, stores);
    return new Step(kernel, sources, domain.shape(), domain.axes(), squeezed);
  }

  private int add(Node node) {
    return indices.computeIfAbsent(
        node,
        _ -> {
          nodes.add(node);
          return nodes.size() - 1;
        });
  }

  private Node load(Placed placed) {
    addOperand(Role.INPUT, placed);
    return new Node.Load(operands.size() - 1, operands.getLast().type());
  }

  private void addOperand(Role role, Placed placed) {
    TypedNode typed = graph.node(placed.node());
    DType type = typed.type();
    if (domain.isPerRow(typed.shape(), placed.frame())) {
      perRow.add(operands.size());
    }
    if (placed.frame() == Frame.SQUEEZED) {
      squeezed.add(operands.size());
    }
    operands.add(new Operand(role, type));
  }

  private Node compute(Placed placed) {
    TypedNode typed = graph.node(placed.node());
    boolean fold = typed.operation() instanceof Operation.Fold;
    Frame frame = fold ? Frame.WHOLE : placed.frame();
    return KernelBuilder.compute(
        typed,
        typed.arguments().stream()
            .map(argument -> translated.get(place(argument, frame)))
            .toList());
  }

  /** Constants are the same however they are aligned. */
  private Placed place(int node, Frame frame) {
    boolean constant = graph.node(node).operation() instanceof Operation.Constant;
    return new Placed(node, constant ? Frame.WHOLE : frame);
  }
}

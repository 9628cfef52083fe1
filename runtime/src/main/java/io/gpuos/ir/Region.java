package io.gpuos.ir;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.function.IntPredicate;

/**
 * The part of a {@link TypedGraph} that one kernel computes: everything its roots depend on, back
 * to the nodes whose values lie in memory.
 *
 * @param nodes all nodes, sources among them, arguments before their users, in the order in which
 *     the roots reach them: it depends on the structure only, not on the numbering of the graph
 * @param sources the nodes that are read from memory
 */
record Region(SequencedSet<Integer> nodes, SequencedSet<Integer> sources) {

  /** Collects what {@code roots} depend on; a node for which {@code isSource} holds is read. */
  static Region of(TypedGraph graph, List<Integer> roots, IntPredicate isSource) {
    Region region = new Region(new LinkedHashSet<>(), new LinkedHashSet<>());
    roots.forEach(root -> region.visit(graph, root, isSource));
    return region;
  }

  private void visit(TypedGraph graph, int node, IntPredicate isSource) {
    if (nodes.contains(node)) {
      return;
    }
    if (isSource.test(node)) {
      sources.add(node);
    } else {
      for (int argument : graph.node(node).arguments()) {
        visit(graph, argument, isSource);
      }
    }
    nodes.add(node);
  }

  /** Whether one kernel with that many outputs can hold it. */
  boolean fits(int outputs) {
    return nodes.size() <= ExpressionPlan.MAX_NODES
        && sources.size() <= Kernel.MAX_INPUTS
        && sources.size() + outputs <= Kernel.MAX_OPERANDS;
  }
}

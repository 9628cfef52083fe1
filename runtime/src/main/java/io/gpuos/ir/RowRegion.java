package io.gpuos.ir;

import io.gpuos.ir.RowDomain.Frame;
import io.gpuos.ir.RowDomain.Placed;
import io.gpuos.ir.TypedNode.Operation;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.SortedSet;
import java.util.function.IntPredicate;

/**
 * The part of a graph that one {@link Kernel.Rows} computes: as a {@link Region}, but through its
 * own folds. A node that is aligned in two ways counts as two.
 *
 * @param nodes all nodes, sources among them, arguments before their users
 * @param sources the nodes that are read from memory
 */
record RowRegion(SequencedSet<Placed> nodes, SequencedSet<Placed> sources) {

  /** Folds of a kernel at most: each is code, and some of it again for every later one. */
  private static final int MAX_FOLDS = 8;

  /** Collects a region. */
  private static final class Visit {
    private final TypedGraph graph;
    private final RowDomain domain;
    private final SortedSet<Integer> members;
    private final IntPredicate isSource;
    private final RowRegion region = new RowRegion(new LinkedHashSet<>(), new LinkedHashSet<>());

    Visit(TypedGraph graph, RowDomain domain, SortedSet<Integer> members, IntPredicate isSource) {
      this.graph = graph;
      this.domain = domain;
      this.members = members;
      this.isSource = isSource;
    }

    /** Whether the node has a place in these rows. */
    boolean visit(int node, Frame frame) {
      TypedNode typed = graph.node(node);
      boolean constant = typed.operation() instanceof Operation.Constant;
      Placed placed = new Placed(node, constant ? Frame.WHOLE : frame);
      if (region.nodes.contains(placed)) {
        return true;
      }
      if (!members.contains(node) && isSource.test(node)) {
        region.sources.add(placed);
      } else if (typed.operation() instanceof Operation.Fold) {
        // Aligned otherwise, its results would be spread over the elements of rows.
        boolean aligned = domain.frame(typed.shape()).filter(frame::equals).isPresent();
        if (!aligned || !visit(typed.arguments().getFirst(), Frame.WHOLE)) {
          return false;
        }
      } else {
        for (int argument : typed.arguments()) {
          if (!visit(argument, frame)) {
            return false;
          }
        }
      }
      region.nodes.add(placed);
      return true;
    }
  }

  /**
   * The region of members over the same rows, folds and elementwise values.
   *
   * @param isSource which nodes are read from memory unless they are members
   * @return empty if some value is not aligned with the rows
   */
  static Optional<RowRegion> of(
      TypedGraph graph, RowDomain domain, SortedSet<Integer> members, IntPredicate isSource) {
    Visit visit = new Visit(graph, domain, members, isSource);
    for (int member : members) {
      Optional<Frame> frame = domain.frame(graph.node(member).shape());
      if (frame.isEmpty() || !visit.visit(member, frame.get())) {
        return Optional.empty();
      }
    }
    return Optional.of(visit.region);
  }

  /** Whether one kernel with that many outputs can hold it. */
  boolean fits(TypedGraph graph, int outputs) {
    long folds =
        nodes.stream()
            .filter(placed -> !sources.contains(placed))
            .filter(placed -> graph.node(placed.node()).operation() instanceof Operation.Fold)
            .count();
    return folds <= MAX_FOLDS
        && nodes.size() <= ExpressionPlan.MAX_NODES
        && sources.size() <= Kernel.MAX_INPUTS
        && sources.size() + outputs <= Kernel.MAX_OPERANDS;
  }
}

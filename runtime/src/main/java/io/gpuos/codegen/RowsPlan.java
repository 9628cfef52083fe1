package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A rows kernel cut into elementwise expressions with folds between them. Results of folds are
 * operands of these, in slots where temporaries begin: for each fold its result repeated for every
 * element, then for each fold its results one a row, then one slot for the values to fold.
 *
 * @param phases one for each fold, in order; each stores its values to {@link #valueSlot}
 * @param elements stores what has an element per element of a row; null if nothing has
 * @param perRow stores what has one element a row, from results one a row; null if nothing has
 * @param results types of the folds' results
 */
record RowsPlan(
    List<Phase> phases,
    Kernel.Elementwise elements,
    Kernel.Elementwise perRow,
    List<DType> results) {

  /** An expression and the fold of its values. */
  record Phase(Kernel.Elementwise values, Fold fold) {}

  /** Slot of a fold's result, repeated for every element. */
  int spreadSlot(int fold) {
    return CpuScratch.TEMPORARIES + fold;
  }

  /** Slot of a fold's results, one a row. */
  int rowSlot(int fold) {
    return spreadSlot(results.size()) + fold;
  }

  /** Slot of the values that are folded. */
  int valueSlot() {
    return rowSlot(results.size());
  }

  static RowsPlan of(Kernel.Rows kernel) {
    List<Integer> folds = new ArrayList<>();
    for (int node = 0; node < kernel.nodes().size(); node++) {
      if (kernel.nodes().get(node) instanceof Node.Fold) {
        folds.add(node);
      }
    }
    List<DType> results = folds.stream().map(fold -> kernel.nodes().get(fold).type()).toList();
    int spread = CpuScratch.TEMPORARIES;
    List<Node> nodes = reading(kernel.nodes(), folds, spread);
    List<Operand> operands = operands(kernel, results);
    List<Phase> phases = new ArrayList<>();
    for (int fold : folds) {
      Node.Fold node = (Node.Fold) kernel.nodes().get(fold);
      List<Operand> withValue = new ArrayList<>(operands);
      withValue.add(new Operand(Role.OUTPUT, node.type()));
      ReductionPlan plan =
          ReductionPlan.of(
              new Kernel.Reduction(
                  withValue, nodes, node.reducer(), node.argument(), node.parameter()));
      phases.add(new Phase(plan.values(), plan.fold()));
    }
    List<Store> rowStores = kernel.stores().stream().filter(kernel::isPerRow).toList();
    List<Store> elementStores = new ArrayList<>(kernel.stores());
    elementStores.removeAll(rowStores);
    return new RowsPlan(
        phases,
        elementStores.isEmpty() ? null : new Kernel.Elementwise(operands, nodes, elementStores),
        rowStores.isEmpty()
            ? null
            : new Kernel.Elementwise(
                operands, reading(kernel.nodes(), folds, spread + results.size()), rowStores),
        results);
  }

  /** The kernel's operands in their slots, then the folds' results, repeated and one a row. */
  private static List<Operand> operands(Kernel.Rows kernel, List<DType> results) {
    List<Operand> operands = new ArrayList<>(kernel.operands());
    while (operands.size() < CpuScratch.TEMPORARIES) {
      operands.add(new Operand(Role.INPUT, DType.F64)); // not used by any node
    }
    for (int sort = 0; sort < 2; sort++) {
      results.forEach(type -> operands.add(new Operand(Role.INPUT, type)));
    }
    return operands;
  }

  /** The nodes with the k-th fold read from slot {@code first + k}. */
  private static List<Node> reading(List<Node> nodes, List<Integer> folds, int first) {
    List<Node> result = new ArrayList<>(nodes);
    for (int k = 0; k < folds.size(); k++) {
      int fold = folds.get(k);
      result.set(fold, new Node.Load(first + k, nodes.get(fold).type()));
    }
    return result;
  }

  /** The kernel's inputs that an expression reads, ascending. */
  static int[] inputs(Kernel.Rows kernel, Kernel.Elementwise expression) {
    boolean[] needed = LoopPlan.needed(expression);
    boolean[] read = new boolean[kernel.operands().size()];
    for (int node = 0; node < needed.length; node++) {
      if (needed[node]
          && expression.nodes().get(node) instanceof Node.Load(int operand, _)
          && operand < read.length
          && kernel.operands().get(operand).role() == Role.INPUT) {
        read[operand] = true;
      }
    }
    return IntStream.range(0, read.length).filter(k -> read[k]).toArray();
  }
}

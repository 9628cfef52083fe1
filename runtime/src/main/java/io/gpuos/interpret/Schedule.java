package io.gpuos.interpret;

import io.gpuos.codegen.CudaType;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Store;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;

/**
 * The order in which nodes are computed: depth first from the stored ones, and of the arguments of
 * a node first the one that leaves the most cells free behind it. For a tree no order takes fewer
 * cells (Sethi and Ullman, The generation of optimal code for arithmetic expressions, 1970); for
 * shared nodes it is a good guess. Nodes that nothing stored depends on are left out.
 */
final class Schedule {

  private final Kernel.Elementwise kernel;

  /** Cells that computing a node takes, its result included. */
  private final int[] need;

  private Schedule(Kernel.Elementwise kernel) {
    this.kernel = kernel;
    this.need = new int[kernel.nodes().size()];
    for (int node = 0; node < need.length; node++) {
      need[node] = needOf(node);
    }
  }

  /** Every needed node once, arguments before their users. */
  static List<Integer> order(Kernel.Elementwise kernel) {
    return new Schedule(kernel).order();
  }

  private int needOf(int node) {
    int held = 0;
    int most = cells(node);
    for (int argument : bestFirst(arguments(node))) {
      most = Math.max(most, held + need[argument]);
      held += cells(argument);
    }
    return most;
  }

  private List<Integer> bestFirst(List<Integer> nodes) {
    Comparator<Integer> freed = Comparator.comparing(node -> need[node] - cells(node));
    return nodes.stream().distinct().sorted(freed.reversed()).toList();
  }

  private int cells(int node) {
    return Operation.cells(CudaType.of(kernel.nodes().get(node).type()));
  }

  private List<Integer> arguments(int node) {
    return arguments(kernel.nodes().get(node));
  }

  static List<Integer> arguments(Node node) {
    return switch (node) {
      case Node.Load _, Node.Constant _ -> List.of();
      case Node.Convert(_, int argument) -> List.of(argument);
      case Node.Apply apply -> apply.arguments();
      case Node.Foreign foreign -> foreign.arguments();
      case Node.Fold fold -> List.of(fold.argument());
    };
  }

  /** Without recursion: expressions may be deeper than the stack. */
  private List<Integer> order() {
    List<Integer> order = new ArrayList<>();
    boolean[] entered = new boolean[need.length];
    boolean[] done = new boolean[need.length];
    Deque<Integer> open = new ArrayDeque<>();
    for (int root : bestFirst(kernel.stores().stream().map(Store::node).toList())) {
      open.push(root);
      while (!open.isEmpty()) {
        int node = open.peek();
        if (!entered[node]) {
          entered[node] = true;
          bestFirst(arguments(node)).reversed().forEach(open::push);
          continue;
        }
        open.pop();
        if (!done[node]) {
          done[node] = true;
          order.add(node);
        }
      }
    }
    return order;
  }
}

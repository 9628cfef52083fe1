package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * How the nodes of an expression are spread over loops. One loop serves for most; a longer
 * expression is cut, because the JIT compiler neither vectorises a large loop body nor compiles a
 * huge method. A value that a later loop needs goes through a temporary slot of {@link CpuScratch}.
 *
 * <p>Only what the stores need is planned. Loads, constants and scalars belong to no loop: every
 * loop reads those that it needs.
 *
 * @param loops in the order to run
 * @param slots temporary slot of each node that crosses loops, -1 for the others
 * @param temporaries number of temporary slots, those of operands beyond {@link
 *     CpuScratch#TEMPORARIES} included
 */
record LoopPlan(List<Loop> loops, int[] slots, int temporaries) {

  /**
   * Most weight of a loop. Weights count what C2 counts when it decides how far to unroll a loop,
   * without which it does not vectorise: measured with JDK 25, loops of additions stop being
   * vectorised between 47 and 49, whatever their numbers of inputs.
   */
  private static final int MAX_WEIGHT = 45;

  /** Weight of a node that becomes a call. */
  private static final int CALL_WEIGHT = 4;

  /** Weight of reading or writing an element of an array. */
  private static final int ACCESS_WEIGHT = 3;

  /**
   * One loop.
   *
   * @param nodes to compute, in order; all {@link Node.Apply} or {@link Node.Convert}
   * @param stores to do once their nodes are computed
   */
  record Loop(List<Integer> nodes, List<Kernel.Store> stores) {}

  static LoopPlan of(Kernel.Elementwise kernel) {
    List<Node> nodes = kernel.nodes();
    int[] loopOf = assign(kernel, needed(kernel));
    int loopCount = Math.max(1, Arrays.stream(loopOf).max().orElse(0) + 1);
    List<Loop> loops = new ArrayList<>();
    for (int l = 0; l < loopCount; l++) {
      loops.add(new Loop(new ArrayList<>(), new ArrayList<>()));
    }
    for (int node = 0; node < loopOf.length; node++) {
      if (loopOf[node] >= 0) {
        loops.get(loopOf[node]).nodes.add(node);
      }
    }
    for (Kernel.Store store : kernel.stores()) {
      loops.get(Math.max(0, loopOf[store.node()])).stores.add(store);
    }
    return withTemporaries(kernel, loops, lastUses(nodes, loopOf), loopOf);
  }

  /** The nodes that a node reads. */
  static List<Integer> arguments(Node node) {
    return switch (node) {
      case Node.Apply apply -> apply.arguments();
      case Node.Foreign foreign -> foreign.arguments();
      case Node.Convert convert -> List.of(convert.argument());
      case Node.Fold fold -> List.of(fold.argument());
      case Node.Load _, Node.Constant _ -> List.of();
    };
  }

  /** For each node whether a store depends on it. */
  static boolean[] needed(Kernel.Elementwise kernel) {
    boolean[] needed = new boolean[kernel.nodes().size()];
    kernel.stores().forEach(store -> needed[store.node()] = true);
    for (int node = needed.length - 1; node >= 0; node--) {
      if (needed[node]) {
        arguments(kernel.nodes().get(node)).forEach(argument -> needed[argument] = true);
      }
    }
    return needed;
  }

  /** The loop of each needed node that is computed, -1 for the others. */
  private static int[] assign(Kernel.Elementwise kernel, boolean[] needed) {
    List<Node> nodes = kernel.nodes();
    int[] loopOf = new int[nodes.size()];
    Arrays.fill(loopOf, -1);
    Set<Integer> atHand = new HashSet<>();
    int loop = 0;
    int weight = 0;
    for (int node = 0; node < loopOf.length; node++) {
      if (!needed[node] || !isComputed(nodes.get(node))) {
        continue;
      }
      int added = weight(kernel, node, atHand);
      if (weight > 0 && weight + added > MAX_WEIGHT) {
        loop++;
        atHand.clear();
        weight = 0;
        added = weight(kernel, node, atHand);
      }
      weight += added;
      loopOf[node] = loop;
      atHand.add(node);
      atHand.addAll(arguments(nodes.get(node)));
    }
    return loopOf;
  }

  private static boolean isComputed(Node node) {
    return node instanceof Node.Apply || node instanceof Node.Convert;
  }

  /** What a node adds to a loop that has the nodes {@code atHand} in local variables. */
  private static int weight(Kernel.Elementwise kernel, int node, Set<Integer> atHand) {
    Node body = kernel.nodes().get(node);
    boolean call =
        body instanceof Node.Apply(Function function, _, _) && function.jvmMnemonic().isEmpty();
    long accesses =
        arguments(body).stream().distinct().filter(argument -> !atHand.contains(argument)).count()
            + kernel.stores().stream().filter(store -> store.node() == node).count();
    return (call ? CALL_WEIGHT : 1) + ACCESS_WEIGHT * (int) accesses;
  }

  /** The last loop that reads each computed node. */
  private static int[] lastUses(List<Node> nodes, int[] loopOf) {
    int[] last = loopOf.clone();
    for (int node = 0; node < loopOf.length; node++) {
      if (loopOf[node] >= 0) {
        for (int argument : arguments(nodes.get(node))) {
          if (loopOf[argument] >= 0) {
            last[argument] = Math.max(last[argument], loopOf[node]);
          }
        }
      }
    }
    return last;
  }

  /** Gives every value that crosses loops a slot, which is free again after its last loop. */
  private static LoopPlan withTemporaries(
      Kernel.Elementwise kernel, List<Loop> loops, int[] lastUse, int[] loopOf) {
    int[] slots = new int[loopOf.length];
    Arrays.fill(slots, -1);
    Deque<Integer> free = new ArrayDeque<>();
    int temporaries = Math.max(0, kernel.operands().size() - CpuScratch.TEMPORARIES);
    for (int l = 0; l < loops.size(); l++) {
      for (int node : loops.get(l).nodes) {
        if (lastUse[node] > l) {
          slots[node] = free.isEmpty() ? CpuScratch.TEMPORARIES + temporaries++ : free.pop();
        }
      }
      for (int node = 0; node < slots.length; node++) {
        if (slots[node] >= 0 && lastUse[node] == l) {
          free.push(slots[node]);
        }
      }
    }
    return new LoopPlan(loops, slots, temporaries);
  }
}

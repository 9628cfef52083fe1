package io.gpuos.ir;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Walks expressions as graphs: time linear in the number of distinct nodes, however often they are
 * shared, and constant stack depth, however deep they are.
 */
final class ExprGraph {

  private ExprGraph() {}

  /** The direct arguments of a node. */
  static List<Expr> arguments(Expr expr) {
    return switch (expr) {
      case Expr.Input _, Expr.Literal _ -> List.of();
      case Expr.Call call -> call.arguments();
      case Expr.Foreign foreign -> foreign.arguments();
      case Expr.Cast cast -> List.of(cast.argument());
      case Expr.Reduce reduce -> List.of(reduce.argument());
      case Expr.MatMul(Expr left, Expr right, _) -> List.of(left, right);
      case Expr.Pick pick -> pick.arguments();
      case Expr.Attention attention -> attention.arguments();
      case Expr.ArrayCall call -> call.arguments();
    };
  }

  /** Every distinct node once, arguments before their users, in order of first appearance. */
  static List<Expr> postOrder(List<Expr> roots) {
    List<Expr> order = new ArrayList<>();
    Set<Expr> entered = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<Expr> left = Collections.newSetFromMap(new IdentityHashMap<>());
    Deque<Expr> stack = new ArrayDeque<>();
    roots.reversed().forEach(stack::push);
    while (!stack.isEmpty()) {
      Expr expr = stack.peek();
      if (entered.add(expr)) {
        arguments(expr).reversed().forEach(stack::push);
      } else {
        stack.pop();
        if (left.add(expr)) {
          order.add(expr);
        }
      }
    }
    return order;
  }

  /** Whether two expressions have the same structure. */
  static boolean equal(Expr a, Expr b) {
    Map<Expr, Integer> numbers = numbers(List.of(a, b));
    return numbers.get(a).equals(numbers.get(b));
  }

  static int hash(Expr expr) {
    Map<Expr, Integer> hashes = new IdentityHashMap<>();
    for (Expr node : postOrder(List.of(expr))) {
      hashes.put(node, key(node, hashes).hashCode());
    }
    return hashes.get(expr);
  }

  /** Numbers every node, by identity, so that equal structures have equal numbers. */
  private static Map<Expr, Integer> numbers(List<Expr> roots) {
    Map<Expr, Integer> numbers = new IdentityHashMap<>();
    Map<Key, Integer> byKey = new HashMap<>();
    for (Expr node : postOrder(roots)) {
      Key key = key(node, numbers);
      numbers.put(node, byKey.computeIfAbsent(key, _ -> byKey.size()));
    }
    return numbers;
  }

  /** A node's own fields, and what stands for its arguments. */
  private record Key(Object own, List<Integer> arguments) {}

  private static Key key(Expr node, Map<Expr, Integer> numbers) {
    Object own =
        switch (node) {
          case Expr.Input(String name) -> name;
          case Expr.Literal(var type, long bits) -> "#" + type + bits;
          case Expr.Call(var function, _) -> "call " + function;
          case Expr.Foreign(var function, _) -> function;
          case Expr.Cast(var type, _) -> "cast " + type;
          case Expr.MatMul product -> product.functionName();
          case Expr.Attention attention ->
              "attention %s %s".formatted(attention.causal(), attention.scale());
          case Expr.Pick(Picker picker, _, _, int axis) -> "pick " + picker + " " + axis;
          case Expr.ArrayCall call -> "array " + call.function() + call.numbers();
          case Expr.Reduce(var reducer, _, var axes, boolean keepdim, double parameter) ->
              "reduce %s %s %s %s".formatted(reducer, axes, keepdim, parameter);
        };
    return new Key(own, arguments(node).stream().map(numbers::get).toList());
  }
}

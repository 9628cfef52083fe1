package io.gpuos.ir;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Replaces inputs of expressions by other expressions. Pure; what was shared stays shared. */
public final class Substitution {

  private Substitution() {}

  /**
   * The expressions with each input that {@code by} names replaced; other inputs stay. All at once:
   * inputs of the replacements are not looked at.
   */
  public static List<Expr> apply(List<Expr> expressions, Map<String, Expr> by) {
    Map<Expr, Expr> replaced = new IdentityHashMap<>();
    for (Expr node : ExprGraph.postOrder(expressions)) {
      List<Expr> arguments = new ArrayList<>();
      ExprGraph.arguments(node).forEach(argument -> arguments.add(replaced.get(argument)));
      replaced.put(node, rebuilt(node, arguments, by));
    }
    return expressions.stream().map(replaced::get).toList();
  }

  private static Expr rebuilt(Expr node, List<Expr> arguments, Map<String, Expr> by) {
    return switch (node) {
      case Expr.Input(String name) -> by.getOrDefault(name, node);
      case Expr.Literal literal -> literal;
      case Expr.Call call -> new Expr.Call(call.function(), arguments);
      case Expr.Foreign foreign -> new Expr.Foreign(foreign.function(), arguments);
      case Expr.Cast cast -> new Expr.Cast(cast.type(), arguments.getFirst());
      case Expr.Reduce reduce ->
          new Expr.Reduce(
              reduce.reducer(),
              arguments.getFirst(),
              reduce.axes(),
              reduce.keepdim(),
              reduce.parameter());
      case Expr.Pick pick -> pick.with(arguments);
      case Expr.Attention attention -> attention.with(arguments);
      case Expr.MatMul product ->
          new Expr.MatMul(arguments.getFirst(), arguments.getLast(), product.transposed());
      case Expr.ArrayCall call -> new Expr.ArrayCall(call.function(), arguments, call.numbers());
    };
  }
}

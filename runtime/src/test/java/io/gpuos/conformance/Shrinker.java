package io.gpuos.conformance;

import io.gpuos.conformance.ExpressionCase.Destination;
import io.gpuos.ir.Expr;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/** Makes a failing case smaller as long as it fails. */
final class Shrinker {

  private static final int MOST_TRIES = 400;

  private final Predicate<ExpressionCase> fails;
  private int tries;

  private Shrinker(Predicate<ExpressionCase> fails) {
    this.fails = fails;
  }

  /** A case that fails and of which no smaller variant does, as far as a few hundred tries tell. */
  static ExpressionCase shrink(ExpressionCase failing, Predicate<ExpressionCase> fails) {
    Shrinker shrinker = new Shrinker(fails);
    ExpressionCase current = failing;
    for (ExpressionCase next = failing; next != null; next = shrinker.smaller(current)) {
      current = next;
    }
    return current;
  }

  private ExpressionCase smaller(ExpressionCase test) {
    for (ExpressionCase candidate : candidates(test)) {
      if (tries++ >= MOST_TRIES) {
        return null;
      }
      if (fails.test(candidate)) {
        return candidate;
      }
    }
    return null;
  }

  private static List<ExpressionCase> candidates(ExpressionCase test) {
    List<ExpressionCase> candidates = new ArrayList<>();
    int outputs = test.outputs().size();
    for (int i = 0; i < outputs && outputs > 1; i++) {
      candidates.add(test.withOutputs(without(test.outputs(), i), without(test.targets(), i)));
    }
    for (int i = 0; i < outputs; i++) {
      if (!(test.targets().get(i) instanceof Destination.Fresh)) {
        candidates.add(test.withTarget(i, new Destination.Fresh()));
      }
      for (Expr simpler : simplified(test.outputs().get(i))) {
        candidates.add(test.withOutputs(replaced(test.outputs(), i, simpler), test.targets()));
      }
    }
    test.inputs()
        .forEach(
            (name, tensor) -> {
              if (!tensor.steps().isEmpty()) {
                candidates.add(test.withInput(name, tensor.contiguous()));
              }
            });
    return candidates;
  }

  private static <T> List<T> without(List<T> list, int index) {
    return IntStream.range(0, list.size()).filter(i -> i != index).mapToObj(list::get).toList();
  }

  private static <T> List<T> replaced(List<T> list, int index, T element) {
    List<T> changed = new ArrayList<>(list);
    changed.set(index, element);
    return changed;
  }

  /** The expression with one part of it replaced by an argument of that part, larger cuts first. */
  private static List<Expr> simplified(Expr expr) {
    List<Expr> results = new ArrayList<>(arguments(expr));
    List<Expr> arguments = arguments(expr);
    for (int i = 0; i < arguments.size(); i++) {
      for (Expr simpler : simplified(arguments.get(i))) {
        results.add(withArguments(expr, replaced(arguments, i, simpler)));
      }
    }
    return results;
  }

  private static List<Expr> arguments(Expr expr) {
    return switch (expr) {
      case Expr.Input _, Expr.Literal _ -> List.of();
      case Expr.Call call -> call.arguments();
      case Expr.Foreign foreign -> foreign.arguments();
      case Expr.Cast cast -> List.of(cast.argument());
      case Expr.Reduce reduce -> List.of(reduce.argument());
      case Expr.MatMul(Expr left, Expr right, _) -> List.of(left, right);
      case Expr.Pick(_, Expr source, Expr index, _) -> List.of(source, index);
      case Expr.Attention _ -> throw new IllegalArgumentException("not generated: " + expr);
      case Expr.ArrayCall call -> call.arguments();
    };
  }

  private static Expr withArguments(Expr expr, List<Expr> arguments) {
    return switch (expr) {
      case Expr.Input _, Expr.Literal _ -> expr;
      case Expr.Call call -> new Expr.Call(call.function(), arguments);
      case Expr.Foreign foreign -> new Expr.Foreign(foreign.function(), arguments);
      case Expr.Cast cast -> new Expr.Cast(cast.type(), arguments.getFirst());
      case Expr.Attention _ -> throw new IllegalArgumentException("not generated: " + expr);
      case Expr.ArrayCall(var function, _, var numbers) ->
          new Expr.ArrayCall(function, arguments, numbers);
      case Expr.Pick(var picker, _, _, int axis) ->
          new Expr.Pick(picker, arguments.getFirst(), arguments.getLast(), axis);
      case Expr.MatMul product ->
          new Expr.MatMul(arguments.getFirst(), arguments.getLast(), product.transposed());
      case Expr.Reduce(var reducer, _, var axes, var keepdim, var parameter) ->
          new Expr.Reduce(reducer, arguments.getFirst(), axes, keepdim, parameter);
    };
  }
}

package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Writes expressions in the language that {@link ExpressionParser} reads. Subexpressions that are
 * shared or deep become statements ({@code t0 = a * b; t0 + c}), so that the text is linear in the
 * size of the graph and reads back to an equal expression.
 */
final class ExprPrinter {

  /** Nesting of a text without a statement in between; bounds the recursion of {@link #text}. */
  private static final int MAX_HEIGHT = 40;

  /** Nesting shown in messages. */
  private static final int BRIEF_HEIGHT = 4;

  private static final int ATOM = 10;
  private static final int UNARY = 8;
  private static final int POWER = 9;
  private static final int COMPARISON = 1;

  /** Names of the nodes that are written as statements. */
  private final Map<Expr, String> names = new IdentityHashMap<>();

  private ExprPrinter() {}

  /** All of the expressions, separated by commas. */
  static String print(List<Expr> outputs) {
    return new ExprPrinter().program(outputs);
  }

  /** The top of an expression, for messages: {@code relu(a * ...)}. */
  static String brief(Expr expr) {
    return new ExprPrinter().text(expr, BRIEF_HEIGHT);
  }

  private String program(List<Expr> outputs) {
    List<Expr> order = ExprGraph.postOrder(outputs);
    Map<Expr, Integer> uses = new IdentityHashMap<>();
    for (Expr node : order) {
      ExprGraph.arguments(node).forEach(argument -> uses.merge(argument, 1, Integer::sum));
    }
    Set<String> taken = new HashSet<>(Expr.inputNames(outputs));
    Map<Expr, Integer> heights = new IdentityHashMap<>();
    StringBuilder text = new StringBuilder();
    for (Expr node : order) {
      List<Expr> arguments = ExprGraph.arguments(node);
      int height = 1 + arguments.stream().mapToInt(heights::get).max().orElse(-1);
      boolean shared = uses.getOrDefault(node, 0) > 1 && !arguments.isEmpty();
      if (shared || height > MAX_HEIGHT) {
        String statement = text(node, Integer.MAX_VALUE);
        String name = freshName(taken);
        text.append(name).append(" = ").append(statement).append("; ");
        names.put(node, name);
        height = 0;
      }
      heights.put(node, height);
    }
    return text
        + outputs.stream()
            .map(output -> text(output, Integer.MAX_VALUE))
            .collect(Collectors.joining(", "));
  }

  private String freshName(Set<String> taken) {
    int number = names.size();
    while (!taken.add("t" + number)) {
      number++;
    }
    return "t" + number;
  }

  private String text(Expr expr, int height) {
    String name = names.get(expr);
    if (name != null) {
      return name;
    }
    if (height == 0 && !ExprGraph.arguments(expr).isEmpty()) {
      return "...";
    }
    return switch (expr) {
      case Expr.Input(String inputName) -> inputName;
      case Expr.Literal literal -> literal.toString();
      case Expr.Cast(var type, var argument) ->
          "cast(%s, %s)".formatted(text(argument, height - 1), TypeNames.shortName(type));
      case Expr.Reduce reduce -> reduction(reduce, height);
      case Expr.MatMul product ->
          function(product.functionName(), ExprGraph.arguments(product), height);
      case Expr.Pick pick -> pick(pick, height);
      case Expr.Attention attention -> attention(attention, height);
      case Expr.ArrayCall call -> array(call, height);
      case Expr.Call call -> call(call, height);
      case Expr.Foreign foreign -> function(foreign.function().name(), foreign.arguments(), height);
    };
  }

  private String reduction(Expr.Reduce reduce, int height) {
    StringBuilder text = new StringBuilder(reduce.reducer().functionName()).append('(');
    text.append(text(reduce.argument(), height - 1));
    if (reduce.parameter() != reduce.reducer().defaultParameter()) {
      text.append(reduce.reducer() == Reducer.NORM ? ", ord=" : ", correction=");
      text.append(Scalars.text(DType.F64, Scalars.bits(reduce.parameter())));
    }
    if (!reduce.axes().isEmpty()) {
      text.append(", axis=")
          .append(reduce.axes().size() == 1 ? reduce.axes().getFirst() : reduce.axes());
    }
    return text.append(reduce.keepdim() ? ", keepdim=true)" : ")").toString();
  }

  private String attention(Expr.Attention attention, int height) {
    String call = function(ProductFunction.ATTENTION.functionName(), attention.arguments(), height);
    StringBuilder text = new StringBuilder(call.substring(0, call.length() - 1));
    if (attention.causal()) {
      text.append(", causal=true");
    }
    attention
        .scale()
        .ifPresent(
            scale -> text.append(", scale=").append(Scalars.text(DType.F64, Scalars.bits(scale))));
    return text.append(')').toString();
  }

  private String pick(Expr.Pick pick, int height) {
    String name = pick.picker().functionName();
    String source = text(pick.source(), height - 1);
    String index = text(pick.index(), height - 1);
    return pick.picker() == Picker.EMBEDDING
        ? "%s(%s, %s)".formatted(name, index, source)
        : String.format(Locale.ROOT, "%s(%s, %s, axis=%d)", name, source, index, pick.axis());
  }

  private String array(Expr.ArrayCall call, int height) {
    Iterator<Expr> arguments = call.arguments().iterator();
    Iterator<List<Long>> numbers = call.numbers().iterator();
    List<String> texts = new ArrayList<>();
    for (Parameter parameter : call.function().parameters()) {
      if (!ArrayFunction.isNumber(parameter)) {
        texts.add(text(arguments.next(), height - 1));
        continue;
      }
      List<Long> number = numbers.next();
      if (parameter.name().equals("accumulate")) {
        texts.add(number.getFirst() == 0 ? "false" : "true");
      } else if (ArrayFunction.isList(parameter)) {
        texts.add(number.toString());
      } else if (!number.isEmpty()) {
        texts.add(number.getFirst().toString());
      }
    }
    return call.function().functionName() + "(" + String.join(", ", texts) + ")";
  }

  private String call(Expr.Call call, int height) {
    List<Expr> arguments = call.arguments();
    if (call.function().operator().isEmpty() || isNegatedLiteral(call)) {
      return function(call.function().functionName(), arguments, height);
    }
    Function.Operator operator = call.function().operator().get();
    int precedence = operator.precedence();
    if (operator.isPrefix()) {
      return operator.symbol() + operand(arguments.getFirst(), precedence, height);
    }
    int left = precedence + (precedence == POWER || precedence == COMPARISON ? 1 : 0);
    int right = precedence == POWER ? UNARY : precedence + 1;
    return "%s %s %s"
        .formatted(
            operand(arguments.get(0), left, height),
            operator.symbol(),
            operand(arguments.get(1), right, height));
  }

  private String function(String name, List<Expr> arguments, int height) {
    return arguments.stream()
        .map(argument -> text(argument, height - 1))
        .collect(Collectors.joining(", ", name + "(", ")"));
  }

  /** A minus sign before a number reads as a negative literal; only the call form negates it. */
  private static boolean isNegatedLiteral(Expr.Call call) {
    return call.function() == Function.NEG && call.arguments().getFirst() instanceof Expr.Literal;
  }

  private String operand(Expr expr, int lowest, int height) {
    String text = text(expr, height - 1);
    return names.containsKey(expr) || precedence(expr) >= lowest ? text : "(" + text + ")";
  }

  private static int precedence(Expr expr) {
    return switch (expr) {
      case Expr.Call call when !isNegatedLiteral(call) ->
          call.function().operator().map(Function.Operator::precedence).orElse(ATOM);
      case Expr.Literal literal when literal.toString().startsWith("-") -> UNARY;
      case Expr.Input _,
          Expr.Literal _,
          Expr.Cast _,
          Expr.Reduce _,
          Expr.MatMul _,
          Expr.Pick _,
          Expr.Attention _,
          Expr.ArrayCall _,
          Expr.Foreign _,
          Expr.Call _ ->
          ATOM;
    };
  }
}

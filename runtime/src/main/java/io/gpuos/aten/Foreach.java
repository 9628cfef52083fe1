package io.gpuos.aten;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Operators over lists of tensors: for each position of the lists the operator over single tensors,
 * one after the other.
 */
final class Foreach {

  /** How an argument of the single operator follows from one of the lists' operator. */
  private enum Share {
    /** The element at the position of the list of that name. */
    EACH,
    /** The same argument every time. */
    SAME
  }

  private record Argument(String name, String from, Share share) {}

  private static final List<String> UNARY =
      List.of(
          "abs",
          "acos",
          "asin",
          "atan",
          "ceil",
          "cos",
          "cosh",
          "erf",
          "erfc",
          "exp",
          "expm1",
          "floor",
          "frac",
          "lgamma",
          "log",
          "log10",
          "log1p",
          "log2",
          "neg",
          "reciprocal",
          "round",
          "rsqrt",
          "sigmoid",
          "sign",
          "sin",
          "sinh",
          "sqrt",
          "tan",
          "tanh",
          "trunc",
          "zero");

  private Foreach() {}

  static void add(TableBuilder table) {
    table.family("Lists of tensors");
    for (String name : UNARY) {
      entry(table, "_foreach_" + name, name);
    }
    for (String name : List.of("add", "sub", "mul", "div")) {
      boolean scaled = name.equals("add") || name.equals("sub");
      Argument alpha = same("alpha", "alpha");
      Argument[] lists =
          scaled ? new Argument[] {each("other"), alpha} : new Argument[] {each("other")};
      entry(table, "_foreach_" + name + ".List", name + ".Tensor", lists);
      numbers(table, name, name + ".Scalar", "other");
    }
    entry(table, "_foreach_add.Tensor", "add.Tensor", same("other"), same("alpha"));
    entry(table, "_foreach_mul.Tensor", "mul.Tensor", same("other"));
    entry(table, "_foreach_div.Tensor", "div.Tensor", same("other"));
    for (String name : List.of("maximum", "minimum")) {
      String bound = name.equals("maximum") ? "min" : "max";
      String single = "clamp_" + bound;
      entry(table, "_foreach_" + name + ".List", name, each("other"));
      numbers(table, name, single, bound);
      numbers(table, single, single, bound);
      entry(table, "_foreach_" + single + ".List", single + ".Tensor", each(bound, "other"));
    }
    for (String name : List.of("addcmul", "addcdiv")) {
      Argument[] pair = {each("tensor1"), each("tensor2")};
      entry(table, "_foreach_" + name + ".Scalar", name, pair[0], pair[1], same("value"));
      entry(
          table,
          "_foreach_" + name + ".ScalarList",
          name,
          pair[0],
          pair[1],
          each("value", "scalars"));
    }
    Argument end = each("end", "tensors1");
    entry(table, "_foreach_lerp.List", "lerp.Tensor", end, each("weight", "weights"));
    entry(table, "_foreach_lerp.Scalar", "lerp.Scalar", end, same("weight"));
    entry(table, "_foreach_lerp.ScalarList", "lerp.Scalar", end, each("weight"));
    entry(table, "_foreach_pow.List", "pow.Tensor_Tensor", each("exponent"));
    entry(table, "_foreach_pow.Scalar", "pow.Tensor_Scalar", same("exponent"));
    entry(table, "_foreach_pow.ScalarList", "pow.Tensor_Scalar", each("exponent"));
    entry(table, "_foreach_copy", "copy", each("src"));
    table.single(
        "_foreach_norm.Scalar",
        "linalg_vector_norm of each",
        call -> each(call, "linalg_vector_norm", same("ord"), same("dtype")));
  }

  /** The overloads with one number, and with one for each tensor. */
  private static void numbers(TableBuilder table, String name, String single, String argument) {
    entry(table, "_foreach_" + name + ".Scalar", single, same(argument, "scalar"));
    entry(table, "_foreach_" + name + ".ScalarList", single, each(argument, "scalars"));
  }

  private static void entry(TableBuilder table, String name, String single, Argument... arguments) {
    String out = name.endsWith(".Tensor") ? "Tensor_out" : null;
    AtenTable.Lowerer lowerer = call -> each(call, single, arguments);
    if (out == null) {
      table.pointwise(name, single + " of each", lowerer);
    } else {
      table.pointwise(name, out, single + " of each", lowerer);
    }
  }

  private static Argument each(String name) {
    return each(name, name);
  }

  private static Argument each(String name, String from) {
    return new Argument(name, from, Share.EACH);
  }

  private static Argument same(String name) {
    return same(name, name);
  }

  private static Argument same(String name, String from) {
    return new Argument(name, from, Share.SAME);
  }

  private static void each(Lowering call, String single, Argument... arguments) {
    List<AtenValue> self = call.items("self");
    for (Argument argument : arguments) {
      call.ignore(argument.from());
    }
    for (int k = 0; k < self.size(); k++) {
      SequencedMap<String, AtenValue> given = new LinkedHashMap<>();
      given.put("self", self.get(k));
      for (Argument argument : arguments) {
        value(call.call().arguments(), argument, k)
            .ifPresent(value -> given.put(argument.name(), value));
      }
      call.leave(k);
      List<AtenValue> results = List.of(target(call, self, k));
      call.append(
          AtenTable.lower(
              single,
              new AtenCall(call.call().index(), single, given, results),
              call.nextScratch()));
    }
  }

  /** In place the lists' operator has no results: each is its own. */
  private static AtenValue target(Lowering call, List<AtenValue> self, int index) {
    if (call.form() == Lowering.Form.IN_PLACE) {
      return self.get(index);
    }
    List<AtenValue> results = call.call().results();
    return index < results.size() ? results.get(index) : new AtenValue.None();
  }

  private static Optional<AtenValue> value(
      Map<String, AtenValue> given, Argument argument, int index) {
    AtenValue value = given.get(argument.from());
    if (value == null || argument.share() == Share.SAME) {
      return Optional.ofNullable(value);
    }
    if (value instanceof AtenValue.Items(List<AtenValue> values) && index < values.size()) {
      return Optional.of(values.get(index));
    }
    throw new Refused("argument " + argument.from() + " is shorter than self");
  }
}

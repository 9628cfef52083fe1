package io.gpuos.aten;

import static io.gpuos.aten.Exprs.call;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BinaryOperator;

/** Operators of two tensors, or a tensor and a number, element by element. */
final class Binary {

  private static final List<String> KINDS = List.of("Tensor", "Scalar");

  private Binary() {}

  static void add(TableBuilder table) {
    table.family("Two tensors, or a tensor and a number");
    for (String kind : KINDS) {
      table.pointwise("add." + kind, "self + alpha * other", call -> sum(call, Function.ADD));
      table.pointwise("sub." + kind, "self - alpha * other", call -> sum(call, Function.SUB));
      table.add(
          "rsub." + kind, null, kind + "_out", "other - alpha * self", Binary::reversedDifference);
      table.pointwise("mul." + kind, "self * other", call -> common(call, Expr::mul));
      table.pointwise("div." + kind, "self / other", call -> floating(call, Expr::div));
      String mode = kind.equals("Tensor") ? "" : "Scalar_";
      table.pointwise(
          "div." + kind + "_mode",
          kind.equals("Tensor") ? "out_mode" : mode + "mode_out",
          "self / other, rounded as rounding_mode says",
          Binary::rounded);
      table.pointwise(
          "remainder." + kind,
          kind + "_out",
          "self % other",
          call -> remainder(call, Function.REMAINDER));
      table.pointwise(
          "fmod." + kind,
          kind + "_out",
          "fmod(self, other)",
          call -> remainder(call, Function.FMOD));
    }
    table.add(
        "floor_divide", "floor_divide_.Tensor", "out", "floor(self / other)", Binary::floorDivide);
    table.pointwise("floor_divide.Scalar", "floor(self / other)", Binary::floorDivide);
    table.plain(
        "remainder.Scalar_Tensor", "self % other", call -> remainder(call, Function.REMAINDER));
    addExtremes(table);
    addPowers(table);
    addComparisons(table);
    addBits(table);
  }

  private static void addExtremes(TableBuilder table) {
    for (Function function : List.of(Function.MAXIMUM, Function.MINIMUM)) {
      String name = function.functionName();
      table.plain(
          name, name + "(self, other)", call -> common(call, (a, b) -> call(function, a, b)));
    }
    table.pointwise(
        "atan2",
        "atan2(self, other)",
        call -> floating(call, (a, b) -> call(Function.ATAN2, a, b)));
    table.pointwise(
        "hypot", "hypot(self, other)", call -> common(call, (a, b) -> call(Function.HYPOT, a, b)));
  }

  /** Both in their common type, which is the result's. */
  static void common(Lowering call, BinaryOperator<Expr> function) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    map(call, a, b, Operand.common(a, b), function);
  }

  /** Both in their common type, integers in float32. */
  private static void floating(Lowering call, BinaryOperator<Expr> function) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    map(call, a, b, Operand.floating(a, b), function);
  }

  private static void map(
      Lowering call, Operand a, Operand b, DType type, BinaryOperator<Expr> function) {
    call.write(0, function.apply(a.in(type), b.in(type)).to(type));
  }

  /** PyTorch rounds a number to the type of the tensor first, here alone. */
  private static void remainder(Lowering call, Function function) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.common(a, b);
    call.write(0, call(function, a.rounded(type), b.rounded(type)).to(type));
  }

  private static void sum(Lowering call, Function function) {
    common(
        call,
        (a, b) -> call(function, a, call.factor("alpha").map(alpha -> alpha.mul(b)).orElse(b)));
  }

  private static void reversedDifference(Lowering call) {
    common(call, (a, b) -> b.sub(call.factor("alpha").map(alpha -> alpha.mul(a)).orElse(a)));
  }

  private static void rounded(Lowering call) {
    String mode = call.text("rounding_mode", "");
    switch (mode) {
      case "" -> floating(call, Expr::div);
      case "floor" -> floorDivide(call);
      case "trunc" -> truncated(call);
      default -> throw new Refused("rounding_mode=" + mode + " is not known");
    }
  }

  private static void floorDivide(Lowering call) {
    common(call, (a, b) -> call(Function.FLOOR_DIVIDE, a, b));
  }

  /** Of integers: what is left after the remainder of the same sign is a multiple of other. */
  private static void truncated(Lowering call) {
    boolean floats = Operand.common(call.operand("self"), call.operand("other")).isFloating();
    common(
        call,
        (a, b) ->
            floats
                ? call(Function.TRUNC, a.div(b))
                : call(Function.FLOOR_DIVIDE, a.sub(call(Function.FMOD, a, b)), b));
  }

  private static void addPowers(TableBuilder table) {
    table.add(
        "pow.Tensor_Tensor", "pow_.Tensor", "Tensor_Tensor_out", "self ** exponent", Binary::power);
    table.add(
        "pow.Tensor_Scalar",
        "pow_.Scalar",
        "Tensor_Scalar_out",
        "self ** exponent; products and roots for small exponents",
        Binary::powerOfNumber);
    table.plain("pow.Scalar", "self ** exponent", Binary::power);
  }

  private static void power(Lowering call) {
    Operand base = call.operand("self");
    Operand exponent = call.operand("exponent");
    map(call, base, exponent, Operand.common(base, exponent), Expr::pow);
  }

  private static void powerOfNumber(Lowering call) {
    Operand base = call.operand("self");
    Operand exponent = call.number("exponent");
    DType type = Operand.common(base, exponent);
    double number = call.real("exponent");
    map(call, base, exponent, type, (x, e) -> type.isFloating() ? power(x, number) : x.pow(e));
  }

  /** As PyTorch computes a floating tensor to a power that is a number. */
  private static Expr power(Expr x, double exponent) {
    if (exponent == 0.5) {
      return Exprs.sqrt(x);
    }
    if (exponent == 1) {
      return x;
    }
    if (exponent == 2) {
      return x.mul(x);
    }
    if (exponent == 3) {
      return x.mul(x).mul(x);
    }
    if (exponent == -1) {
      return Exprs.ONE.div(x);
    }
    if (exponent == -2) {
      return Exprs.ONE.div(x.mul(x));
    }
    return x.pow(Expr.of(exponent));
  }

  private static void addComparisons(TableBuilder table) {
    for (Function function :
        List.of(Function.EQ, Function.NE, Function.LT, Function.LE, Function.GT, Function.GE)) {
      String name = function.functionName();
      for (String kind : KINDS) {
        String overload = name + "." + kind;
        String symbol = function.operator().orElseThrow().symbol();
        table.pointwise(
            overload,
            kind + "_out",
            "self " + symbol + " other, bool",
            call -> compare(call, function));
      }
    }
    for (Function function :
        List.of(Function.LOGICAL_AND, Function.LOGICAL_OR, Function.LOGICAL_XOR)) {
      String name = function.functionName();
      table.pointwise(
          name,
          name + "(self, other), bool",
          call ->
              call.write(
                  0, call(function, call.operand("self").value(), call.operand("other").value())));
    }
  }

  private static void compare(Lowering call, Function function) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.common(a, b);
    call.write(0, call(function, a.as(type), b.as(type)));
  }

  private static void addBits(TableBuilder table) {
    Map<String, Function> bits =
        new TreeMap<>(
            Map.of(
                "bitwise_and", Function.BITWISE_AND,
                "bitwise_or", Function.BITWISE_OR,
                "bitwise_xor", Function.BITWISE_XOR,
                "bitwise_left_shift", Function.SHIFT_LEFT,
                "bitwise_right_shift", Function.SHIFT_RIGHT));
    bits.forEach(
        (name, function) -> {
          boolean shift = name.endsWith("shift");
          table.pointwise(
              name + ".Tensor",
              "Tensor_out",
              name + "(self, other)",
              call -> common(call, (a, b) -> call(function, a, b)));
          table.pointwise(
              name + (shift ? ".Tensor_Scalar" : ".Scalar"),
              shift ? "Tensor_Scalar_out" : "Scalar_out",
              name + "(self, other)",
              call -> common(call, (a, b) -> call(function, a, b)));
        });
  }
}

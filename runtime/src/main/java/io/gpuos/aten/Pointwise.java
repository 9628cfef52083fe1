package io.gpuos.aten;

import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;

/** Operators of one tensor, element by element. */
final class Pointwise {

  /** Functions of the same name there and here that turn integers into float32. */
  private static final List<Function> FLOATING =
      List.of(
          Function.EXP,
          Function.EXP2,
          Function.EXPM1,
          Function.LOG,
          Function.LOG2,
          Function.LOG10,
          Function.LOG1P,
          Function.SQRT,
          Function.RSQRT,
          Function.RECIPROCAL,
          Function.SIN,
          Function.COS,
          Function.TAN,
          Function.ASIN,
          Function.ACOS,
          Function.ATAN,
          Function.SINH,
          Function.COSH,
          Function.TANH,
          Function.ASINH,
          Function.ACOSH,
          Function.ATANH,
          Function.ERF,
          Function.ERFC,
          Function.LGAMMA,
          Function.SIGMOID);

  /** Functions of the same name there and here that keep the type. */
  private static final List<Function> SAME =
      List.of(
          Function.NEG,
          Function.ABS,
          Function.FLOOR,
          Function.CEIL,
          Function.TRUNC,
          Function.BITWISE_NOT,
          Function.RELU,
          Function.SILU,
          Function.MISH,
          Function.HARDSIGMOID,
          Function.HARDSWISH);

  private Pointwise() {}

  static void add(TableBuilder table) {
    table.family("One tensor");
    for (Function function : FLOATING) {
      String name = function.functionName();
      table.pointwise(name, name + "(self)", call -> floating(call, x -> call(function, x)));
    }
    for (Function function : SAME) {
      String name = function.functionName();
      table.pointwise(name, name + "(self)", call -> same(call, x -> call(function, x)));
    }
    addRounding(table);
    addTests(table);
    addActivations(table);
  }

  /** Integers are computed, and returned, in float32. */
  static void floating(Lowering call, UnaryOperator<Expr> function) {
    Operand x = call.operand("self");
    map(call, x, Operand.floating(x), function);
  }

  /** The result has the type of {@code self}. */
  static void same(Lowering call, UnaryOperator<Expr> function) {
    Operand x = call.operand("self");
    map(call, x, x.dtype(), function);
  }

  private static void map(Lowering call, Operand x, DType type, UnaryOperator<Expr> function) {
    call.write(0, function.apply(x.in(type)).to(type));
  }

  private static void addRounding(TableBuilder table) {
    table.pointwise("round", "round(self)", call -> same(call, x -> call(Function.ROUND, x)));
    table.pointwise("round.decimals", "self rounded to decimals", Pointwise::roundTo);
    table.pointwise(
        "frac", "self - trunc(self)", call -> same(call, x -> x.sub(call(Function.TRUNC, x))));
    BiFunction<Expr, Operand, Expr> sign =
        (x, operand) ->
            operand.dtype().isFloating()
                ? where(call(Function.NE, x, x), Exprs.ZERO, call(Function.SIGN, x))
                : call(Function.SIGN, x);
    for (String name : List.of("sign", "sgn")) {
      table.pointwise(
          name,
          "sign(self), 0 for nan",
          call -> same(call, x -> sign.apply(x, call.operand("self"))));
    }
    table.pointwise("nan_to_num", "numbers in place of nan and inf", Pointwise::nanToNumber);
  }

  private static void roundTo(Lowering call) {
    long decimals = call.integer("decimals", 0);
    if (decimals == 0) {
      same(call, x -> call(Function.ROUND, x));
      return;
    }
    Operand x = call.operand("self");
    if (!x.dtype().isFloating()) {
      throw new Refused("integers are not rounded to decimals");
    }
    Expr power = Expr.of(Math.pow(10, Math.abs(decimals)));
    same(
        call,
        value ->
            decimals > 0
                ? call(Function.ROUND, value.mul(power)).div(power)
                : call(Function.ROUND, value.div(power)).mul(power));
  }

  private static void nanToNumber(Lowering call) {
    Operand x = call.operand("self");
    double nan = call.real("nan", 0);
    double high = call.real("posinf", largest(x.dtype()));
    double low = call.real("neginf", -largest(x.dtype()));
    same(
        call,
        value ->
            x.dtype().isFloating()
                ? where(
                    call(Function.NE, value, value),
                    Expr.of(nan),
                    where(
                        Exprs.equal(value, Expr.of(Double.POSITIVE_INFINITY)),
                        Expr.of(high),
                        where(
                            Exprs.equal(value, Expr.of(Double.NEGATIVE_INFINITY)),
                            Expr.of(low),
                            value)))
                : value);
  }

  private static double largest(DType dtype) {
    return switch (dtype) {
      case F64 -> Double.MAX_VALUE;
      case BF16 -> 0x1.fep127;
      case F16 -> 65504;
      default -> Float.MAX_VALUE;
    };
  }

  private static void addTests(TableBuilder table) {
    Map<String, Function> tests =
        Map.of("isnan", Function.ISNAN, "isinf", Function.ISINF, "isfinite", Function.ISFINITE);
    tests.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(
            test ->
                table.add(
                    test.getKey(),
                    null,
                    test.getKey().equals("isfinite") ? null : "out",
                    test.getKey() + "(self), bool",
                    call -> call.write(0, call(test.getValue(), call.operand("self").value()))));
    table.pointwise(
        "logical_not",
        "self == 0, bool",
        call -> call.write(0, call(Function.LOGICAL_NOT, call.operand("self").value())));
  }

  private static void addActivations(TableBuilder table) {
    table.pointwise(
        "gelu",
        "gelu or gelu_tanh, by approximate",
        call -> {
          Function gelu = tanhApproximation(call) ? Function.GELU_TANH : Function.GELU;
          same(call, x -> call(gelu, x));
        });
    table.pointwise(
        "leaky_relu",
        "self if self > 0 else negative_slope * self",
        call -> scaled(call, "negative_slope"));
    table.pointwise("elu", "elu, with scale and input_scale", Pointwise::elu);
    table.add("selu", "selu_", null, "selu(self)", call -> same(call, x -> call(Function.SELU, x)));
    table.pointwise(
        "celu",
        "self if self > 0 else alpha * expm1(self / alpha)",
        call -> {
          Expr alpha = Expr.of(call.real("alpha", 1));
          same(call, x -> call(Function.CELU, x, alpha));
        });
    table.plain(
        "softplus",
        "log1p(exp(beta * self)) / beta; self where beta * self > threshold",
        call -> {
          Expr beta = Expr.of(call.real("beta", 1));
          Expr threshold = Expr.of(call.real("threshold", 20));
          same(call, x -> call(Function.SOFTPLUS, x, beta, threshold));
        });
    table.pointwise(
        "hardtanh",
        "clamp(self, min_val, max_val)",
        call -> {
          Expr min = call.number("min_val").value();
          Expr max = call.number("max_val").value();
          same(call, x -> call(Function.CLAMP, x, min, max));
        });
    table.pointwise(
        "relu6",
        null,
        "clamp(self, 0, 6)",
        call -> same(call, x -> call(Function.CLAMP, x, Exprs.ZERO, Expr.of(6))));
    table.pointwise(
        "threshold",
        "value where self <= threshold, else self",
        call -> {
          Expr threshold = call.number("threshold").value();
          Expr value = call.number("value").value();
          same(call, x -> where(Exprs.atMost(x, threshold), value, x));
        });
    table.plain(
        "log_sigmoid_forward",
        "output",
        "log(sigmoid(self)), and its buffer",
        Pointwise::logSigmoid);
    table.single("log_sigmoid", "log(sigmoid(self))", call -> same(call, Pointwise::logSigmoidOf));
  }

  /** Whether {@code approximate} asks for the approximation by tanh. */
  static boolean tanhApproximation(Lowering call) {
    String approximate = call.text("approximate", "none");
    return switch (approximate.toLowerCase(Locale.ROOT)) {
      case "none" -> false;
      case "tanh" -> true;
      default -> throw new Refused("approximate=" + approximate + " is not known");
    };
  }

  private static void scaled(Lowering call, String slope) {
    Expr factor = Expr.of(call.real(slope, 0.01));
    same(call, x -> where(Exprs.greater(x, Exprs.ZERO), x, x.mul(factor)));
  }

  private static void elu(Lowering call) {
    double alpha = call.real("alpha", 1);
    double scale = call.real("scale", 1);
    double inputScale = call.real("input_scale", 1);
    same(
        call,
        x ->
            where(
                Exprs.atMost(x, Exprs.ZERO),
                call(Function.EXPM1, x.mul(Expr.of(inputScale))).mul(Expr.of(alpha * scale)),
                x.mul(Expr.of(scale))));
  }

  private static Expr logSigmoidOf(Expr x) {
    return call(Function.MINIMUM, x, Exprs.ZERO)
        .sub(call(Function.LOG1P, Exprs.exp(Exprs.abs(x).neg())));
  }

  /** The buffer is empty on CUDA, and exp(-|self|) on a CPU. */
  private static void logSigmoid(Lowering call) {
    same(call, Pointwise::logSigmoidOf);
    call.leave(1);
    call.result(1)
        .filter(buffer -> !buffer.layout().isZeroSize())
        .ifPresent(
            buffer -> {
              Operand x = call.operand("self");
              Expr value = x.in(x.dtype());
              call.write(1, Exprs.exp(Exprs.abs(value).neg()).to(x.dtype()));
            });
  }
}

package io.gpuos.aten;

import static io.gpuos.aten.Exprs.ONE;
import static io.gpuos.aten.Exprs.ZERO;
import static io.gpuos.aten.Exprs.abs;
import static io.gpuos.aten.Exprs.and;
import static io.gpuos.aten.Exprs.atMost;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.equal;
import static io.gpuos.aten.Exprs.exp;
import static io.gpuos.aten.Exprs.greater;
import static io.gpuos.aten.Exprs.less;
import static io.gpuos.aten.Exprs.log;
import static io.gpuos.aten.Exprs.rest;
import static io.gpuos.aten.Exprs.sigmoid;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/** Operators element by element that are written out in simpler ones. */
final class Special {

  private static final Expr NAN = Expr.of(Double.NaN);
  private static final Expr INFINITY = Expr.of(Double.POSITIVE_INFINITY);
  private static final Expr LEAST = Expr.of(Double.NEGATIVE_INFINITY);

  private Special() {}

  static void add(TableBuilder table) {
    table.family("Written out in simpler ones");
    addOfOne(table);
    addOfTwo(table);
    addThresholds(table);
    table.plain("glu", "first half of self along dim * sigmoid of the second", Special::glu);
    table.plain("glu_backward", "grad_input", "gradients of both halves", Special::glu);
    table.single("_prelu_kernel", "self if self > 0 else weight * self", Special::prelu);
    table.single("_prelu_kernel_backward", "gradients of self and weight", Special::preluBackward);
    table.pointwise("renorm", "slices along dim, no longer than maxnorm", Special::renorm);
    table.plain("linalg_cross", "products of vectors along dim", Special::cross);
    table.plain("dist", "norm of self - other", Special::distance);
    for (String kind : List.of("Tensor_Tensor", "Tensor_Scalar", "Scalar_Tensor")) {
      table.plain("isin." + kind, "whether an element is one of test_elements", Special::isIn);
    }
  }

  private static void floating(
      TableBuilder table, String name, String value, UnaryOperator<Expr> function) {
    table.pointwise(name, value, call -> Pointwise.floating(call, function));
  }

  private static Expr scaled(Expr x, double factor) {
    return x.mul(Expr.of(factor));
  }

  private static void addOfOne(TableBuilder table) {
    floating(table, "deg2rad", "self * pi / 180", x -> scaled(x, Math.PI / 180));
    floating(table, "rad2deg", "self * 180 / pi", x -> scaled(x, 180 / Math.PI));
    floating(table, "sinc", "sin(pi self) / (pi self), 1 at 0", Special::sinc);
    floating(table, "special_entr", "-self * log(self)", Special::entropy);
    table.pointwise(
        "logit",
        "log(z / (1 - z)), z = self, at least eps away from 0 and 1",
        call -> {
          boolean clamped = call.has("eps");
          double eps = call.real("eps", 0);
          Pointwise.floating(call, x -> logit(x, clamped ? eps : -1));
        });
    table.plain(
        "logit_backward", "grad_input", "grad_output / (z (1 - z))", Special::logitBackward);
    table.plain(
        "signbit",
        "whether self has a sign, bool",
        call -> {
          Operand x = call.operand("self");
          boolean signed = x.dtype() != DType.BOOL && x.dtype() != DType.U8;
          call.write(
              0,
              signed
                  ? isNegative(x.value(), x.dtype())
                  : equal(x.value(), x.value().add(Expr.of(1L))));
        });
    table.plain("isposinf", "self == inf, bool", call -> isInfinite(call, INFINITY));
    table.plain("isneginf", "self == -inf, bool", call -> isInfinite(call, LEAST));
    table.plain("angle", "pi where self < 0, else 0", Special::angle);
    table.pointwise("conj_physical", "self", call -> Pointwise.same(call, x -> x));
    table.plain("nansum", "sum along dim of what is not nan", Special::sumOfNumbers);
    table.plain("count_nonzero", "how many are not 0", Special::countNonzero);
    table.plain("count_nonzero.dim_IntList", "how many are not 0 along dim", Special::countNonzero);
  }

  private static Expr sinc(Expr x) {
    Expr turned = scaled(x, Math.PI);
    return where(equal(x, ZERO), ONE, call(Function.SIN, turned).div(turned));
  }

  private static Expr entropy(Expr x) {
    Expr inside = where(equal(x, ZERO), ZERO, where(greater(x, ZERO), x.neg().mul(log(x)), LEAST));
    return where(isNan(x), x, inside);
  }

  /**
   * @param eps negative if there is none
   */
  private static Expr logit(Expr x, double eps) {
    Expr z = eps < 0 ? x : call(Function.CLAMP, x, Expr.of(eps), Expr.of(1 - eps));
    return log(z.div(rest(z)));
  }

  private static void logitBackward(Lowering call) {
    Operand grad = call.operand("grad_output");
    Operand x = call.operand("self");
    DType type = Operand.common(grad, x);
    boolean clamped = call.has("eps");
    double eps = call.real("eps", 0);
    Expr value = x.in(type);
    Expr inside = and(call(Function.GE, value, Expr.of(eps)), atMost(value, Expr.of(1 - eps)));
    Expr slope = grad.in(type).div(value.mul(rest(value)));
    call.write(0, where(inside, slope, clamped ? ZERO : NAN).to(type));
  }

  private static Expr isNan(Expr x) {
    return call(Function.ISNAN, x);
  }

  /** Of zeros the reciprocal tells the sign. */
  private static Expr isNegative(Expr x, DType type) {
    if (!type.isFloating()) {
      return less(x, Expr.of(0L));
    }
    Expr value = x.to(Operand.computeType(type));
    Expr ofZero = and(equal(value, ZERO), less(ONE.div(value), ZERO));
    return call(Function.LOGICAL_OR, less(value, ZERO), ofZero);
  }

  private static void isInfinite(Lowering call, Expr infinity) {
    Operand x = call.operand("self");
    if (!x.dtype().isFloating()) {
      throw new Refused("integers are never infinite");
    }
    call.write(0, equal(x.value(), infinity));
  }

  private static void angle(Lowering call) {
    Operand x = call.operand("self");
    DType type = Operand.floating(x);
    Expr value = x.in(type);
    Expr angle = where(less(value, ZERO), Expr.of(Math.PI).to(type), ZERO);
    call.write(0, where(isNan(value), value, angle).to(type));
  }

  private static void sumOfNumbers(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType natural = self.dtype().isFloating() ? self.dtype() : DType.I64;
    DType type = call.type("dtype").orElse(natural);
    Expr x = call.read(self);
    Expr counted = self.dtype().isFloating() ? where(isNan(x), ZERO, x) : x;
    Expr value = counted.to(type).to(Operand.computeType(type));
    List<Integer> axes = Reductions.axes(self.rank(), call.integers("dim"));
    call.write(0, Exprs.fold(Reducer.SUM, value, axes, call.flag("keepdim")).to(type));
  }

  private static void countNonzero(Lowering call) {
    AtenTensor self = call.tensor("self");
    List<Integer> axes = Reductions.axes(self.rank(), call.integers("dim"));
    Expr counts = call.read(self).to(DType.BOOL).to(DType.I64);
    call.write(0, Exprs.fold(Reducer.SUM, counts, axes, false));
  }

  // ---- two
  // ------------------------------------------------------------------------------------------

  private static void addOfTwo(TableBuilder table) {
    common(table, "fmax", "maximum of what is not nan", (a, b) -> ignoring(Function.MAXIMUM, a, b));
    common(table, "fmin", "minimum of what is not nan", (a, b) -> ignoring(Function.MINIMUM, a, b));
    common(
        table,
        "logaddexp",
        "log(exp(self) + exp(other))",
        (a, b) -> sumOfPowers(a, b, d -> call(Function.LOG1P, exp(d))));
    common(
        table,
        "logaddexp2",
        "log2(2^self + 2^other)",
        (a, b) ->
            sumOfPowers(
                a, b, d -> scaled(call(Function.LOG1P, call(Function.EXP2, d)), 1 / Math.log(2))));
    for (String kind : List.of("Tensor", "Scalar")) {
      table.pointwise(
          "copysign." + kind,
          kind.equals("Tensor") ? "out" : "Scalar_out",
          "|self| with the sign of other",
          Special::copySign);
    }
    for (String kind : List.of("Tensor", "Scalar_Other", "Scalar_Self")) {
      table.pointwise(
          "xlogy." + kind,
          kind.equals("Tensor") ? "OutTensor" : "OutScalar_" + kind.substring(7),
          "self * log(other), 0 where self is 0",
          call -> times(call, Exprs::log));
      String overload =
          kind.equals("Tensor")
              ? ""
              : kind.equals("Scalar_Other") ? ".other_scalar" : ".self_scalar";
      table.plain(
          "special_xlog1py" + overload,
          overload.isEmpty() ? "out" : overload.substring(1) + "_out",
          "self * log(1 + other), 0 where self is 0",
          call -> times(call, x -> call(Function.LOG1P, x)));
    }
    table.pointwise(
        "heaviside",
        "0 where self < 0, values where it is 0, else 1",
        call -> {
          Operand x = call.operand("self");
          Operand values = call.operand("values");
          DType type = Operand.common(x, values);
          Expr step = greater(x.as(type), Expr.of(0L)).to(type);
          call.write(0, where(equal(x.as(type), Expr.of(0L)), values.as(type), step).to(type));
        });
    table.add(
        "ldexp.Tensor",
        "ldexp_",
        "out",
        "self * 2^other",
        call -> {
          Operand x = call.operand("self");
          Operand exponent = call.operand("other");
          DType power = Operand.floating(exponent);
          DType type = Operand.floating(x, new Operand(exponent.value(), power, exponent.weight()));
          Expr factor = Exprs.rounded(call(Function.EXP2, exponent.in(power)), power);
          call.write(0, x.in(type).mul(factor.to(Operand.computeType(type))).to(type));
        });
  }

  private static void common(
      TableBuilder table, String name, String value, BinaryOperator<Expr> function) {
    table.plain(name, value, call -> Binary.common(call, function));
  }

  private static Expr ignoring(Function function, Expr a, Expr b) {
    return where(isNan(a), b, where(isNan(b), a, call(function, a, b)));
  }

  /** The larger one, and what the difference adds; equal infinities have none. */
  private static Expr sumOfPowers(Expr a, Expr b, UnaryOperator<Expr> more) {
    Expr alike = and(equal(a, b), call(Function.ISINF, a));
    Expr sum = call(Function.MAXIMUM, a, b).add(more.apply(abs(a.sub(b)).neg()));
    return where(alike, a, sum);
  }

  private static void copySign(Lowering call) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.floating(a, b);
    Expr size = abs(a.in(type));
    Expr sign =
        b.weight() == Operand.Weight.NUMBER
            ? less(Expr.of(Math.copySign(1, call.real("other"))), ZERO)
            : isNegative(b.value(), b.dtype());
    call.write(0, where(sign, size.neg(), size).to(type));
  }

  private static void times(Lowering call, UnaryOperator<Expr> logarithm) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.floating(a, b);
    Expr x = a.in(type);
    Expr y = b.in(type);
    Expr product = where(equal(x, ZERO), ZERO, x.mul(logarithm.apply(y)));
    call.write(0, where(call(Function.NE, y, y), y, product).to(type));
  }

  private static void addThresholds(TableBuilder table) {
    table.plain(
        "hardshrink",
        "0 where |self| <= lambd, else self",
        call -> {
          Expr bound = call.number("lambd").value();
          Pointwise.same(call, x -> where(within(x, bound), ZERO, x));
        });
    table.plain(
        "softshrink",
        "self, lambd closer to 0, or 0",
        call -> {
          Expr bound = call.number("lambd").value();
          Pointwise.same(
              call,
              x ->
                  where(
                      greater(x, bound),
                      x.sub(bound),
                      where(less(x, bound.neg()), x.add(bound), x.mul(ZERO))));
        });
    for (String name : List.of("hardshrink_backward", "softshrink_backward")) {
      String grad = name.startsWith("hard") ? "grad_out" : "grad_output";
      table.plain(
          name,
          "grad_input",
          "0 where |self| <= lambd, else " + grad,
          call -> {
            Expr bound = call.number("lambd").value();
            Operand g = call.operand(grad);
            Operand x = call.operand("self");
            DType type = Operand.common(g, x);
            call.write(0, where(within(x.in(type), bound), ZERO, g.in(type)).to(type));
          });
    }
  }

  private static Expr within(Expr x, Expr bound) {
    return and(call(Function.GE, x, bound.neg()), atMost(x, bound));
  }

  // ---- halves, weights, rows
  // ------------------------------------------------------------------------

  private static void glu(Lowering call) {
    AtenTensor self = call.tensor("self");
    int axis = Views.axis(self, call.integer("dim", -1));
    long half = self.shape()[axis] / 2;
    DType type = self.dtype();
    DType computed = Operand.computeType(type);
    Expr a = call.read(self.narrow(axis, 0, half), computed);
    Expr share = sigmoid(call.read(self.narrow(axis, half, half), computed));
    if (!call.has("grad_output")) {
      call.write(0, a.mul(share).to(type));
      return;
    }
    Expr grad = call.read(call.tensor("grad_output"), computed);
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              call.write(result.narrow(axis, 0, half), grad.mul(share).to(type));
              Expr second = grad.mul(a).mul(share).mul(rest(share));
              call.write(result.narrow(axis, half, half), second.to(type));
            });
  }

  private static void prelu(Lowering call) {
    Operand x = call.operand("self");
    Operand weight = call.operand("weight");
    DType type = Operand.common(x, weight);
    Expr value = x.in(type);
    call.write(0, where(greater(value, ZERO), value, weight.in(type).mul(value)).to(type));
  }

  private static void preluBackward(Lowering call) {
    Operand x = call.operand("self");
    Operand weight = call.operand("weight");
    Operand grad = call.operand("grad_output");
    DType type = Operand.common(x, weight);
    Expr value = x.in(type);
    Expr g = grad.in(type);
    Expr positive = greater(value, ZERO);
    call.write(0, where(positive, g, weight.in(type).mul(g)).to(type));
    call.write(1, where(positive, ZERO, value.mul(g)).to(type));
  }

  private static void renorm(Lowering call) {
    AtenTensor self = call.tensor("self");
    int axis = Views.axis(self, call.integer("dim"));
    DType type = self.dtype();
    List<Integer> others = IntStream.range(0, self.rank()).filter(d -> d != axis).boxed().toList();
    Expr x = call.read(self, Operand.computeType(type));
    Expr norm = new Expr.Reduce(Reducer.NORM, x, others, true, call.real("p"));
    Expr most = Expr.of(call.real("maxnorm"));
    Expr factor = where(greater(norm, most), most.div(norm.add(Expr.of(1e-7))), ONE);
    call.write(0, x.mul(factor).to(type));
  }

  private static void cross(Lowering call) {
    AtenTensor a = call.tensor("self");
    AtenTensor b = call.tensor("other");
    call.leave(0);
    int dim = (int) call.integer("dim", -1);
    call.result(0)
        .ifPresent(
            result -> {
              int axis = Views.axis(result, dim);
              AtenTensor x = a.expand(result.shape());
              AtenTensor y = b.expand(result.shape());
              DType computed = Operand.computeType(result.dtype());
              for (int k = 0; k < 3; k++) {
                int next = (k + 1) % 3;
                int last = (k + 2) % 3;
                Expr plus =
                    call.read(x.select(axis, next), computed)
                        .mul(call.read(y.select(axis, last), computed));
                Expr minus =
                    call.read(x.select(axis, last), computed)
                        .mul(call.read(y.select(axis, next), computed));
                call.write(result.select(axis, k), plus.sub(minus).to(result.dtype()));
              }
            });
  }

  private static void distance(Lowering call) {
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.common(a, b);
    Expr difference = Exprs.rounded(a.in(type).sub(b.in(type)), type);
    double p = call.real("p", 2);
    call.write(0, new Expr.Reduce(Reducer.NORM, difference, List.of(), false, p).to(type));
  }

  private static void isIn(Lowering call) {
    boolean manyElements = call.has("elements");
    String one = manyElements ? "elements" : "element";
    boolean manyTests = call.has("test_elements");
    call.ignore("assume_unique");
    boolean inverted = call.flag("invert");
    Operand x = call.operand(one);
    Operand test = call.operand(manyTests ? "test_elements" : "test_element");
    DType type = Operand.common(x, test);
    Expr found;
    if (!manyTests) {
      found = equal(x.as(type), test.as(type));
    } else {
      AtenTensor tests = call.contiguous(call.tensor("test_elements"));
      Expr against = call.read(tests.reshape(tests.elements())).to(type);
      int rank = manyElements ? call.tensor(one).rank() : 0;
      Expr each = manyElements ? call.read(call.tensor(one).unsqueeze(rank)).to(type) : x.as(type);
      found = Exprs.fold(Reducer.ANY, equal(each, against), List.of(rank), false);
    }
    call.write(0, inverted ? call(Function.LOGICAL_NOT, found) : found);
  }
}

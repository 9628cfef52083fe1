package io.gpuos.aten;

import static io.gpuos.aten.Exprs.ONE;
import static io.gpuos.aten.Exprs.ZERO;
import static io.gpuos.aten.Exprs.atMost;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.exp;
import static io.gpuos.aten.Exprs.greater;
import static io.gpuos.aten.Exprs.less;
import static io.gpuos.aten.Exprs.rest;
import static io.gpuos.aten.Exprs.sigmoid;
import static io.gpuos.aten.Exprs.square;
import static io.gpuos.aten.Exprs.tanh;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.function.BinaryOperator;

/** Gradients of operators that work element by element: the chain rule, as PyTorch writes it. */
final class Gradients {

  /** sqrt(2 / pi) and 0.044715: those of the approximation of gelu by tanh. */
  private static final double GELU_SCALE = Math.sqrt(2 / Math.PI);

  private static final double GELU_CUBE = 0.044715;

  /** PyTorch has it in single precision, also for float64. */
  private static final Expr SIXTH = Expr.of((double) (1f / 6));

  private Gradients() {}

  static void add(TableBuilder table) {
    table.family("Gradients of one tensor");
    addOfResults(table);
    addOfInputs(table);
    addPiecewise(table);
  }

  private static void gradient(
      TableBuilder table, String name, String of, String value, BinaryOperator<Expr> function) {
    table.plain(name, "grad_input", value, call -> write(call, of, function));
  }

  /**
   * @param of name of the tensor beside the gradient
   */
  private static void write(Lowering call, String of, BinaryOperator<Expr> function) {
    Operand grad = call.operand("grad_output");
    Operand x = call.operand(of);
    DType type = Operand.common(grad, x);
    call.write(0, function.apply(grad.in(type), x.in(type)).to(type));
  }

  private static void addOfResults(TableBuilder table) {
    gradient(
        table,
        "sigmoid_backward",
        "output",
        "grad_output * (1 - output) * output",
        (g, y) -> g.mul(rest(y)).mul(y));
    gradient(
        table,
        "tanh_backward",
        "output",
        "grad_output * (1 - output^2)",
        (g, y) -> g.mul(rest(square(y))));
  }

  private static void addOfInputs(TableBuilder table) {
    gradient(
        table,
        "silu_backward",
        "self",
        "grad_output * s * (1 + self * (1 - s)), s = sigmoid(self)",
        (g, x) -> g.mul(sigmoid(x)).mul(ONE.add(x.mul(rest(sigmoid(x))))));
    table.plain(
        "gelu_backward", "grad_input", "grad_output * derivative, by approximate", Gradients::gelu);
    table.single(
        "mish_backward",
        "grad_output * (t + self * sigmoid(self) * (1 - t^2)), t = tanh(softplus(self))",
        call -> write(call, "self", Gradients::mish));
    table.plain(
        "log_sigmoid_backward",
        "grad_input",
        "grad_output * sigmoid(-self)",
        call -> {
          call.ignore("buffer");
          write(call, "self", (g, x) -> g.mul(sigmoid(x.neg())));
        });
    table.plain(
        "softplus_backward",
        "grad_input",
        "grad_output * sigmoid(beta * self); grad_output where beta * self > threshold",
        call -> {
          Expr beta = Expr.of(call.real("beta"));
          Expr threshold = Expr.of(call.real("threshold"));
          write(
              call,
              "self",
              (g, x) -> where(greater(x.mul(beta), threshold), g, g.mul(sigmoid(x.mul(beta)))));
        });
    table.plain(
        "native_dropout_backward",
        "grad_output * mask * scale",
        call -> {
          Expr scale = Expr.of(call.real("scale"));
          Operand grad = call.operand("grad_output");
          DType type = grad.dtype();
          Expr mask = call.operand("mask").in(type);
          call.write(0, grad.in(type).mul(mask).mul(scale).to(type));
        });
  }

  private static Expr mish(Expr g, Expr x) {
    Expr t = tanh(call(Function.SOFTPLUS, x, ONE, Expr.of(20)));
    return g.mul(t.add(x.mul(sigmoid(x)).mul(rest(square(t)))));
  }

  private static void gelu(Lowering call) {
    boolean byTanh = Pointwise.tanhApproximation(call);
    write(call, "self", (g, x) -> g.mul(byTanh ? geluByTanh(x) : geluExact(x)));
  }

  /** Phi(x) + x phi(x), with the normal distribution and its density. */
  private static Expr geluExact(Expr x) {
    Expr distribution =
        ONE.add(call(Function.ERF, x.mul(Expr.of(Math.sqrt(0.5))))).mul(Expr.of(0.5));
    Expr density = exp(square(x).mul(Expr.of(-0.5))).mul(Expr.of(1 / Math.sqrt(2 * Math.PI)));
    return distribution.add(x.mul(density));
  }

  private static Expr geluByTanh(Expr x) {
    Expr inner = x.add(x.mul(square(x)).mul(Expr.of(GELU_CUBE))).mul(Expr.of(GELU_SCALE));
    Expr t = tanh(inner);
    Expr slope = ONE.add(square(x).mul(Expr.of(3 * GELU_CUBE))).mul(Expr.of(GELU_SCALE));
    Expr left = ONE.add(t).mul(Expr.of(0.5));
    return left.add(x.mul(Expr.of(0.5)).mul(rest(square(t))).mul(slope));
  }

  private static void addPiecewise(TableBuilder table) {
    table.plain(
        "threshold_backward",
        "grad_input",
        "0 where self <= threshold, else grad_output",
        call -> {
          Expr threshold = call.number("threshold").value();
          write(call, "self", (g, x) -> where(atMost(x, threshold), ZERO, g));
        });
    table.plain(
        "leaky_relu_backward",
        "grad_input",
        "grad_output where self > 0, else negative_slope * grad_output",
        call -> {
          Expr slope = Expr.of(call.real("negative_slope"));
          call.ignore("self_is_result");
          write(call, "self", (g, x) -> where(greater(x, ZERO), g, g.mul(slope)));
        });
    table.plain("elu_backward", "grad_input", "grad_output * derivative of elu", Gradients::elu);
    table.plain(
        "hardtanh_backward",
        "grad_input",
        "grad_output where min_val < self < max_val",
        call -> {
          Expr min = call.number("min_val").value();
          Expr max = call.number("max_val").value();
          write(
              call, "self", (g, x) -> where(atMost(x, min), ZERO, where(atMost(max, x), ZERO, g)));
        });
    gradient(
        table,
        "hardsigmoid_backward",
        "self",
        "grad_output / 6 where -3 < self < 3",
        (g, x) ->
            where(Exprs.and(greater(x, Expr.of(-3)), less(x, Expr.of(3))), g.mul(SIXTH), ZERO));
    table.plain(
        "hardswish_backward",
        "grad_output * derivative of hardswish",
        call ->
            write(
                call,
                "self",
                (g, x) ->
                    where(
                        atMost(x, Expr.of(-3)),
                        ZERO,
                        where(
                            less(x, Expr.of(3)), g.mul(x.div(Expr.of(3)).add(Expr.of(0.5))), g))));
  }

  private static void elu(Lowering call) {
    double alpha = call.real("alpha");
    double scale = call.real("scale");
    double inputScale = call.real("input_scale");
    boolean ofResult = call.flag("is_result");
    Expr steep = Expr.of(alpha * scale);
    write(
        call,
        "self_or_result",
        (g, x) -> {
          Expr below =
              ofResult
                  ? g.mul(Expr.of(inputScale)).mul(x.add(steep))
                  : g.mul(Expr.of(inputScale)).mul(steep).mul(exp(x.mul(Expr.of(inputScale))));
          return where(atMost(x, ZERO), below, g.mul(Expr.of(scale)));
        });
  }
}

package io.gpuos.aten;

import static io.gpuos.aten.Exprs.ONE;
import static io.gpuos.aten.Exprs.ZERO;
import static io.gpuos.aten.Exprs.abs;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.exp;
import static io.gpuos.aten.Exprs.log;
import static io.gpuos.aten.Exprs.rest;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;

/** Losses of probabilities and signs, with weights. */
final class Entropies {

  /** PyTorch cuts logarithms off there. */
  private static final Expr LEAST_LOG = Expr.of(-100);

  private Entropies() {}

  static void add(TableBuilder table) {
    table.plain(
        "binary_cross_entropy",
        "-(target log(self) + (1 - target) log(1 - self)), reduced",
        Entropies::binary);
    table.plain(
        "binary_cross_entropy_backward",
        "grad_input",
        "grad_output (self - target) / (self (1 - self))",
        Entropies::binaryBackward);
    table.plain(
        "binary_cross_entropy_with_logits",
        "binary_cross_entropy of sigmoid(self), reduced",
        Entropies::ofLogits);
    table.plain("soft_margin_loss", "log(1 + exp(-target self)), reduced", Entropies::softMargin);
    table.plain(
        "soft_margin_loss_backward",
        "grad_input",
        "-target grad_output sigmoid(-target self)",
        Entropies::softMarginBackward);
  }

  private static Expr weighted(Lowering call, Expr value, DType type) {
    return call.has("weight") ? value.mul(call.operand("weight").in(type)) : value;
  }

  private static void reduced(Lowering call, Expr value, DType type) {
    int reduction = Losses.reduction(call);
    if (reduction == Losses.NONE) {
      call.write(0, value.to(type));
      return;
    }
    Reducer reducer = reduction == Losses.MEAN ? Reducer.MEAN : Reducer.SUM;
    call.write(0, Exprs.fold(reducer, Exprs.rounded(value, type), List.of(), false).to(type));
  }

  private static void binary(Lowering call) {
    Operand x = call.operand("self");
    Operand target = call.operand("target");
    DType type = Operand.common(x, target);
    Expr p = x.in(type);
    Expr t = target.in(type);
    Expr no = call(Function.MAXIMUM, call(Function.LOG1P, p.neg()), LEAST_LOG);
    Expr yes = call(Function.MAXIMUM, log(p), LEAST_LOG);
    Expr loss = t.sub(ONE).mul(no).sub(t.mul(yes));
    reduced(call, weighted(call, Exprs.rounded(loss, type), type), type);
  }

  private static void binaryBackward(Lowering call) {
    Operand x = call.operand("self");
    Operand target = call.operand("target");
    Operand grad = call.operand("grad_output");
    DType type = Operand.common(x, target);
    Expr p = x.in(type);
    Expr spread = call(Function.MAXIMUM, rest(p).mul(p), Expr.of(1e-12));
    Expr slope = grad.in(type).mul(p.sub(target.in(type))).div(spread);
    Expr value = weighted(call, Exprs.rounded(slope, type), type);
    call.write(0, shared(call, value).to(type));
  }

  /** Divided by the number of elements where the loss is their mean. */
  private static Expr shared(Lowering call, Expr value) {
    boolean mean = Losses.reduction(call) == Losses.MEAN;
    return mean ? value.div(Expr.of((double) call.tensor("self").elements())) : value;
  }

  private static void ofLogits(Lowering call) {
    Operand x = call.operand("self");
    Operand target = call.operand("target");
    DType type = Operand.common(x, target);
    Expr value = x.in(type);
    Expr t = target.in(type);
    Expr least = call(Function.MAXIMUM, value.neg(), ZERO);
    Expr tail = call(Function.LOG1P, exp(abs(value).neg())).add(least);
    if (call.has("pos_weight")) {
      Expr factor = call.operand("pos_weight").in(type).sub(ONE).mul(t).add(ONE);
      tail = factor.mul(tail);
    }
    reduced(call, weighted(call, rest(t).mul(value).add(tail), type), type);
  }

  private static void softMargin(Lowering call) {
    Operand x = call.operand("self");
    Operand target = call.operand("target");
    DType type = Operand.common(x, target);
    Expr power = exp(target.in(type).neg().mul(x.in(type)));
    reduced(call, call(Function.LOG1P, power), type);
  }

  private static void softMarginBackward(Lowering call) {
    Operand x = call.operand("self");
    Operand target = call.operand("target");
    Operand grad = call.operand("grad_output");
    DType type = Operand.common(x, target);
    Expr t = target.in(type);
    Expr power = exp(t.neg().mul(x.in(type)));
    Expr slope = t.neg().mul(power).div(power.add(ONE)).mul(grad.in(type));
    call.write(0, shared(call, slope).to(type));
  }
}

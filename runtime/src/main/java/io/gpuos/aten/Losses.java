package io.gpuos.aten;

import static io.gpuos.aten.Exprs.ZERO;
import static io.gpuos.aten.Exprs.abs;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.less;
import static io.gpuos.aten.Exprs.square;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Picker;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.function.BinaryOperator;

/** Losses and their gradients. */
final class Losses {

  /** The numbers by which PyTorch names a reduction. */
  static final int NONE = 0;

  static final int MEAN = 1;
  private static final int SUM = 2;

  private Losses() {}

  static void add(TableBuilder table) {
    table.family("Losses");
    table.plain(
        "mse_loss", "(self - target)^2, reduced", call -> loss(call, (x, y) -> square(x.sub(y))));
    table.plain(
        "mse_loss_backward",
        "grad_input",
        "2 (self - target) * grad_output",
        call -> gradient(call, (x, y) -> x.sub(y).mul(Expr.of(2))));
    table.plain(
        "smooth_l1_loss",
        "d^2 / (2 beta) where d < beta, else d - beta / 2;" + " d = |self - target|, reduced",
        Losses::smoothL1);
    table.plain(
        "smooth_l1_loss_backward",
        "grad_input",
        "derivative * grad_output",
        Losses::smoothL1Backward);
    table.plain(
        "huber_loss",
        "d^2 / 2 where d < delta, else delta (d - delta / 2), reduced",
        Losses::huber);
    table.plain("huber_loss_backward", "out", "derivative * grad_output", Losses::huberBackward);
    for (String kind : List.of("nll_loss", "nll_loss2d")) {
      table.plain(
          kind + "_forward",
          "output",
          "-self[n, target[n]] * weight, reduced; and the sum of weights",
          Losses::nll);
      table.plain(
          kind + "_backward",
          "grad_input",
          "-weight * grad_output at the target, 0 elsewhere",
          Losses::nllBackward);
    }
    Entropies.add(table);
  }

  static int reduction(Lowering call) {
    long reduction = call.integer("reduction", MEAN);
    if (reduction < NONE || reduction > SUM) {
      throw new Refused("reduction=" + reduction + " is not known");
    }
    return (int) reduction;
  }

  /** Half types are rounded before they are reduced, as PyTorch's intermediate tensor is. */
  private static void loss(Lowering call, BinaryOperator<Expr> function) {
    Operand x = call.operand("self");
    Operand y = call.operand("target");
    DType type = Operand.common(x, y);
    Expr value = function.apply(x.in(type), y.in(type));
    int reduction = reduction(call);
    if (reduction != NONE) {
      Reducer reducer = reduction == MEAN ? Reducer.MEAN : Reducer.SUM;
      value = Exprs.fold(reducer, Exprs.rounded(value, type), List.of(), false);
    }
    call.write(0, value.to(type));
  }

  /**
   * @param derivative of the loss of one element, by self
   */
  private static void gradient(Lowering call, BinaryOperator<Expr> derivative) {
    Operand x = call.operand("self");
    Operand y = call.operand("target");
    Operand grad = call.operand("grad_output");
    DType type = Operand.common(x, y, grad);
    Expr slope = derivative.apply(x.in(type), y.in(type));
    if (reduction(call) == MEAN) {
      slope = slope.mul(Expr.of(1.0 / call.tensor("self").layout().elements()));
    }
    call.write(0, slope.mul(grad.in(type)).to(type));
  }

  private static void smoothL1(Lowering call) {
    double beta = call.real("beta", 1);
    loss(
        call,
        (x, y) -> {
          Expr d = abs(x.sub(y));
          Expr beyond = d.sub(Expr.of(beta / 2));
          return beta == 0
              ? d
              : where(
                  less(d, Expr.of(beta)), square(d).mul(Expr.of(0.5)).div(Expr.of(beta)), beyond);
        });
  }

  private static void smoothL1Backward(Lowering call) {
    double beta = call.real("beta");
    gradient(
        call,
        (x, y) -> {
          Expr d = x.sub(y);
          Expr sign = call(Function.SIGN, d);
          return beta == 0 ? sign : where(less(abs(d), Expr.of(beta)), d.div(Expr.of(beta)), sign);
        });
  }

  private static void huber(Lowering call) {
    double delta = call.real("delta", 1);
    loss(
        call,
        (x, y) -> {
          Expr d = abs(x.sub(y));
          return where(
              less(d, Expr.of(delta)),
              square(d).mul(Expr.of(0.5)),
              d.sub(Expr.of(delta / 2)).mul(Expr.of(delta)));
        });
  }

  private static void huberBackward(Lowering call) {
    Expr delta = Expr.of(call.real("delta"));
    gradient(call, (x, y) -> call(Function.CLAMP, x.sub(y), delta.neg(), delta));
  }

  // ---- negative log likelihood
  // -----------------------------------------------------------------------

  /** Of [N, C, ..] and [N, ..]. What has ignore_index as target counts nothing. */
  private static void nll(Lowering call) {
    AtenTensor self = rows(call.tensor("self"));
    AtenTensor target = call.tensor("target").atLeastOne();
    requireRows(self, target);
    DType type = self.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor column = target.unsqueeze(1);
    Expr index = call.read(column);
    Expr counts = call(Function.NE, index, Expr.of(call.integer("ignore_index", -100)));
    Expr picked = call.read(self).gather(index, 1).to(computed);
    Expr weight = weight(call, column, counts, computed);
    Expr value = where(counts, picked.neg().mul(weight), ZERO);
    int reduction = reduction(call);
    Expr total = Exprs.fold(Reducer.SUM, weight, List.of(), false);
    Expr sum = Exprs.fold(Reducer.SUM, value, reduction == NONE ? List.of(1) : List.of(), false);
    call.result(0)
        .ifPresent(
            result ->
                call.write(
                    reduction == NONE ? result.atLeastOne() : result,
                    (reduction == MEAN ? sum.div(total) : sum).to(type)));
    call.leave(0);
    // Without a reduction PyTorch leaves the total weight at 0.
    call.write(1, (reduction == NONE ? total.mul(ZERO) : total).to(type));
  }

  private static AtenTensor rows(AtenTensor tensor) {
    return tensor.rank() == 1 ? tensor.unsqueeze(0) : tensor;
  }

  private static void requireRows(AtenTensor self, AtenTensor target) {
    if (self.rank() != target.rank() + 1) {
      throw new Refused(
          "self of " + self.rank() + " and target of " + target.rank() + " dimensions");
    }
  }

  /** The weight of each target, 0 where it does not count. */
  private static Expr weight(Lowering call, AtenTensor column, Expr counts, DType computed) {
    return call.optionalTensor("weight")
        .map(
            weights -> {
              Expr index = call.read(column);
              Expr picked = new Expr.Pick(Picker.EMBEDDING, call.read(weights), index, 0);
              return where(counts, picked.to(computed), ZERO);
            })
        .orElse(counts.to(computed));
  }

  private static void nllBackward(Lowering call) {
    AtenTensor self = rows(call.tensor("self"));
    AtenTensor target = call.tensor("target").atLeastOne();
    requireRows(self, target);
    DType type = self.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor grad = call.tensor("grad_output");
    Expr index = call.read(target.unsqueeze(1));
    int after = self.rank() - 2;
    Expr column = call.read(trailing(AtenTensor.count(self.shape()[1]), after));
    Expr counts = call(Function.NE, index, Expr.of(call.integer("ignore_index", -100)));
    int reduction = reduction(call);
    boolean each = reduction == NONE;
    Expr share = call.read(each ? grad.atLeastOne().unsqueeze(1) : grad, computed);
    if (reduction == MEAN) {
      share = share.div(call.read(call.tensor("total_weight"), computed));
    } else {
      call.ignore("total_weight");
    }
    Expr scaled =
        call.optionalTensor("weight")
            .map(weights -> call.read(trailing(weights, after), computed))
            .<Expr>map(share::mul)
            .orElse(share);
    Expr here = Exprs.and(Exprs.equal(index, column), counts);
    Expr value = where(here, scaled.neg(), ZERO).to(type);
    call.result(0)
        .ifPresent(result -> call.write(result.rank() == 1 ? result.unsqueeze(0) : result, value));
    call.leave(0);
  }

  /** Dimensions of size 1 behind the others. */
  private static AtenTensor trailing(AtenTensor tensor, int count) {
    AtenTensor result = tensor;
    for (int k = 0; k < count; k++) {
      result = result.unsqueeze(result.rank());
    }
    return result;
  }
}

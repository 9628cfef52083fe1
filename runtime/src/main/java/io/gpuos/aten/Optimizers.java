package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.List;

/** Optimizers whose whole step is one operator. */
final class Optimizers {

  private Optimizers() {}

  static void add(TableBuilder table) {
    table.family("Optimizers");
    for (String overload : List.of("", ".tensor_lr")) {
      table.single(
          "_fused_adam_" + overload,
          "Adam, with weight decay in the gradient",
          call -> adam(call, false));
      table.single(
          "_fused_adamw_" + overload,
          "Adam, with weight decay beside it",
          call -> adam(call, true));
      table.single("_fused_sgd_" + overload, "gradient descent with momentum", Optimizers::descend);
    }
  }

  private static void requireUnscaled(Lowering call) {
    if (call.has("grad_scale") || call.has("found_inf")) {
      throw new Refused("gradients that are scaled back in the optimizer");
    }
  }

  private static Expr rate(Lowering call, DType computed) {
    return call.operand("lr").as(computed);
  }

  private static Expr gradient(Lowering call, int index, DType computed) {
    Expr grad = call.read(element(call.tensors("grads"), index), computed);
    return call.flag("maximize") ? grad.neg() : grad;
  }

  private static AtenTensor element(List<AtenTensor> tensors, int index) {
    if (index >= tensors.size()) {
      throw new Refused("lists of different lengths");
    }
    return tensors.get(index);
  }

  private static void adam(Lowering call, boolean decoupled) {
    requireUnscaled(call);
    List<AtenTensor> parameters = call.tensors("self");
    for (int k = 0; k < parameters.size(); k++) {
      adam(call, k, parameters.get(k), decoupled);
      call.endStep();
    }
    call.ignore(
        "grads",
        "exp_avgs",
        "exp_avg_sqs",
        "max_exp_avg_sqs",
        "state_steps",
        "lr",
        "beta1",
        "beta2",
        "weight_decay",
        "eps",
        "maximize",
        "amsgrad");
  }

  private static void adam(Lowering call, int k, AtenTensor parameter, boolean decoupled) {
    DType computed = Operand.computeType(parameter.dtype());
    AtenTensor first = element(call.tensors("exp_avgs"), k);
    AtenTensor second = element(call.tensors("exp_avg_sqs"), k);
    Expr rate = rate(call, computed);
    Expr decay = Expr.of(call.real("weight_decay"));
    Expr value = call.read(parameter, computed);
    Expr grad = gradient(call, k, computed);
    if (call.real("weight_decay") != 0) {
      value = decoupled ? value.sub(rate.mul(decay).mul(value)) : value;
      grad = decoupled ? grad : grad.add(value.mul(decay));
    }
    double beta1 = call.real("beta1");
    double beta2 = call.real("beta2");
    Expr mean = average(call.read(first, computed), grad, beta1);
    Expr square = average(call.read(second, computed), grad.mul(grad), beta2);
    Expr step = call.read(element(call.tensors("state_steps"), k), DType.F64);
    Expr root = Exprs.sqrt(correction(beta2, step)).to(computed);
    Expr largest = square;
    if (call.flag("amsgrad")) {
      AtenTensor most = element(call.tensors("max_exp_avg_sqs"), k);
      largest = Exprs.call(Function.MAXIMUM, call.read(most, computed), square);
      call.write(most, largest.to(most.dtype()));
    }
    Expr spread = Exprs.sqrt(largest).div(root).add(Expr.of(call.real("eps")));
    Expr size = rate.div(correction(beta1, step).to(computed));
    call.write(parameter, value.sub(size.mul(mean).div(spread)).to(parameter.dtype()));
    call.write(first, mean.to(first.dtype()));
    call.write(second, square.to(second.dtype()));
  }

  private static Expr average(Expr old, Expr fresh, double beta) {
    return old.mul(Expr.of(beta)).add(fresh.mul(Expr.of(1 - beta)));
  }

  /** In double precision: 1 - beta^step loses digits. */
  private static Expr correction(double beta, Expr step) {
    return Exprs.rest(Expr.of(beta).pow(step));
  }

  private static void descend(Lowering call) {
    requireUnscaled(call);
    List<AtenTensor> parameters = call.tensors("self");
    for (int k = 0; k < parameters.size(); k++) {
      descend(call, k, parameters.get(k));
      call.endStep();
    }
    call.ignore(
        "grads",
        "momentum_buffer_list",
        "lr",
        "momentum",
        "dampening",
        "nesterov",
        "weight_decay",
        "maximize",
        "is_first_step");
  }

  private static void descend(Lowering call, int k, AtenTensor parameter) {
    DType computed = Operand.computeType(parameter.dtype());
    Expr value = call.read(parameter, computed);
    Expr grad = gradient(call, k, computed);
    if (call.real("weight_decay") != 0) {
      grad = grad.add(value.mul(Expr.of(call.real("weight_decay"))));
    }
    double momentum = call.real("momentum");
    if (momentum != 0) {
      AtenTensor buffer = element(call.tensors("momentum_buffer_list"), k);
      Expr moved =
          call.flag("is_first_step")
              ? grad
              : call.read(buffer, computed)
                  .mul(Expr.of(momentum))
                  .add(grad.mul(Expr.of(1 - call.real("dampening"))));
      call.write(buffer, moved.to(buffer.dtype()));
      grad = call.flag("nesterov") ? grad.add(moved.mul(Expr.of(momentum))) : moved;
    }
    call.write(parameter, value.sub(rate(call, computed).mul(grad)).to(parameter.dtype()));
  }
}

package io.gpuos.aten;

import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.List;

/** Operators of three tensors or numbers, element by element. */
final class Choices {

  private Choices() {}

  static void add(TableBuilder table) {
    table.family("Three tensors or numbers");
    table.plain("where.self", "self where condition holds, else other", Choices::choice);
    for (String kind : List.of("ScalarSelf", "ScalarOther", "Scalar")) {
      table.single("where." + kind, "self where condition holds, else other", Choices::choice);
    }
    table.pointwise("masked_fill.Scalar", "value where mask holds, else self", Choices::masked);
    table.pointwise(
        "masked_fill.Tensor", "Tensor_out", "value where mask holds, else self", Choices::masked);
    table.pointwise("clamp", "minimum(maximum(self, min), max)", Choices::clamp);
    table.pointwise(
        "clamp.Tensor", "Tensor_out", "minimum(maximum(self, min), max)", Choices::clamp);
    table.pointwise("clamp_min", "maximum(self, min)", Choices::clamp);
    table.pointwise("clamp_min.Tensor", "Tensor_out", "maximum(self, min)", Choices::clamp);
    table.pointwise("clamp_max", "minimum(self, max)", Choices::clamp);
    table.pointwise("clamp_max.Tensor", "Tensor_out", "minimum(self, max)", Choices::clamp);
    table.pointwise(
        "addcmul",
        "self + value * tensor1 * tensor2",
        call -> add(call, (a, b, value) -> value == null ? a.mul(b) : value.mul(a.mul(b))));
    table.pointwise(
        "addcdiv",
        "self + value * tensor1 / tensor2",
        call -> add(call, (a, b, value) -> value == null ? a.div(b) : value.mul(a.div(b))));
    table.pointwise("lerp.Scalar", "self + weight * (end - self)", Choices::lerpByNumber);
    table.pointwise("lerp.Tensor", "Tensor_out", "self + weight * (end - self)", Choices::lerp);
  }

  private interface Product {
    /**
     * @param value null where it is 1
     */
    Expr of(Expr a, Expr b, Expr value);
  }

  private static void choice(Lowering call) {
    Operand condition = call.operand("condition");
    if (condition.dtype() != DType.BOOL) {
      throw new Refused("condition is not of type bool");
    }
    Operand a = call.operand("self");
    Operand b = call.operand("other");
    DType type = Operand.common(a, b);
    call.write(0, where(condition.value(), a.as(type), b.as(type)).to(type));
  }

  /** The value converts to the type of self, whatever its own. */
  private static void masked(Lowering call) {
    Operand self = call.operand("self");
    Operand mask = call.operand("mask");
    Operand value = call.operand("value");
    DType type = self.dtype();
    if (mask.dtype() != DType.BOOL) {
      throw new Refused("mask is not of type bool");
    }
    if (value.dtype().category().compareTo(type.category()) > 0) {
      throw new Refused("value has a type that self cannot hold");
    }
    call.write(0, where(mask.value(), value.as(type), self.value()).to(type));
  }

  private static void clamp(Lowering call) {
    Operand x = call.operand("self");
    DType type = x.dtype();
    if (call.has("min")) {
      type = Operand.common(new Operand(x.value(), type, x.weight()), call.operand("min"));
    }
    if (call.has("max")) {
      type = Operand.common(new Operand(x.value(), type, x.weight()), call.operand("max"));
    }
    Expr value = x.as(type);
    if (call.has("min")) {
      value = call(Function.MAXIMUM, value, call.operand("min").as(type));
    }
    if (call.has("max")) {
      value = call(Function.MINIMUM, value, call.operand("max").as(type));
    }
    call.write(0, value.to(type));
  }

  private static void add(Lowering call, Product product) {
    Operand self = call.operand("self");
    Operand a = call.operand("tensor1");
    Operand b = call.operand("tensor2");
    DType type = Operand.common(self, a, b);
    Expr value = call.factor("value").orElse(null);
    call.write(0, self.in(type).add(product.of(a.in(type), b.in(type), value)).to(type));
  }

  /** Both ends are hit exactly: PyTorch starts from the nearer one. */
  private static void lerpByNumber(Lowering call) {
    Operand self = call.operand("self");
    Operand end = call.operand("end");
    DType type = Operand.common(self, end);
    double weight = call.real("weight");
    Expr from = self.in(type);
    Expr to = end.in(type);
    Expr way = to.sub(from);
    Expr value =
        Math.abs(weight) < 0.5
            ? from.add(Expr.of(weight).mul(way))
            : to.sub(way.mul(Expr.of(1 - weight)));
    call.write(0, value.to(type));
  }

  private static void lerp(Lowering call) {
    Operand self = call.operand("self");
    Operand end = call.operand("end");
    Operand weight = call.operand("weight");
    DType type = Operand.common(self, end, weight);
    Expr from = self.in(type);
    Expr to = end.in(type);
    Expr share = weight.in(type);
    Expr way = to.sub(from);
    Expr value =
        where(
            Exprs.less(Exprs.abs(share), Expr.of(0.5)),
            from.add(share.mul(way)),
            to.sub(way.mul(Exprs.rest(share))));
    call.write(0, value.to(type));
  }
}

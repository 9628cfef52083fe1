package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;

/** Matrix products. */
final class Products {

  private Products() {}

  static void add(TableBuilder table) {
    table.family("Matrix products");
    table.plain("mm", "matmul(self, mat2)", call -> product(call, "self", "mat2", 2, 2));
    table.plain("bmm", "matmul(self, mat2)", call -> product(call, "self", "mat2", 3, 3));
    table.plain("mv", "matmul(self, vec)", call -> product(call, "self", "vec", 2, 1));
    table.plain("dot", "matmul(self, tensor)", call -> product(call, "self", "tensor", 1, 1));
    table.plain("vdot", "matmul(self, other)", call -> product(call, "self", "other", 1, 1));
    table.plain("matmul", "matmul(self, other)", Products::matmul);
    table.plain("linear", "matmul(input, weight transposed) + bias", Products::linear);
    table.pointwise(
        "addmm", "beta * self + alpha * matmul(mat1, mat2)", call -> sum(call, "mat1", "mat2"));
    table.pointwise(
        "baddbmm",
        "beta * self + alpha * matmul(batch1, batch2)",
        call -> sum(call, "batch1", "batch2"));
    table.pointwise("addr", "beta * self + alpha * vec1 times vec2", Products::outer);
    table.pointwise(
        "addbmm", "beta * self + alpha * sum of matmul(batch1, batch2)", Products::sumOfBatches);
    table.pointwise(
        "addmv", "beta * self + alpha * matmul(mat, vec)", call -> sum(call, "mat", "vec"));
  }

  /** Times a factor, of which integers take the whole part. */
  private static Expr scaled(Lowering call, Expr value, String factor, DType type) {
    if (type.isFloating() || !call.has(factor)) {
      return call.factor(factor).map(value::mul).orElse(value);
    }
    long whole = (long) call.real(factor);
    return whole == 1 ? value : value.mul(Expr.of(whole));
  }

  private static boolean isNothing(Lowering call, String factor, DType type) {
    double value = call.real(factor, 1);
    return value == 0 || !type.isFloating() && (long) value == 0;
  }

  /** The outer product, added; also of integers and bool. */
  private static void outer(Lowering call) {
    Operand self = call.operand("self");
    AtenTensor column = call.tensor("vec1").unsqueeze(1);
    Operand a = call.operand(column);
    Operand b = call.operand("vec2");
    DType type = Operand.common(self, a, b);
    if (type == DType.BOOL) {
      throw new Refused("sums of type bool");
    }
    requireWholeFactors(call, type);
    Expr product = a.in(type).mul(b.in(type));
    Expr scaled = scaled(call, product, "alpha", type);
    if (isNothing(call, "beta", type)) {
      call.ignore("self");
      call.write(0, scaled.to(type));
      return;
    }
    Expr addend = self.in(type);
    call.write(0, scaled(call, addend, "beta", type).add(scaled).to(type));
  }

  /** Products of all batches, added. */
  private static void sumOfBatches(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType type = call.tensor("batch1").dtype();
    DType computed = Operand.computeType(type);
    if (self.dtype() != type) {
      throw new Refused("self is of another type than the factors");
    }
    requireWholeFactors(call, type);
    Expr left = call.read(call.tensor("batch1"), computed);
    Expr right = call.read(call.tensor("batch2"), computed);
    Expr product = Exprs.fold(Reducer.SUM, left.matmul(right), List.of(0), false);
    Expr scaled = scaled(call, product, "alpha", type);
    if (isNothing(call, "beta", type)) {
      call.write(0, scaled.to(type));
      return;
    }
    Expr addend = call.read(self, computed);
    call.write(0, scaled(call, addend, "beta", type).add(scaled).to(type));
  }

  /** PyTorch cuts fractions off the factors of integers, where it does not refuse them. */
  private static void requireWholeFactors(Lowering call, DType type) {
    for (String factor : List.of("alpha", "beta")) {
      if (!type.isFloating() && call.has(factor) && call.number(factor).dtype().isFloating()) {
        throw new Refused(factor + " of integers is a floating number");
      }
    }
  }

  private static void product(Lowering call, String left, String right, int rank, int other) {
    AtenTensor a = call.tensor(left);
    AtenTensor b = call.tensor(right);
    if (a.rank() != rank || b.rank() != other) {
      throw new Refused("factors of " + a.rank() + " and " + b.rank() + " dimensions");
    }
    call.write(0, call.read(a).matmul(call.read(b)));
  }

  private static void matmul(Lowering call) {
    call.write(0, call.read(call.tensor("self")).matmul(call.read(call.tensor("other"))));
  }

  private static void linear(Lowering call) {
    AtenTensor weight = call.tensor("weight");
    AtenTensor factor = weight.rank() < 2 ? weight : weight.transpose(0, 1);
    AtenTensor input = call.tensor("input");
    Expr product = call.read(input).matmul(call.read(factor));
    DType computed = Operand.computeType(input.dtype());
    Expr result =
        call.optionalTensor("bias")
            .map(bias -> product.to(computed).add(call.read(bias, computed)).to(input.dtype()))
            .orElse(product);
    call.write(0, result);
  }

  /** With beta 0 self is not read, so that its NaN does not count. */
  private static void sum(Lowering call, String left, String right) {
    AtenTensor a = call.tensor(left);
    AtenTensor self = call.tensor("self");
    if (self.dtype() != a.dtype()) {
      throw new Refused("self is of another type than the factors");
    }
    DType type = a.dtype();
    DType computed = Operand.computeType(type);
    requireWholeFactors(call, type);
    Expr product = call.read(a).matmul(call.read(call.tensor(right))).to(computed);
    Expr scaled = scaled(call, product, "alpha", type);
    if (isNothing(call, "beta", type)) {
      call.write(0, scaled.to(type));
      return;
    }
    Expr addend = call.read(self, computed);
    Expr sum = scaled.add(scaled(call, addend, "beta", type));
    call.write(0, sum.to(type));
  }
}

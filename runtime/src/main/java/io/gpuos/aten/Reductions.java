package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Operators that fold dimensions. */
final class Reductions {

  private Reductions() {}

  static void add(TableBuilder table) {
    table.family("Reductions");
    table.plain("sum", "sum of all elements; integers give i64", Reductions::sum);
    table.plain("sum.dim_IntList", "sum along dim; integers give i64", Reductions::sum);
    table.plain("mean", "dtype_out", "mean of all elements", Reductions::mean);
    table.plain("mean.dim", "mean along dim", Reductions::mean);
    table.plain(
        "prod", "product of all elements; integers give i64", call -> total(call, Reducer.PROD));
    table.plain(
        "prod.dim_int",
        "int_out",
        "product along dim; integers give i64",
        call -> total(call, Reducer.PROD));
    table.plain("amax", "largest along dim", call -> same(call, Reducer.MAX));
    table.plain("amin", "smallest along dim", call -> same(call, Reducer.MIN));
    table.plain("max", "unary_out", "largest of all elements", call -> same(call, Reducer.MAX));
    table.plain("min", "unary_out", "smallest of all elements", call -> same(call, Reducer.MIN));
    table.plain(
        "max.dim",
        "dim_max",
        "largest along dim, and the first index of it",
        call -> withIndex(call, Reducer.MAX, Reducer.ARGMAX));
    table.plain(
        "min.dim",
        "dim_min",
        "smallest along dim, and the first index of it",
        call -> withIndex(call, Reducer.MIN, Reducer.ARGMIN));
    table.plain("aminmax", "smallest and largest", Reductions::extremes);
    table.plain("argmax", "first index of the largest", call -> index(call, Reducer.ARGMAX));
    table.plain("argmin", "first index of the smallest", call -> index(call, Reducer.ARGMIN));
    for (Reducer reducer : List.of(Reducer.ANY, Reducer.ALL)) {
      String name = reducer.functionName();
      table.plain(name, "all_out", name + " of all elements", call -> truth(call, reducer));
      table.plain(name + ".dim", name + " along dim", call -> truth(call, reducer));
      table.plain(name + ".dims", name + " along dim", call -> truth(call, reducer));
    }
    addMoments(table);
    addNorms(table);
  }

  private static void addMoments(TableBuilder table) {
    table.plain("var.correction", "variance along dim", call -> moments(call, Reducer.VAR, false));
    table.plain(
        "std.correction",
        "standard deviation along dim",
        call -> moments(call, Reducer.STD, false));
    table.plain(
        "var_mean.correction",
        "variance and mean along dim",
        call -> moments(call, Reducer.VAR, true));
    table.plain(
        "std_mean.correction",
        "standard deviation and mean along dim",
        call -> moments(call, Reducer.STD, true));
  }

  private static void addNorms(TableBuilder table) {
    table.plain("norm.Scalar", "norm of all elements", call -> norm(call, "p"));
    table.plain("norm.ScalarOpt_dim", "out", "norm along dim", call -> norm(call, "p"));
    table.plain("norm.ScalarOpt_dim_dtype", "dtype_out", "norm along dim", call -> norm(call, "p"));
    table.plain("linalg_vector_norm", "norm along dim", call -> norm(call, "ord"));
    table.plain("logsumexp", "log(sum(exp(self))) along dim", Reductions::logSumExp);
  }

  /**
   * The axes that an argument names; none, which means all of them, if it names none.
   *
   * @throws Refused if there is no such dimension
   */
  static List<Integer> axes(int rank, long... dims) {
    List<Integer> axes = new ArrayList<>();
    for (long dim : dims) {
      int most = Math.max(rank, 1);
      if (dim < -most || dim >= most) {
        throw new Refused("there is no dimension " + dim + " of " + rank);
      }
      if (rank > 0) {
        axes.add((int) (dim < 0 ? dim + rank : dim));
      }
    }
    return axes;
  }

  private static List<Integer> axes(Lowering call) {
    return axes(call.tensor("self").rank(), call.integers("dim"));
  }

  private static Expr fold(Lowering call, Reducer reducer, Expr value) {
    return Exprs.fold(reducer, value, axes(call), call.flag("keepdim"));
  }

  private static void sum(Lowering call) {
    total(call, Reducer.SUM);
  }

  private static void total(Lowering call, Reducer reducer) {
    AtenTensor self = call.tensor("self");
    DType natural = self.dtype().isFloating() ? self.dtype() : DType.I64;
    DType type = call.type("dtype").orElse(outType(call).orElse(natural));
    Expr value = call.read(self, type);
    call.write(0, fold(call, reducer, value.to(Operand.computeType(type))).to(type));
  }

  /** Sums into a given tensor are computed in its type. */
  private static Optional<DType> outType(Lowering call) {
    return call.form() == Lowering.Form.OUT
        ? call.result(0).map(AtenTensor::dtype)
        : Optional.empty();
  }

  private static void mean(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType type = call.type("dtype").orElse(outType(call).orElse(self.dtype()));
    requireFloating(type);
    Expr value = call.read(self, type).to(Operand.computeType(type));
    call.write(0, fold(call, Reducer.MEAN, value).to(type));
  }

  private static void requireFloating(DType type) {
    if (!type.isFloating()) {
      throw new Refused("integers have no value here; convert them first");
    }
  }

  private static void same(Lowering call, Reducer reducer) {
    call.write(0, fold(call, reducer, call.read(call.tensor("self"))));
  }

  private static Expr counted(Lowering call) {
    AtenTensor self = call.tensor("self");
    return self.dtype() == DType.BOOL ? call.read(self).to(DType.U8) : call.read(self);
  }

  private static void index(Lowering call, Reducer reducer) {
    call.write(0, fold(call, reducer, counted(call)));
  }

  private static void withIndex(Lowering call, Reducer reducer, Reducer index) {
    same(call, reducer);
    call.write(1, fold(call, index, counted(call)));
  }

  private static void extremes(Lowering call) {
    same(call, Reducer.MIN);
    call.write(1, fold(call, Reducer.MAX, call.read(call.tensor("self"))));
  }

  /** PyTorch keeps uint8 here. */
  private static void truth(Lowering call, Reducer reducer) {
    AtenTensor self = call.tensor("self");
    Expr value = fold(call, reducer, call.read(self));
    call.write(0, self.dtype() == DType.U8 ? value.to(DType.U8) : value);
  }

  private static void moments(Lowering call, Reducer reducer, boolean mean) {
    AtenTensor self = call.tensor("self");
    DType type = self.dtype();
    requireFloating(type);
    Expr value = call.read(self, Operand.computeType(type));
    double correction = call.real("correction", 1);
    Expr spread = new Expr.Reduce(reducer, value, axes(call), call.flag("keepdim"), correction);
    call.write(0, spread.to(type));
    if (mean) {
      call.write(1, fold(call, Reducer.MEAN, value).to(type));
    }
  }

  private static void norm(Lowering call, String order) {
    AtenTensor self = call.tensor("self");
    DType type = call.type("dtype").orElse(self.dtype());
    requireFloating(type);
    Expr value = call.read(self, type).to(Operand.computeType(type));
    double ord = call.real(order, 2);
    Expr norm = new Expr.Reduce(Reducer.NORM, value, axes(call), call.flag("keepdim"), ord);
    call.write(0, norm.to(type));
  }

  /** An infinite maximum is not subtracted: the difference to itself would be NaN. */
  private static void logSumExp(Lowering call) {
    Operand x = call.operand("self");
    DType type = Operand.floating(x);
    Expr value = x.in(type);
    List<Integer> axes = axes(call);
    Expr shift = finite(Exprs.fold(Reducer.MAX, value, axes, true));
    Expr sum = fold(call, Reducer.SUM, Exprs.exp(value.sub(shift)));
    Expr result = Exprs.log(sum).add(finite(fold(call, Reducer.MAX, value)));
    call.write(0, result.to(type));
  }

  static Expr finite(Expr x) {
    return Exprs.where(Exprs.call(Function.ISFINITE, x), x, Exprs.ZERO);
  }
}

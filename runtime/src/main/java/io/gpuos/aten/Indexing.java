package io.gpuos.aten;

import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Picker;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;

/** Reads by index, and what counts positions. */
final class Indexing {

  /** Comparisons that the gradient of an embedding may take: the row of each index with each. */
  private static final long MOST_COMPARISONS = 1L << 28;

  private Indexing() {}

  static void add(TableBuilder table) {
    table.family("Indices");
    table.plain("embedding", "embedding(indices, weight)", Indexing::embedding);
    table.plain("gather", "gather(self, index, dim)", Indexing::gather);
    table.plain("index_select", "index_select(self, index, dim)", Indexing::indexSelect);
    table.plain("arange", "0, 1, ... below end", Indexing::range);
    table.single("arange.start", "start, start + 1, ... below end", Indexing::range);
    table.plain(
        "arange.start_step", "start_out", "start, start + step, ... before end", Indexing::range);
    for (String kind : List.of("", ".Tensor_Tensor", ".Tensor_Scalar", ".Scalar_Tensor")) {
      table.plain(
          "linspace" + kind, "steps numbers from start to end", call -> spaced(call, false));
      table.plain("logspace" + kind, "base to the power of linspace", call -> spaced(call, true));
    }
    table.plain("eye", "1 on the diagonal, 0 elsewhere", Indexing::eye);
    table.plain("eye.m", "1 on the diagonal, 0 elsewhere", Indexing::eye);
    table.pointwise("tril", "self on and below a diagonal, 0 above", call -> triangle(call, true));
    table.pointwise("triu", "self on and above a diagonal, 0 below", call -> triangle(call, false));
    table.plain(
        "embedding_dense_backward",
        "sum of grad_output where indices name the row",
        Indexing::embeddingBackward);
  }

  private static void embedding(Lowering call) {
    AtenTensor weight = call.tensor("weight");
    if (weight.rank() != 2) {
      throw new Refused("weight of " + weight.rank() + " dimensions");
    }
    call.ignore("padding_idx", "scale_grad_by_freq", "sparse");
    Expr index = call.read(call.tensor("indices"));
    call.write(0, new Expr.Pick(Picker.EMBEDDING, call.read(weight), index, 0));
  }

  /** An index as one of the types that places have. */
  static Expr places(Lowering call, AtenTensor index) {
    DType type = index.dtype();
    if (type.isFloating() || type == DType.BOOL) {
      throw new Refused("an index of type " + type);
    }
    boolean known = type == DType.I64 || type == DType.I32;
    return known ? call.read(index) : call.read(index).to(DType.I64);
  }

  /** A tensor with elements written where an index says along an axis. */
  static Expr scattered(ArrayFunction function, Expr into, int axis, Expr index, Expr source) {
    return new Expr.ArrayCall(
        function, List.of(into, index, source), List.of(List.of((long) axis)));
  }

  private static void gather(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    call.ignore("sparse_grad");
    Expr index = places(call, call.tensor("index").atLeastOne());
    Expr value = call.read(self).gather(index, Views.axis(self, call.integer("dim")));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), value));
    call.leave(0);
  }

  private static void indexSelect(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    Expr index = places(call, call.tensor("index").atLeastOne());
    Expr value = call.read(self).indexSelect(index, Views.axis(self, call.integer("dim")));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), value));
    call.leave(0);
  }

  /** The numbers come from the length of the result, which PyTorch has worked out. */
  private static void range(Lowering call) {
    Expr start = call.has("start") ? call.number("start").value() : Exprs.ZERO;
    Expr step = call.has("step") ? call.number("step").value() : Exprs.ONE;
    call.number("end");
    call.ignore("dtype");
    call.result(0)
        .ifPresent(
            result -> {
              if (result.rank() != 1) {
                throw new Refused("result of " + result.rank() + " dimensions");
              }
              Expr count = call.read(AtenTensor.count(result.shape()[0]));
              DType computed = result.dtype().isFloating() ? DType.F64 : DType.I64;
              Expr value = start.add(count.to(computed).mul(step));
              call.write(0, value.to(result.dtype()));
            });
  }

  /** From start in equal steps; the second half counted from the end, as PyTorch does. */
  private static void spaced(Lowering call, boolean powers) {
    Expr start = call.operand("start").value().to(DType.F64);
    Expr end = call.operand("end").value().to(DType.F64);
    double base = powers ? call.real("base", 10) : 0;
    call.ignore("steps", "dtype");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              long count = result.elements();
              if (result.rank() != 1 || powers && !result.dtype().isFloating()) {
                throw new Refused("a result of type " + result.dtype());
              }
              Expr step = end.sub(start).mul(Expr.of(count < 2 ? 0 : 1.0 / (count - 1)));
              Expr place = call.read(AtenTensor.count(count));
              Expr near = start.add(place.to(DType.F64).mul(step));
              Expr left = Expr.of(count - 1).sub(place).to(DType.F64);
              Expr far = end.sub(left.mul(step));
              Expr value = Exprs.where(Exprs.less(place, Expr.of((count + 1) / 2)), near, far);
              Expr all = powers ? Expr.of(base).to(DType.F64).pow(value) : value;
              call.write(result, all.to(result.dtype()));
            });
  }

  private static void eye(Lowering call) {
    call.ignore("n", "m", "dtype");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              Expr row = call.read(AtenTensor.count(result.shape()[0]).unsqueeze(1));
              Expr column = call.read(AtenTensor.count(result.shape()[1]));
              call.write(result, Exprs.equal(row, column).to(result.dtype()));
            });
  }

  private static void triangle(Lowering call, boolean lower) {
    AtenTensor self = call.tensor("self");
    int rank = self.rank();
    if (rank < 2) {
      throw new Refused("a triangle of " + rank + " dimensions");
    }
    long rows = self.shape()[rank - 2];
    long columns = self.shape()[rank - 1];
    Expr row = call.read(AtenTensor.count(rows).unsqueeze(1));
    Expr last = row.add(Expr.of(call.integer("diagonal", 0)));
    Expr column = call.read(AtenTensor.count(columns));
    Expr kept = lower ? Exprs.atMost(column, last) : Exprs.atMost(last, column);
    call.write(0, Exprs.where(kept, call.read(self), Exprs.ZERO).to(self.dtype()));
  }

  /** Each row of the table sums the gradients of the places that read it. */
  private static void embeddingBackward(Lowering call) {
    AtenTensor grad = call.tensor("grad_output");
    AtenTensor indices = call.tensor("indices");
    if (call.flag("scale_grad_by_freq")) {
      throw new Refused("gradients scaled by frequency");
    }
    long rows = call.integer("num_weights");
    long padding = call.integer("padding_idx", -1);
    long count = indices.layout().elements();
    long width = grad.rank() == 0 ? 1 : grad.shape()[grad.rank() - 1];
    if (rows * Math.max(1, count) > MOST_COMPARISONS / Math.max(1, width)) {
      throw new Refused(
          "a table too large to compare each row with each index: rows=%s, indices=%s"
              .formatted(rows, count));
    }
    if (indices.rank() > 5 || indices.rank() == 0) {
      throw new Refused("indices of " + indices.rank() + " dimensions");
    }
    AtenTensor row = AtenTensor.count(rows);
    List<Integer> axes = new java.util.ArrayList<>();
    for (int d = 0; d < indices.rank(); d++) {
      row = row.unsqueeze(1);
      axes.add(d + 1);
    }
    Expr named = call.read(indices.unsqueeze(indices.rank()));
    Expr number = call.read(row.unsqueeze(indices.rank() + 1));
    Expr counted =
        Exprs.and(
            Exprs.equal(named, number),
            Exprs.call(io.gpuos.ir.Function.NE, named, Expr.of(padding)));
    DType computed = Operand.computeType(grad.dtype());
    Expr value = Exprs.where(counted, call.read(grad, computed), Exprs.ZERO);
    call.write(0, Exprs.fold(Reducer.SUM, value, axes, false).to(grad.dtype()));
  }
}

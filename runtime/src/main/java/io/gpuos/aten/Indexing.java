package io.gpuos.aten;

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
    table.single("arange", "0, 1, ... below end", Indexing::range);
    table.single("arange.start", "start, start + 1, ... below end", Indexing::range);
    table.plain(
        "arange.start_step", "start_out", "start, start + step, ... before end", Indexing::range);
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

  private static int axis(Lowering call, AtenTensor self) {
    if (self.rank() == 0) {
      throw new Refused("an index into a tensor without dimensions");
    }
    return Reductions.axes(self.rank(), call.integer("dim")).getFirst();
  }

  private static void gather(Lowering call) {
    AtenTensor self = call.tensor("self");
    call.ignore("sparse_grad");
    Expr index = call.read(call.tensor("index"));
    call.write(0, call.read(self).gather(index, axis(call, self)));
  }

  private static void indexSelect(Lowering call) {
    AtenTensor self = call.tensor("self");
    AtenTensor index = call.tensor("index");
    Expr one = call.read(index.rank() == 0 ? index.unsqueeze(0) : index);
    call.write(0, call.read(self).indexSelect(one, axis(call, self)));
  }

  /** The numbers come from the length of the result, which PyTorch has worked out. */
  private static void range(Lowering call) {
    if (call.type("dtype").map(DType::isFloating).orElse(false)) {
      requireWhole(call, "start");
      requireWhole(call, "step");
    }
    Expr start = call.has("start") ? call.number("start").value() : Exprs.ZERO;
    Expr step = call.has("step") ? call.number("step").value() : Exprs.ONE;
    call.number("end");
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

  /** PyTorch adds up steps in a type of its own, which shows in the last digit of fractions. */
  private static void requireWhole(Lowering call, String argument) {
    double value = call.real(argument, 0);
    if (value != Math.rint(value)) {
      throw new Refused("argument " + argument + " is no whole number");
    }
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

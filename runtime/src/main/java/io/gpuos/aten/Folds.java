package io.gpuos.aten;

import static io.gpuos.aten.Exprs.equal;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;

/** Folds of what an index sends to the same place, each place compared with each index. */
final class Folds {

  /** Comparisons that one call may take. */
  private static final long MOST = 1L << 26;

  private Folds() {}

  static void add(TableBuilder table) {
    table.family("Folds by index");
    table.pointwise(
        "scatter_reduce.two",
        "two_out",
        "what index sends to a place along dim, folded as reduce says",
        call ->
            along(
                call,
                call.text("reduce", ""),
                !call.has("include_self") || call.flag("include_self")));
    for (String kind : List.of("reduce", "value_reduce")) {
      table.pointwise(
          "scatter." + kind,
          kind + "_out",
          "self, and src added or multiplied where index says along dim",
          call -> along(call, call.text("reduce", ""), true));
    }
    table.pointwise(
        "index_reduce", "slices that index sends to a place, folded as reduce says", Folds::slices);
  }

  private static void along(Lowering call, String reduce, boolean includeSelf) {
    AtenTensor self = call.tensor("self").atLeastOne();
    AtenTensor index = call.tensor("index").atLeastOne();
    int axis = Views.axis(self, call.integer("dim"));
    if (call.has("value")) {
      Expr value = call.number("value").value().to(self.dtype());
      fold(call, self, index, value, axis, reduce, includeSelf);
      return;
    }
    AtenTensor source = call.tensor("src").atLeastOne();
    for (int d = 0; d < source.rank(); d++) {
      source = source.narrow(d, 0, index.shape()[d]);
    }
    Expr value = call.read(source.unsqueeze(axis), self.dtype());
    fold(call, self, index, value, axis, reduce, includeSelf);
  }

  private static void slices(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    AtenTensor source = call.tensor("source").atLeastOne();
    int axis = Views.axis(self, call.integer("dim"));
    AtenTensor index = call.tensor("index").atLeastOne();
    for (int d = 0; d < self.rank(); d++) {
      index = d == axis ? index : index.unsqueeze(d);
    }
    index = index.expand(source.shape());
    boolean includeSelf = !call.has("include_self") || call.flag("include_self");
    Expr value = call.read(source.unsqueeze(axis), self.dtype());
    fold(call, self, index, value, axis, call.text("reduce", ""), includeSelf);
  }

  /**
   * @param source of the elements that the index sends, with a dimension of size 1 before the axis
   */
  private static void fold(
      Lowering call,
      AtenTensor self,
      AtenTensor index,
      Expr source,
      int axis,
      String reduce,
      boolean includeSelf) {
    long places = self.shape()[axis];
    if (places * Math.max(1, index.elements()) > MOST || self.rank() > 6) {
      throw new Refused(
          String.format(
              Locale.ROOT,
              "a fold too large to compare each place with each index: places=%d, indices=%d",
              places,
              index.elements()));
    }
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    result = self.rank() == 1 ? result.atLeastOne() : result;
    AtenTensor before = self;
    AtenTensor target = result;
    for (int d = 0; d < self.rank(); d++) {
      if (d != axis) {
        before = before.narrow(d, 0, index.shape()[d]);
        target = target.narrow(d, 0, index.shape()[d]);
      }
    }
    if (index.elements() == 0) {
      call.write(result, call.read(self));
      return;
    }
    AtenTensor folded = folded(call, before, index, source, axis, reduce, includeSelf);
    call.write(result, call.read(self));
    call.endStep();
    call.write(target, call.read(folded));
  }

  private static AtenTensor folded(
      Lowering call,
      AtenTensor before,
      AtenTensor index,
      Expr source,
      int axis,
      String reduce,
      boolean includeSelf) {
    DType type = before.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor place = AtenTensor.count(before.shape()[axis]);
    for (int d = axis; d < before.rank(); d++) {
      place = place.unsqueeze(place.rank());
    }
    Expr hit = equal(Indexing.places(call, index.unsqueeze(axis)), call.read(place));
    Expr own = call.read(before, computed);
    Expr value = source.to(computed);
    Expr count = Exprs.fold(Reducer.SUM, hit.to(DType.I64), List.of(axis + 1), false);
    Reducer reducer = reducer(reduce);
    Expr first =
        switch (reducer) {
          case SUM -> Exprs.ZERO;
          case PROD -> Exprs.ONE;
          default -> call.read(before.unsqueeze(axis + 1), computed);
        };
    Expr sent = where(hit, value, first);
    if (!includeSelf && reducer != Reducer.SUM && reducer != Reducer.PROD) {
      sent = where(hit, value, extreme(reducer, type));
    }
    Expr fold = Exprs.fold(reducer, sent, List.of(axis + 1), false);
    Expr all = fold;
    if (includeSelf) {
      all =
          switch (reducer) {
            case SUM -> own.add(fold);
            case PROD -> own.mul(fold);
            case MAX -> Exprs.call(Function.MAXIMUM, own, fold);
            default -> Exprs.call(Function.MINIMUM, own, fold);
          };
    }
    if (reduce.equals("mean")) {
      Expr counted = includeSelf ? count.add(Expr.of(1L)) : count;
      Expr divisor = Exprs.call(Function.MAXIMUM, counted, Expr.of(1L)).to(computed);
      all = type.isFloating() ? all.div(divisor) : Exprs.call(Function.FLOOR_DIVIDE, all, divisor);
    }
    if (!includeSelf) {
      all = where(Exprs.greater(count, Expr.of(0L)), all, own);
    }
    return call.kept(type, all.to(type), before.shape());
  }

  private static Reducer reducer(String reduce) {
    return switch (reduce) {
      case "sum", "mean", "add" -> Reducer.SUM;
      case "prod", "multiply" -> Reducer.PROD;
      case "amax" -> Reducer.MAX;
      case "amin" -> Reducer.MIN;
      default -> throw new Refused("reduce=" + reduce + " is not known");
    };
  }

  private static Expr extreme(Reducer reducer, DType type) {
    boolean most = reducer == Reducer.MIN;
    if (type.isFloating()) {
      return Expr.of(most ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY);
    }
    return switch (type) {
      case BOOL -> Expr.of(most);
      case U8 -> Expr.of(most ? 255L : 0L);
      case I8 -> Expr.of((long) (most ? Byte.MAX_VALUE : Byte.MIN_VALUE));
      case I16 -> Expr.of((long) (most ? Short.MAX_VALUE : Short.MIN_VALUE));
      case I32 -> Expr.of((long) (most ? Integer.MAX_VALUE : Integer.MIN_VALUE));
      default -> Expr.of(most ? Long.MAX_VALUE : Long.MIN_VALUE);
    };
  }
}

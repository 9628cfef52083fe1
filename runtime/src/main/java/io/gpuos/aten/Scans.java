package io.gpuos.aten;

import static io.gpuos.aten.Exprs.and;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.equal;
import static io.gpuos.aten.Exprs.less;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Picker;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Running values along a dimension, and order: sums are scans; the others compare or combine each
 * element with each of its line, which small tensors bear.
 */
final class Scans {

  /** Pairs of elements that one call may look at. */
  private static final long MOST_PAIRS = 1L << 26;

  /** Lines that PyTorch sorts by insertion, so that equal elements stay in order. */
  private static final long SHORT = 16;

  private Scans() {}

  static void add(TableBuilder table) {
    table.family("Running values, and order");
    table.pointwise("cumsum", "sum of the elements up to each one along dim", Scans::cumulativeSum);
    table.pointwise(
        "cumprod", "product of the elements up to each one along dim", Scans::cumulativeProduct);
    table.plain(
        "cummax",
        "largest of the elements up to each one, and its last index",
        call -> extremes(call, Reducer.MAX));
    table.plain(
        "cummin",
        "smallest of the elements up to each one, and its last index",
        call -> extremes(call, Reducer.MIN));
    table.plain("logcumsumexp", "log of cumsum of exp(self)", Scans::logCumulativeSumExp);
    table.plain("sort", "values", "self in order along dim, and where it was", Scans::sort);
    table.plain(
        "sort.stable", "values_stable", "self in order along dim, and where it was", Scans::sort);
    table.plain("argsort.stable", "indices that sort self along dim", Scans::argsort);
    table.single("median", "the lower of the middle elements", Scans::median);
    for (String kind : List.of("Tensor", "Scalar")) {
      table.plain(
          "bucketize." + kind,
          kind + "_out",
          "how many of boundaries come before each element of self",
          Scans::bucketize);
      table.plain(
          "searchsorted." + kind,
          kind + "_out",
          "how many of a row of sorted_sequence come before each element of self",
          Scans::search);
    }
  }

  /** A line seen twice: elements i along one dimension, elements j along the next. */
  private record Pairs(Expr own, Expr other, Expr i, Expr j, int axis) {
    Expr upTo() {
      return Exprs.atMost(j, i);
    }

    Expr fold(Reducer reducer, Expr value) {
      return Exprs.fold(reducer, value, List.of(axis), false);
    }
  }

  private static Pairs pairs(Lowering call, AtenTensor x, int axis) {
    long size = x.shape()[axis];
    if (x.elements() * size > MOST_PAIRS || x.rank() > 6) {
      throw new Refused(
          String.format(
              Locale.ROOT,
              "a tensor too large to compare each element with its line: elements=%d, line=%d",
              x.elements(),
              size));
    }
    AtenTensor i = AtenTensor.count(size);
    AtenTensor j = i;
    for (int d = axis; d < x.rank(); d++) {
      i = i.unsqueeze(i.rank());
      j = d == axis ? j : j.unsqueeze(j.rank());
    }
    return new Pairs(
        call.read(x.unsqueeze(axis + 1)),
        call.read(x.unsqueeze(axis)),
        call.read(i),
        call.read(j),
        axis + 1);
  }

  private static int axis(Lowering call, AtenTensor of) {
    List<Integer> axes = Reductions.axes(of.rank(), call.integer("dim", -1));
    return axes.isEmpty() ? 0 : axes.getFirst();
  }

  /** Integers become i64, unless they are computed in place or a type is given. */
  private static DType type(Lowering call, AtenTensor self) {
    DType natural = self.dtype().isFloating() ? self.dtype() : DType.I64;
    DType own = call.form() == Lowering.Form.IN_PLACE ? self.dtype() : natural;
    return call.type("dtype").orElse(own);
  }

  private static void cumulativeSum(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType type = type(call, self);
    Expr value = call.read(self, type).to(Operand.computeType(type));
    call.write(0, sums(value, axis(call, self)).to(type));
  }

  static Expr sums(Expr value, int axis) {
    return new Expr.ArrayCall(ArrayFunction.CUMSUM, List.of(value), List.of(List.of((long) axis)));
  }

  private static void cumulativeProduct(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    DType type = type(call, call.tensor("self"));
    Pairs pairs = pairs(call, self, axis(call, self));
    Expr value = pairs.other().to(type).to(Operand.computeType(type));
    Expr product = pairs.fold(Reducer.PROD, where(pairs.upTo(), value, Exprs.ONE));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), product.to(type)));
    call.leave(0);
  }

  /** Of equal elements the last one counts, and NaN is more than all. */
  private static void extremes(Lowering call, Reducer reducer) {
    AtenTensor self = call.tensor("self").atLeastOne();
    int axis = axis(call, self);
    Pairs pairs = pairs(call, self, axis);
    Expr first = call.read(self.narrow(axis, 0, Math.min(1, self.shape()[axis])).unsqueeze(axis));
    Expr value = pairs.fold(reducer, where(pairs.upTo(), pairs.other(), first));
    AtenTensor running = call.kept(self.dtype(), value.to(self.dtype()), self.shape());
    Expr here = call.read(running.unsqueeze(axis + 1));
    Expr hit = call(Function.LOGICAL_OR, equal(pairs.other(), here), isNan(pairs.other()));
    Expr index = pairs.fold(Reducer.MAX, where(and(pairs.upTo(), hit), pairs.j(), Expr.of(0L)));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), call.read(running)));
    call.result(1).ifPresent(result -> call.write(result.atLeastOne(), index));
    call.leave(0);
    call.leave(1);
  }

  private static Expr isNan(Expr x) {
    return call(Function.ISNAN, x);
  }

  private static void logCumulativeSumExp(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    DType type = self.dtype();
    if (!type.isFloating()) {
      throw new Refused("integers have no value here; convert them first");
    }
    DType computed = Operand.computeType(type);
    int axis = axis(call, self);
    Pairs pairs = pairs(call, self, axis);
    Expr other = pairs.other().to(computed);
    Expr least = Expr.of(Double.NEGATIVE_INFINITY);
    AtenTensor most =
        call.kept(
            computed, pairs.fold(Reducer.MAX, where(pairs.upTo(), other, least)), self.shape());
    Expr shift = Reductions.finite(call.read(most.unsqueeze(axis + 1)));
    Expr sum =
        pairs.fold(Reducer.SUM, where(pairs.upTo(), Exprs.exp(other.sub(shift)), Exprs.ZERO));
    Expr value = Exprs.log(sum).add(Reductions.finite(call.read(most)));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), value.to(type)));
    call.leave(0);
  }

  // ---- order
  // ----------------------------------------------------------------------------------------

  /** For each element how many of its line come before it. NaN is more than all. */
  private static AtenTensor ranks(Lowering call, AtenTensor self, int axis, boolean descending) {
    Pairs pairs = pairs(call, self, axis);
    Expr own = ordered(self, pairs.own());
    Expr other = ordered(self, pairs.other());
    Expr before = descending ? precedes(self, own, other) : precedes(self, other, own);
    Expr same = equal(own, other);
    if (self.dtype().isFloating()) {
      same = call(Function.LOGICAL_OR, same, and(isNan(own), isNan(other)));
    }
    Expr first = call(Function.LOGICAL_OR, before, and(same, less(pairs.j(), pairs.i())));
    return call.kept(DType.I64, pairs.fold(Reducer.SUM, first.to(DType.I64)), self.shape());
  }

  private static Expr ordered(AtenTensor self, Expr value) {
    return self.dtype() == DType.BOOL ? value.to(DType.U8) : value;
  }

  private static Expr precedes(AtenTensor self, Expr a, Expr b) {
    Expr smaller = less(a, b);
    return self.dtype().isFloating()
        ? call(Function.LOGICAL_OR, smaller, and(isNan(b), call(Function.LOGICAL_NOT, isNan(a))))
        : smaller;
  }

  /** The inverse of ranks: which element has each of them. */
  private static AtenTensor order(Lowering call, AtenTensor self, int axis, boolean descending) {
    AtenTensor ranks = ranks(call, self, axis, descending);
    long[] strides = new long[self.rank()];
    strides[axis] = 1;
    Expr places = call.read(AtenTensor.count(self.shape()[axis]).strided(self.shape(), strides));
    Expr rank = call.read(ranks);
    Expr indices = Indexing.scattered(ArrayFunction.SCATTER, rank, axis, rank, places);
    return call.kept(DType.I64, indices, self.shape());
  }

  /** Where PyTorch promises no order of equal elements it has another one, but in short lines. */
  private static void requirePromise(Lowering call, AtenTensor self, int axis) {
    if (!call.flag("stable") && self.shape()[axis] > SHORT) {
      throw new Refused("an order of equal elements that PyTorch does not promise");
    }
  }

  private static void sort(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    int axis = axis(call, self);
    requirePromise(call, self, axis);
    AtenTensor order = order(call, self, axis, call.flag("descending"));
    Expr values = call.read(self).gather(call.read(order), axis);
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), values));
    call.result(1).ifPresent(result -> call.write(result.atLeastOne(), call.read(order)));
    call.leave(0);
    call.leave(1);
  }

  private static void argsort(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    int axis = axis(call, self);
    requirePromise(call, self, axis);
    AtenTensor order = order(call, self, axis, call.flag("descending"));
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), call.read(order)));
    call.leave(0);
  }

  private static void median(Lowering call) {
    AtenTensor self = call.contiguous(call.tensor("self"));
    AtenTensor line = self.reshape(self.elements());
    if (line.elements() == 0) {
      throw new Refused("the median of nothing");
    }
    AtenTensor ranks = ranks(call, line, 0, false);
    Expr middle = equal(call.read(ranks), Expr.of((line.elements() - 1) / 2));
    Expr x = call.read(line);
    // The smallest is NaN if there is one, and otherwise never more than the median.
    Expr least = Exprs.fold(Reducer.MIN, x, List.of(0), true);
    call.write(
        0, Exprs.fold(Reducer.MAX, where(middle, x, least), List.of(0), false).to(self.dtype()));
  }

  // ---- search
  // ---------------------------------------------------------------------------------------

  private static void bucketize(Lowering call) {
    AtenTensor boundaries = call.tensor("boundaries");
    boolean right = call.flag("right");
    find(call, boundaries, Optional.empty(), right);
  }

  private static void search(Lowering call) {
    AtenTensor sequence = call.tensor("sorted_sequence");
    boolean right = call.flag("right") || call.text("side", "left").equals("right");
    find(call, sequence, call.optionalTensor("sorter"), right);
  }

  /**
   * The binary search that PyTorch does, step by step for all elements: also what is not sorted
   * gives its results.
   */
  private static void find(
      Lowering call, AtenTensor sequence, Optional<AtenTensor> sorter, boolean right) {
    call.ignore("out_int32");
    Operand value = call.operand("self");
    DType type = Operand.common(value, call.operand(sequence));
    boolean number = value.weight() == Operand.Weight.NUMBER;
    AtenTensor self = number ? AtenTensor.zeros(1) : call.tensor("self").atLeastOne();
    long size = sequence.shape()[sequence.rank() - 1];
    Expr x = number ? value.as(type) : call.read(self, type);
    AtenTensor low = call.kept(DType.I64, call.everywhere(Expr.of(0L), self.shape()), self.shape());
    AtenTensor high =
        call.kept(DType.I64, call.everywhere(Expr.of(size), self.shape()), self.shape());
    Expr from = call.read(low);
    Expr to = call.read(high);
    for (long rest = size; rest > 0; rest /= 2) {
      Expr sum = call(Function.SHIFT_RIGHT, from.add(to), Expr.of(1L));
      AtenTensor middle =
          call.kept(DType.I64, call(Function.MINIMUM, sum, Expr.of(size - 1)), self.shape());
      Expr place = call.read(middle);
      Expr there =
          sorter.isEmpty()
              ? place
              : call.read(call.kept(DType.I64, picked(call, sorter.get(), place), self.shape()));
      Expr bound = picked(call, sequence, there).to(type);
      Expr reached = right ? Exprs.greater(bound, x) : call(Function.GE, bound, x);
      AtenTensor hit = call.kept(DType.BOOL, reached, self.shape());
      Expr open = less(from, to);
      call.write(high, where(and(open, call.read(hit)), place, to));
      call.write(
          low,
          where(
              and(open, call(Function.LOGICAL_NOT, call.read(hit))), place.add(Expr.of(1L)), from));
      call.endStep();
    }
    call.leave(0);
    call.result(0).ifPresent(result -> call.write(result.atLeastOne(), from.to(result.dtype())));
  }

  /** From the one line that there is, or from that of the element. */
  private static Expr picked(Lowering call, AtenTensor sequence, Expr place) {
    return sequence.rank() == 1
        ? new Expr.Pick(Picker.EMBEDDING, call.read(sequence), place, 0)
        : call.read(sequence).gather(place, sequence.rank() - 1);
  }
}

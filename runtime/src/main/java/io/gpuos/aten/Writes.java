package io.gpuos.aten;

import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Picker;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Writes where an index says, and reads and writes by lists of indices. */
final class Writes {

  private Writes() {}

  static void add(TableBuilder table) {
    table.family("Indexed writes, and lists of indices");
    for (String kind : List.of("src", "value")) {
      table.pointwise(
          "scatter." + kind,
          kind + "_out",
          "self, with " + kind + " where index says along dim",
          call -> along(call, ArrayFunction.SCATTER, kind));
    }
    table.pointwise(
        "scatter_add",
        "self, and src added where index says along dim",
        call -> along(call, ArrayFunction.SCATTER_ADD, "src"));
    table.pointwise(
        "index_add", "self, and slices of source added where index says", Writes::indexAdd);
    table.pointwise(
        "index_copy",
        "self, with slices of source where index says",
        call -> slices(call, ArrayFunction.INDEX_COPY, "source"));
    for (String kind : List.of("int_Scalar", "int_Tensor")) {
      table.pointwise(
          "index_fill." + kind, kind + "_out", "self, with value where index says", Writes::fill);
    }
    for (String name : List.of("index.Tensor", "_unsafe_index.Tensor")) {
      table.plain(name, "Tensor_out", "self where indices say", Writes::index);
    }
    table.pointwise("index_put", "self, with values where indices say", Writes::put);
    table.add("_unsafe_index_put", null, "out", "self, with values where indices say", Writes::put);
    table.add(
        "_index_put_impl",
        "_index_put_impl_",
        null,
        "self, with values where indices say",
        Writes::put);
    table.plain("take", "elements of self, counted through all dimensions", Writes::take);
    table.pointwise("put", "self, with source where index counts to", Writes::putFlat);
    table.single(
        "masked_scatter_backward",
        "elements of grad_output where mask holds, in turn",
        Writes::maskedBackward);
    table.pointwise(
        "masked_scatter", "elements of source in turn where mask holds, else self", Writes::masked);
  }

  private static int axis(Lowering call, AtenTensor self) {
    return Views.axis(self, call.integer("dim"));
  }

  private static Expr source(Lowering call, String name, AtenTensor self) {
    return call.operand(name).weight() == Operand.Weight.NUMBER
        ? call.number(name).value()
        : call.read(call.tensor(name).atLeastOne(), self.dtype());
  }

  private static void write(Lowering call, AtenTensor self, Expr value) {
    call.result(0)
        .ifPresent(result -> call.write(self.rank() == 1 ? result.atLeastOne() : result, value));
    call.leave(0);
  }

  private static void along(Lowering call, ArrayFunction function, String source) {
    AtenTensor self = call.tensor("self").atLeastOne();
    Expr index = Indexing.places(call, call.tensor("index").atLeastOne());
    int axis = axis(call, self);
    if (call.tensor("index").elements() == 0) {
      write(call, self, call.read(self));
      call.ignore(source);
      return;
    }
    Expr written = source(call, source, self);
    write(call, self, Indexing.scattered(function, call.read(self), axis, index, written));
  }

  private static void slices(Lowering call, ArrayFunction function, String name) {
    AtenTensor self = call.tensor("self").atLeastOne();
    AtenTensor source = call.tensor(name);
    while (source.rank() < self.rank()) {
      source = source.unsqueeze(0);
    }
    int axis = axis(call, self);
    Expr index = Indexing.places(call, call.tensor("index").atLeastOne());
    Expr written = call.read(source, self.dtype());
    write(call, self, Indexing.scattered(function, call.read(self), axis, index, written));
  }

  private static void indexAdd(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    AtenTensor source = call.tensor("source");
    while (source.rank() < self.rank()) {
      source = source.unsqueeze(0);
    }
    DType type = self.dtype();
    int axis = axis(call, self);
    Expr index = Indexing.places(call, call.tensor("index").atLeastOne());
    Expr added = call.read(source, type);
    if (call.factor("alpha").isPresent()) {
      added = call.factor("alpha").get().mul(added.to(Operand.computeType(type))).to(type);
    }
    write(
        call,
        self,
        Indexing.scattered(ArrayFunction.INDEX_ADD, call.read(self), axis, index, added));
  }

  private static void fill(Lowering call) {
    AtenTensor self = call.tensor("self").atLeastOne();
    int axis = axis(call, self);
    AtenTensor index = call.tensor("index").atLeastOne();
    Operand value = call.operand("value");
    long[] shape = self.shape();
    shape[axis] = index.elements();
    Expr written = value.value();
    if (value.weight() != Operand.Weight.NUMBER) {
      written = call.read(call.tensor("value").expand(shape), self.dtype());
    }
    Expr places = wrapped(Indexing.places(call, index), self.shape()[axis]);
    write(
        call,
        self,
        Indexing.scattered(ArrayFunction.INDEX_COPY, call.read(self), axis, places, written));
  }

  /** Negative places count from the end. */
  private static Expr wrapped(Expr index, long size) {
    return Exprs.where(Exprs.less(index, Expr.of(0L)), index.add(Expr.of(size)), index);
  }

  // ---- lists of indices
  // -----------------------------------------------------------------------------

  /**
   * What a list of indices means.
   *
   * @param dims of self that have an index
   * @param rest the other ones
   * @param shape of the indices, broadcast
   * @param first where their dimensions are in the result
   * @param place of each element in the indexed dimensions, counted through all of them
   */
  private record Selection(
      List<Integer> dims, List<Integer> rest, long[] shape, int first, Expr place) {

    /** How dimensions are ordered: indexed ones first. */
    int[] order() {
      List<Integer> order = new ArrayList<>(dims);
      order.addAll(rest);
      return order.stream().mapToInt(Integer::intValue).toArray();
    }

    /** A tensor in the result's form, with the dimensions of the indices first. */
    AtenTensor indicesFirst(AtenTensor result) {
      int[] order = new int[result.rank()];
      for (int d = 0; d < order.length; d++) {
        order[d] = d < shape.length ? first + d : d < shape.length + first ? d - shape.length : d;
      }
      return result.permute(order);
    }
  }

  private static Selection selection(Lowering call, AtenTensor self) {
    List<AtenValue> given = call.items("indices");
    List<Integer> dims = new ArrayList<>();
    List<AtenTensor> indices = new ArrayList<>();
    for (int d = 0; d < given.size(); d++) {
      if (given.get(d) instanceof AtenValue.Tensor(AtenTensor tensor)) {
        if (tensor.dtype() != DType.I64 && tensor.dtype() != DType.I32) {
          throw new Refused("an index of type " + tensor.dtype());
        }
        dims.add(d);
        indices.add(tensor);
      } else if (!(given.get(d) instanceof AtenValue.None)) {
        throw new Refused("an index that is no tensor");
      }
    }
    if (indices.isEmpty()) {
      throw new Refused("no index");
    }
    List<Integer> rest = new ArrayList<>();
    for (int d = 0; d < self.rank(); d++) {
      if (!dims.contains(d)) {
        rest.add(d);
      }
    }
    boolean adjacent = dims.getLast() - dims.getFirst() == dims.size() - 1;
    long[] shape = broadcast(indices);
    Expr place = null;
    for (int k = 0; k < indices.size(); k++) {
      long size = self.shape()[dims.get(k)];
      Expr index = wrapped(call.read(indices.get(k).expand(shape)).to(DType.I64), size);
      place = place == null ? index : place.mul(Expr.of(size)).add(index);
    }
    AtenTensor kept = call.kept(DType.I64, place, shape);
    return new Selection(dims, rest, shape, adjacent ? dims.getFirst() : 0, call.read(kept));
  }

  private static long[] broadcast(List<AtenTensor> tensors) {
    int rank = tensors.stream().mapToInt(AtenTensor::rank).max().orElseThrow();
    long[] shape = new long[rank];
    Arrays.fill(shape, 1);
    for (AtenTensor tensor : tensors) {
      for (int d = 0; d < tensor.rank(); d++) {
        long size = tensor.shape()[d];
        int at = d + rank - tensor.rank();
        shape[at] = size == 1 ? shape[at] : size;
      }
    }
    return shape;
  }

  /** Indexed dimensions as one, the first; of a contiguous tensor that has them in front. */
  private static AtenTensor merged(AtenTensor ordered, int count) {
    long[] shape = ordered.shape();
    long[] result = new long[shape.length - count + 1];
    result[0] = 1;
    for (int d = 0; d < count; d++) {
      result[0] *= shape[d];
    }
    System.arraycopy(shape, count, result, 1, shape.length - count);
    return ordered.reshape(result);
  }

  private static void index(Lowering call) {
    AtenTensor self = call.tensor("self");
    Selection selection = selection(call, self);
    AtenTensor ordered = self.permute(selection.order());
    AtenTensor table =
        selection.dims().size() == 1
            ? ordered
            : merged(call.contiguous(ordered), selection.dims().size());
    Expr picked = new Expr.Pick(Picker.EMBEDDING, call.read(table), selection.place(), 0);
    call.result(0).ifPresent(result -> call.write(selection.indicesFirst(result), picked));
    call.leave(0);
  }

  private static void put(Lowering call) {
    AtenTensor self = call.tensor("self");
    call.ignore("unsafe");
    Selection selection = selection(call, self);
    AtenTensor values = call.tensor("values");
    DType type = self.dtype();
    if (values.dtype() != type) {
      throw new Refused("values of another type than self");
    }
    List<Long> around = new ArrayList<>();
    for (int d : selection.rest()) {
      around.add(self.shape()[d]);
    }
    List<Long> shape = new ArrayList<>(around);
    for (int d = 0; d < selection.shape().length; d++) {
      shape.add(selection.first() + d, selection.shape()[d]);
    }
    AtenTensor written =
        selection.indicesFirst(values.expand(shape.stream().mapToLong(Long::longValue).toArray()));
    boolean adds = call.flag("accumulate");
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    AtenTensor target = result.permute(selection.order());
    if (selection.dims().size() == 1) {
      Expr before = call.read(self.permute(selection.order()));
      call.write(target, put(before, selection.place(), call.read(written), adds));
      return;
    }
    AtenTensor ordered = self.permute(selection.order());
    AtenTensor copy = call.kept(type, call.read(ordered), ordered.shape());
    AtenTensor table = merged(copy, selection.dims().size());
    call.write(table, put(call.read(table), selection.place(), call.read(written), adds));
    call.endStep();
    call.write(target, call.read(copy));
  }

  private static Expr put(Expr table, Expr place, Expr values, boolean adds) {
    return new Expr.ArrayCall(
        ArrayFunction.INDEX_PUT, List.of(table, place, values), List.of(List.of(adds ? 1L : 0L)));
  }

  private static void take(Lowering call) {
    AtenTensor self = call.contiguous(call.tensor("self"));
    AtenTensor line = self.reshape(self.elements());
    Expr place = wrapped(Indexing.places(call, call.tensor("index")), line.elements());
    call.write(0, new Expr.Pick(Picker.EMBEDDING, call.read(line), place, 0));
  }

  private static void putFlat(Lowering call) {
    AtenTensor self = call.tensor("self");
    AtenTensor index = call.contiguous(call.tensor("index"));
    AtenTensor source = call.contiguous(call.tensor("source"));
    AtenTensor copy = call.kept(self.dtype(), call.read(self), self.shape());
    AtenTensor line = copy.reshape(copy.elements());
    Expr place = Indexing.places(call, index.reshape(index.elements()));
    Expr values = call.read(source.reshape(source.elements()), self.dtype());
    call.write(line, put(call.read(line), place, values, call.flag("accumulate")));
    call.endStep();
    call.write(0, call.read(copy));
  }

  private static void masked(Lowering call) {
    AtenTensor self = call.tensor("self");
    AtenTensor mask = call.tensor("mask");
    if (mask.dtype() != DType.BOOL) {
      throw new Refused("mask is not of type bool");
    }
    AtenTensor source = call.contiguous(call.tensor("source"));
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    long[] shape = call.result(0).get().shape();
    AtenTensor whole = mask.expand(shape);
    AtenTensor counted = call.kept(DType.I64, call.read(whole).to(DType.I64), shape);
    AtenTensor line = counted.reshape(counted.elements());
    AtenTensor number = call.kept(DType.I64, Scans.sums(call.read(line), 0), line.elements());
    Expr place = call.read(number.reshape(shape)).sub(Expr.of(1L));
    AtenTensor flat = source.reshape(source.elements());
    if (flat.elements() == 0) {
      call.write(0, call.read(self.expand(shape)));
      return;
    }
    AtenTensor picked =
        call.kept(
            self.dtype(),
            new Expr.Pick(
                Picker.EMBEDDING,
                call.read(flat),
                Exprs.call(Function.MAXIMUM, place, Expr.of(0L)),
                0),
            shape);
    Expr value = Exprs.where(call.read(whole), call.read(picked), call.read(self.expand(shape)));
    call.write(0, value.to(self.dtype()));
  }

  /** The inverse of {@code masked_scatter}; what nothing came from has no gradient. */
  private static void maskedBackward(Lowering call) {
    call.ignore("sizes");
    AtenTensor grad = call.contiguous(call.tensor("grad_output"));
    AtenTensor mask = call.tensor("mask").expand(grad.shape());
    long count = grad.elements();
    AtenTensor holds = call.kept(DType.I64, call.read(mask).to(DType.I64), mask.shape());
    AtenTensor line = holds.reshape(count);
    AtenTensor number = call.kept(DType.I64, Scans.sums(call.read(line), 0), count);
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              long size = result.elements();
              AtenTensor flat = call.kept(grad.dtype(), zeros(call, grad.dtype(), size), size);
              Expr place =
                  Exprs.where(
                      call.read(line).to(DType.BOOL),
                      call.read(number).sub(Expr.of(1L)),
                      Expr.of(Long.MAX_VALUE));
              AtenTensor places = call.kept(DType.I64, place, count);
              Expr values = call.read(grad.reshape(count));
              call.write(
                  flat,
                  Indexing.scattered(
                      ArrayFunction.SCATTER, call.read(flat), 0, call.read(places), values));
              call.endStep();
              call.write(result, call.read(flat.reshape(result.shape())));
            });
  }

  private static Expr zeros(Lowering call, DType type, long size) {
    return call.everywhere(Exprs.ZERO.to(type), size);
  }
}

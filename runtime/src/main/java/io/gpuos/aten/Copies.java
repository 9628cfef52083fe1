package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;

/** Copies, conversions, constants, and tensors put together. */
final class Copies {

  private Copies() {}

  static void add(TableBuilder table) {
    table.family("Copies and constants");
    for (String name : List.of("clone", "lift_fresh_copy", "_to_copy")) {
      table.plain(name, "self, converted to dtype", Copies::copy);
    }
    table.single("copy_", "src, converted and repeated", call -> copyInto(call, "src"));
    table.single("copy", "src, converted and repeated", call -> copyInto(call, "src"));
    table.pointwise("fill.Scalar", "value everywhere", call -> fill(call, "value"));
    table.pointwise(
        "fill.Tensor", "Tensor_out", "value everywhere", call -> copyInto(call, "value"));
    table.pointwise("zero", "0 everywhere", call -> fill(call, Exprs.ZERO));
    addConstants(table);
    for (String name :
        List.of(
            "_unsafe_view",
            "_reshape_alias",
            "unsafe_split.Tensor",
            "unsafe_split_with_sizes",
            "unsafe_chunk")) {
      table.single(name, "self, where the result is in its memory", Copies::alias);
    }
    table.plain("stack", "tensors along a new dimension", Copies::stack);
    table.plain("cat", "tensors one behind the other", Copies::concatenate);
    table.plain("flip", "self backwards along dims", Copies::flip);
    table.plain("repeat", "self repeated", Copies::repeat);
    table.plain("constant_pad_nd", "self within a border of value", Copies::pad);
    table.plain("slice_backward", "grad_output in a slice of zeros", Copies::sliceBackward);
    table.plain("select_backward", "grad_output in one index of zeros", Copies::selectBackward);
  }

  private static void addConstants(TableBuilder table) {
    for (String name : List.of("zeros", "zeros_like", "new_zeros")) {
      table.plain(name, "0 everywhere", call -> constant(call, Exprs.ZERO));
    }
    for (String name : List.of("ones", "ones_like", "new_ones")) {
      table.plain(name, "1 everywhere", call -> constant(call, Exprs.ONE));
    }
    for (String name : List.of("full", "full_like", "new_full")) {
      table.plain(
          name, "fill_value everywhere", call -> constant(call, call.number("fill_value").value()));
    }
    table.plain("scalar_tensor", "s", call -> constant(call, call.number("s").value()));
    for (String name :
        List.of(
            "empty.memory_format",
            "empty_like",
            "empty_strided",
            "empty_permuted",
            "new_empty",
            "new_empty_strided")) {
      table.single(
          name,
          "nothing; contents are undefined",
          call -> {
            call.ignore("self", "size", "stride", "dtype", "physical_layout");
            call.leave(0);
          });
    }
  }

  private static void copy(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType type = call.type("dtype").orElse(self.dtype());
    call.write(0, call.read(self, type));
  }

  /** The result has the type and shape of self. */
  private static void copyInto(Lowering call, String source) {
    AtenTensor self = call.tensor("self");
    AtenTensor from = call.tensor(source).expand(self.shape());
    call.write(0, call.read(from, self.dtype()));
  }

  private static void fill(Lowering call, String value) {
    fill(call, call.number(value).value());
  }

  private static void fill(Lowering call, Expr value) {
    AtenTensor self = call.tensor("self");
    call.write(0, call.everywhere(value.to(self.dtype()), self.shape()));
  }

  /** Type and shape are those of the result, which PyTorch has worked out. */
  private static void constant(Lowering call, Expr value) {
    call.ignore("self", "size", "dtype", "fill_value", "s");
    call.result(0)
        .ifPresent(
            result -> call.write(0, call.everywhere(value.to(result.dtype()), result.shape())));
    call.leave(0);
  }

  /** Into views of the result, one after the other. */
  private static void concatenate(Lowering call) {
    List<AtenTensor> tensors = new ArrayList<>(call.tensors("tensors"));
    tensors.removeIf(tensor -> tensor.rank() == 1 && tensor.layout().isZeroSize());
    long dim = call.integer("dim", 0);
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              int axis = Reductions.axes(result.rank(), dim).getFirst();
              long at = 0;
              for (AtenTensor tensor : tensors) {
                long size = tensor.shape()[axis];
                call.write(result.narrow(axis, at, size), call.read(tensor, result.dtype()));
                call.endStep();
                at += size;
              }
              requireFull(result.shape()[axis], at);
            });
  }

  /** PyTorch has made the result a view of self, so there is nothing to compute. */
  private static void alias(Lowering call) {
    AtenTensor self = call.tensor("self");
    call.ignore("size", "stride", "split_size", "split_sizes", "chunks", "dim");
    for (int k = 0; k < call.call().results().size(); k++) {
      call.leave(k);
      if (call.result(k).filter(result -> result.storage() != self.storage()).isPresent()) {
        throw new Refused("result is a copy");
      }
    }
  }

  private static void stack(Lowering call) {
    List<AtenTensor> tensors = call.tensors("tensors");
    long dim = call.integer("dim", 0);
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              int axis = Reductions.axes(result.rank(), dim).getFirst();
              requireFull(result.shape()[axis], tensors.size());
              for (int k = 0; k < tensors.size(); k++) {
                call.write(result.select(axis, k), call.read(tensors.get(k), result.dtype()));
                call.endStep();
              }
            });
  }

  private static void requireFull(long size, long written) {
    if (size != written) {
      throw new Refused("result has another size: computed=" + written + ", result=" + size);
    }
  }

  private static void flip(Lowering call) {
    AtenTensor self = call.tensor("self");
    for (int axis : Reductions.axes(self.rank(), call.integers("dims"))) {
      self = self.flip(axis);
    }
    call.write(0, call.read(self));
  }

  /** Each repeated dimension of the result is seen as two: the repetition, and what is repeated. */
  private static void repeat(Lowering call) {
    AtenTensor self = call.tensor("self");
    long[] repeats = call.integers("repeats");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              int rank = result.rank();
              int missing = rank - self.rank();
              if (repeats.length != rank || 2 * rank > 8 || missing < 0) {
                throw new Refused("repetition of " + repeats.length + " dimensions");
              }
              long[] shape = new long[2 * rank];
              long[] strides = new long[2 * rank];
              long[] source = new long[2 * rank];
              for (int d = 0; d < rank; d++) {
                long size = d < missing ? 1 : self.shape()[d - missing];
                requireFull(result.shape()[d], repeats[d] * size);
                shape[2 * d] = repeats[d];
                shape[2 * d + 1] = size;
                strides[2 * d] = result.layout().stride(d) * size;
                strides[2 * d + 1] = result.layout().stride(d);
                source[2 * d + 1] = d < missing ? 0 : self.layout().stride(d - missing);
              }
              call.write(result.strided(shape, strides), call.read(self.strided(shape, source)));
            });
  }

  private static void pad(Lowering call) {
    AtenTensor self = call.tensor("self");
    long[] border = call.integers("pad");
    Expr value = call.has("value") ? call.number("value").value() : Exprs.ZERO;
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              AtenTensor inner = result;
              AtenTensor source = self;
              for (int k = 0; k + 1 < border.length; k += 2) {
                int axis = self.rank() - 1 - k / 2;
                if (axis < 0) {
                  throw new Refused("a border of " + border.length + " widths");
                }
                long before = border[k];
                long cut = Math.max(0, -before);
                long size = self.shape()[axis] - cut - Math.max(0, -border[k + 1]);
                source = source.narrow(axis, cut, size);
                inner = inner.narrow(axis, Math.max(0, before), size);
              }
              writeInto(call, result, inner, source, value);
            });
  }

  private static void sliceBackward(Lowering call) {
    AtenTensor grad = call.tensor("grad_output");
    call.ignore("input_sizes");
    call.leave(0);
    int axis = (int) call.integer("dim");
    long from = call.integer("start", 0);
    long to = call.integer("end", Long.MAX_VALUE);
    long step = call.integer("step", 1);
    call.result(0)
        .ifPresent(
            result ->
                writeInto(call, result, result.slice(axis, from, to, step), grad, Exprs.ZERO));
  }

  private static void selectBackward(Lowering call) {
    AtenTensor grad = call.tensor("grad_output");
    call.ignore("input_sizes");
    call.leave(0);
    int axis = (int) call.integer("dim");
    long index = call.integer("index");
    call.result(0)
        .ifPresent(result -> writeInto(call, result, result.select(axis, index), grad, Exprs.ZERO));
  }

  /** A value everywhere, then a tensor into a view. */
  private static void writeInto(
      Lowering call, AtenTensor result, AtenTensor view, AtenTensor source, Expr value) {
    call.write(result, call.everywhere(value.to(result.dtype()), result.shape()));
    call.endStep();
    call.write(view, call.read(source, result.dtype()));
  }
}

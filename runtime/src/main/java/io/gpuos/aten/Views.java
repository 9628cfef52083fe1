package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import io.gpuos.layout.View;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Copies of views, writes through views, and elements in other places. */
final class Views {

  private Views() {}

  static void add(TableBuilder table) {
    table.family("Views as copies, and writes through views");
    for (String name : List.of("alias_copy", "detach_copy")) {
      copy(table, name, "out", (call, x) -> x);
    }
    copy(table, "expand_copy", "out", Views::expanded);
    copy(table, "t_copy", "out", (call, x) -> x.rank() < 2 ? x : x.transpose(0, 1));
    copy(table, "transpose_copy.int", "int_out", Views::transposed);
    copy(table, "permute_copy", "out", Views::permuted);
    copy(table, "unsqueeze_copy", "out", Views::unsqueezed);
    for (String kind : List.of("", ".dim", ".dims")) {
      copy(
          table,
          "squeeze_copy" + kind,
          kind.isEmpty() ? "out" : kind.substring(1) + "_out",
          Views::reshaped);
    }
    for (String name : List.of("view_copy", "_reshape_copy")) {
      copy(table, name, "out", Views::reshaped);
    }
    copy(table, "diagonal_copy", "out", Views::diagonal);
    copy(table, "as_strided_copy", "out", Views::strided);
    copy(table, "narrow_copy", "out", Views::narrowed);
    copy(table, "slice_copy.Tensor", "Tensor_out", Views::sliced);
    copy(table, "select_copy.int", "int_out", Views::selected);
    copy(table, "unfold_copy", "out", Views::unfolded);
    for (String name : List.of("split_copy.Tensor", "split_with_sizes_copy", "unbind_copy.int")) {
      String overload = name.contains(".") ? name.substring(name.indexOf('.') + 1) + "_" : "";
      table.plain(name, overload + "out", "parts of self along dim", Views::parts);
    }
    scatter(table, "slice_scatter", Views::sliced);
    scatter(table, "select_scatter", Views::selected);
    scatter(table, "diagonal_scatter", Views::diagonal);
    scatter(table, "as_strided_scatter", Views::strided);
    table.plain("diagonal_backward", "grad_output on a diagonal of zeros", Views::diagonalBackward);
    table.plain("diag_embed", "self on a diagonal of zeros", Views::diagonalEmbedded);
    table.plain(
        "roll", "self moved along dims, what leaves comes in on the other side", Views::roll);
    table.plain("rot90", "self turned in the plane of dims", Views::turned);
    table.plain(
        "pixel_shuffle", "channels as pixels", call -> pixels(call, "upscale_factor", true));
    table.plain(
        "pixel_unshuffle", "pixels as channels", call -> pixels(call, "downscale_factor", false));
    table.plain("channel_shuffle", "channels of groups taken in turn", Views::channels);
    table.plain("block_diag", "matrices along a diagonal of zeros", Views::blocks);
    table.plain("trace", "sum of the diagonal", Views::trace);
  }

  private interface Seeing {
    AtenTensor see(Lowering call, AtenTensor tensor);
  }

  private static void copy(TableBuilder table, String name, String out, Seeing view) {
    table.plain(
        name,
        out,
        "a copy of the view",
        call -> call.write(0, call.read(view.see(call, call.tensor("self")))));
  }

  private static void scatter(TableBuilder table, String name, Seeing view) {
    table.plain(
        name,
        "self, with src in place of a view of it",
        call -> {
          call.leave(0);
          AtenTensor self = call.tensor("self");
          AtenTensor source = call.tensor("src");
          call.result(0)
              .ifPresent(
                  result -> {
                    call.write(result, call.read(self, result.dtype()));
                    call.endStep();
                    AtenTensor part = view.see(call, result);
                    call.write(part, call.read(source.expand(part.shape()), result.dtype()));
                  });
        });
  }

  static int axis(AtenTensor tensor, long dim) {
    List<Integer> axes = Reductions.axes(tensor.rank(), dim);
    if (axes.isEmpty()) {
      throw new Refused("a tensor without dimensions");
    }
    return axes.getFirst();
  }

  private static AtenTensor expanded(Lowering call, AtenTensor x) {
    call.ignore("implicit");
    long[] shape = call.integers("size");
    for (int d = 0; d < shape.length; d++) {
      int own = d - (shape.length - x.rank());
      shape[d] = shape[d] == -1 && own >= 0 ? x.shape()[own] : shape[d];
    }
    return x.expand(shape);
  }

  private static AtenTensor transposed(Lowering call, AtenTensor x) {
    long a = call.integer("dim0");
    long b = call.integer("dim1");
    return x.rank() == 0 ? x : x.transpose(axis(x, a), axis(x, b));
  }

  private static AtenTensor permuted(Lowering call, AtenTensor x) {
    long[] dims = call.integers("dims");
    return x.permute(Arrays.stream(dims).mapToInt(dim -> axis(x, dim)).toArray());
  }

  private static AtenTensor unsqueezed(Lowering call, AtenTensor x) {
    long dim = call.integer("dim");
    return x.unsqueeze((int) (dim < 0 ? dim + x.rank() + 1 : dim));
  }

  /** In the shape of the result, which PyTorch has worked out. */
  private static AtenTensor reshaped(Lowering call, AtenTensor x) {
    call.ignore("size", "dim");
    if (call.has("dtype")) {
      throw new Refused("bytes seen as another type");
    }
    return call.result(0).map(result -> call.contiguous(x).reshape(result.shape())).orElse(x);
  }

  private static AtenTensor diagonal(Lowering call, AtenTensor x) {
    int a = axis(x, call.integer("dim1", 0));
    int b = axis(x, call.integer("dim2", 1));
    return diagonal(x, call.integer("offset", 0), a, b);
  }

  /** Its dimension is the last one. */
  static AtenTensor diagonal(AtenTensor x, long offset, int a, int b) {
    long rows = x.shape()[a] - Math.max(0, -offset);
    long columns = x.shape()[b] - Math.max(0, offset);
    long size = Math.max(0, Math.min(rows, columns));
    long from = 0;
    if (size > 0) {
      from = offset >= 0 ? offset * x.layout().stride(b) : -offset * x.layout().stride(a);
    }
    int[] kept = IntStream.range(0, x.rank()).filter(d -> d != a && d != b).toArray();
    long[] shape = new long[kept.length + 1];
    long[] strides = new long[kept.length + 1];
    for (int k = 0; k < kept.length; k++) {
      shape[k] = x.shape()[kept[k]];
      strides[k] = x.layout().stride(kept[k]);
    }
    shape[kept.length] = size;
    strides[kept.length] = x.layout().stride(a) + x.layout().stride(b);
    return x.strided(shape, strides, from);
  }

  /** The offset counts from the begin of the storage, unless none is given. */
  private static AtenTensor strided(Lowering call, AtenTensor x) {
    long[] shape = call.integers("size");
    long[] strides = call.integers("stride");
    AtenTensor self = call.tensor("self");
    long own = self.offset() / self.dtype().bytes();
    long from = call.integer("storage_offset", own) - own;
    if (x.storage() != self.storage() && !Arrays.equals(x.strides(), self.strides())) {
      throw new Refused("a result with other strides than self");
    }
    return x.strided(shape, strides, from);
  }

  private static AtenTensor narrowed(Lowering call, AtenTensor x) {
    int axis = axis(x, call.integer("dim"));
    long start = call.integer("start");
    return x.narrow(axis, start < 0 ? start + x.shape()[axis] : start, call.integer("length"));
  }

  private static AtenTensor sliced(Lowering call, AtenTensor x) {
    int axis = axis(x, call.integer("dim", 0));
    long from = call.integer("start", 0);
    return x.slice(axis, from, call.integer("end", View.END), call.integer("step", 1));
  }

  private static AtenTensor selected(Lowering call, AtenTensor x) {
    int axis = axis(x, call.integer("dim"));
    long index = call.integer("index");
    return x.select(axis, index < 0 ? index + x.shape()[axis] : index);
  }

  private static AtenTensor unfolded(Lowering call, AtenTensor self) {
    AtenTensor x = self.atLeastOne();
    int axis = axis(x, call.integer("dimension"));
    return windows(x, axis, call.integer("size"), call.integer("step"));
  }

  /** Windows along an axis; their elements are the last dimension. */
  static AtenTensor windows(AtenTensor x, int axis, long size, long step) {
    long[] shape = Arrays.copyOf(x.shape(), x.rank() + 1);
    long[] strides = Arrays.copyOf(x.strides(), x.rank() + 1);
    shape[axis] = (x.shape()[axis] - size) / step + 1;
    strides[axis] *= step;
    shape[x.rank()] = size;
    strides[x.rank()] = x.layout().stride(axis);
    return x.strided(shape, strides, 0);
  }

  private static void parts(Lowering call) {
    AtenTensor self = call.tensor("self");
    int axis = axis(self, call.integer("dim", 0));
    call.ignore("split_size", "split_sizes");
    long at = 0;
    for (int k = 0; k < call.results().size(); k++) {
      AtenTensor result = call.result(k).orElseThrow(() -> new Refused("a part is missing"));
      boolean whole = result.rank() == self.rank();
      long size = whole ? result.shape()[axis] : 1;
      AtenTensor part = self.narrow(axis, at, size);
      call.write(k, call.read(whole ? part : part.select(axis, 0)));
      call.endStep();
      at += size;
    }
  }

  private static void diagonalBackward(Lowering call) {
    call.ignore("input_sizes");
    AtenTensor grad = call.tensor("grad_output");
    onZeros(
        call,
        result ->
            diagonal(
                result,
                call.integer("offset"),
                axis(result, call.integer("dim1")),
                axis(result, call.integer("dim2"))),
        grad);
  }

  private static void diagonalEmbedded(Lowering call) {
    onZeros(
        call,
        result ->
            diagonal(
                result,
                call.integer("offset", 0),
                axis(result, call.integer("dim1", -2)),
                axis(result, call.integer("dim2", -1))),
        call.tensor("self"));
  }

  private static void onZeros(
      Lowering call, Function<AtenTensor, AtenTensor> view, AtenTensor source) {
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              zero(call, result);
              call.write(view.apply(result), call.read(source, result.dtype()));
            });
  }

  static void zero(Lowering call, AtenTensor target) {
    call.write(target, call.everywhere(Exprs.ZERO.to(target.dtype()), target.shape()));
    call.endStep();
  }

  // ---- elements in other places
  // ---------------------------------------------------------------------

  private record Moved(AtenTensor from, AtenTensor to) {}

  private static void roll(Lowering call) {
    AtenTensor self = call.tensor("self");
    long[] shifts = call.integers("shifts");
    long[] dims = call.integers("dims");
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    List<Moved> pieces = List.of(new Moved(self, result));
    if (dims.length == 0) {
      if (!result.isContiguous()) {
        throw new Refused("a result whose elements do not lie one behind the other");
      }
      AtenTensor line = call.contiguous(self).reshape(self.elements());
      pieces = List.of(new Moved(line, result.reshape(self.elements())));
      dims = new long[] {0};
    }
    for (int k = 0; k < dims.length; k++) {
      pieces = rolled(pieces, axis(pieces.getFirst().from(), dims[k]), shifts[k]);
    }
    for (Moved piece : pieces) {
      call.write(piece.to(), call.read(piece.from()));
      call.endStep();
    }
  }

  private static List<Moved> rolled(List<Moved> pieces, int axis, long shift) {
    List<Moved> result = new ArrayList<>();
    for (Moved piece : pieces) {
      long size = piece.from().shape()[axis];
      long by = size == 0 ? 0 : Math.floorMod(shift, size);
      result.add(
          new Moved(
              piece.from().narrow(axis, 0, size - by), piece.to().narrow(axis, by, size - by)));
      result.add(
          new Moved(piece.from().narrow(axis, size - by, by), piece.to().narrow(axis, 0, by)));
    }
    return result;
  }

  private static void turned(Lowering call) {
    AtenTensor self = call.tensor("self");
    long[] dims = call.integers("dims");
    int a = axis(self, dims[0]);
    int b = axis(self, dims[1]);
    AtenTensor view =
        switch (Math.floorMod((int) call.integer("k", 1), 4)) {
          case 1 -> self.flip(b).transpose(a, b);
          case 2 -> self.flip(a).flip(b);
          case 3 -> self.flip(a).transpose(a, b);
          default -> self;
        };
    call.write(0, call.read(view));
  }

  private static void pixels(Lowering call, String factor, boolean up) {
    long r = call.integer(factor);
    AtenTensor self = call.tensor("self");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              AtenTensor fine = up ? result : self;
              AtenTensor coarse = up ? self : result;
              AtenTensor small = blocksOf(coarse, r);
              AtenTensor large = pixelsOf(fine, r);
              call.write(up ? large : small, call.read(up ? small : large));
            });
  }

  /** [.., C r r, H, W] as [.., C, r, r, H, W]. */
  private static AtenTensor blocksOf(AtenTensor x, long r) {
    int c = x.rank() - 3;
    long[] s = x.strides();
    long[] h = x.shape();
    long[] shape = {h[c] / (r * r), r, r, h[c + 1], h[c + 2]};
    long[] strides = {s[c] * r * r, s[c] * r, s[c], s[c + 1], s[c + 2]};
    return x.strided(joined(h, c, shape), joined(s, c, strides));
  }

  /** [.., C, H r, W r] in the order of the above. */
  private static AtenTensor pixelsOf(AtenTensor x, long r) {
    int c = x.rank() - 3;
    long[] s = x.strides();
    long[] h = x.shape();
    long[] shape = {h[c], r, r, h[c + 1] / r, h[c + 2] / r};
    long[] strides = {s[c], s[c + 1], s[c + 2], s[c + 1] * r, s[c + 2] * r};
    return x.strided(joined(h, c, shape), joined(s, c, strides));
  }

  private static long[] joined(long[] head, int count, long... tail) {
    long[] all = Arrays.copyOf(head, count + tail.length);
    System.arraycopy(tail, 0, all, count, tail.length);
    return all;
  }

  private static void channels(Lowering call) {
    AtenTensor self = call.tensor("self");
    long groups = call.integer("groups");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result ->
                call.write(
                    split(result, self.shape()[1] / groups, groups).transpose(1, 2),
                    call.read(split(self, groups, self.shape()[1] / groups))));
  }

  /** Dimension 1 as two. */
  private static AtenTensor split(AtenTensor x, long outer, long inner) {
    List<Long> shape = new ArrayList<>(Arrays.stream(x.shape()).boxed().toList());
    List<Long> strides = new ArrayList<>(Arrays.stream(x.strides()).boxed().toList());
    shape.set(1, inner);
    shape.add(1, outer);
    strides.add(1, strides.get(1) * inner);
    return x.strided(
        shape.stream().mapToLong(Long::longValue).toArray(),
        strides.stream().mapToLong(Long::longValue).toArray());
  }

  private static void blocks(Lowering call) {
    List<AtenTensor> tensors = call.tensors("tensors");
    call.leave(0);
    call.result(0)
        .ifPresent(
            result -> {
              zero(call, result);
              long row = 0;
              long column = 0;
              for (AtenTensor tensor : tensors) {
                AtenTensor block = tensor;
                while (block.rank() < 2) {
                  block = block.unsqueeze(0);
                }
                AtenTensor place =
                    result.narrow(0, row, block.shape()[0]).narrow(1, column, block.shape()[1]);
                call.write(place, call.read(block, result.dtype()));
                call.endStep();
                row += block.shape()[0];
                column += block.shape()[1];
              }
            });
  }

  private static void trace(Lowering call) {
    AtenTensor self = call.tensor("self");
    if (self.rank() != 2) {
      throw new Refused("self of " + self.rank() + " dimensions");
    }
    DType type = self.dtype().isFloating() ? self.dtype() : DType.I64;
    Expr diagonal = call.read(diagonal(self, 0, 0, 1), type);
    call.write(
        0,
        Exprs.fold(Reducer.SUM, diagonal.to(Operand.computeType(type)), List.of(0), false)
            .to(type));
  }
}

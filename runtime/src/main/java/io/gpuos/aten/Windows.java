package io.gpuos.aten;

import static io.gpuos.aten.Exprs.call;

import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Largest elements of windows, windows as columns, and convolutions as products of these. */
final class Windows {

  /** Elements of a kernel that are added up one after the other. */
  private static final long MOST_ADDITIONS = 128;

  private Windows() {}

  static void add(TableBuilder table) {
    table.family("Windows and convolutions");
    for (int dims = 2; dims <= 3; dims++) {
      int count = dims;
      String name = "max_pool" + dims + "d_with_indices";
      table.plain(name, "largest of windows, and where", call -> largest(call, count));
      table.plain(
          name + "_backward",
          "grad_input",
          "grad_output where the largest was",
          call -> atIndices(call, "grad_output", ArrayFunction.SCATTER_ADD, count));
      String adaptive = "adaptive_max_pool" + dims + "d";
      table.plain(
          adaptive, "largest of output_size windows, and where", call -> shares(call, count));
      table.plain(
          adaptive + "_backward",
          "grad_input",
          "grad_output where the largest was",
          call -> atIndices(call, "grad_output", ArrayFunction.SCATTER_ADD, count));
      table.plain(
          "max_unpool" + dims + "d",
          "self where indices say, 0 elsewhere",
          call -> atIndices(call, "self", ArrayFunction.SCATTER, count));
    }
    table.plain("im2col", "windows as columns", Windows::toColumns);
    table.plain("col2im", "columns added up where their windows are", Windows::toImage);
    table.plain("convolution", "convolution of groups, also transposed", Windows::convolution);
    table.plain(
        "convolution_backward",
        "gradients of input, weight and bias",
        Windows::convolutionBackward);
    table.plain("unfold_backward", "gradients of windows, added up", Windows::unfoldBackward);
  }

  /** Size, step, distance and border of windows, and how many there are, by dimension. */
  private record Grid(long[] kernel, long[] step, long[] gap, long[] border, long[] count) {

    int dims() {
      return kernel.length;
    }

    long kernelSize() {
      return Arrays.stream(kernel).reduce(1, Math::multiplyExact);
    }

    long windows() {
      return Arrays.stream(count).reduce(1, Math::multiplyExact);
    }

    /** With borders, and as long as the last window asks for. */
    long padded(int d, long size) {
      long last = (count[d] - 1) * step[d] + (kernel[d] - 1) * gap[d] + 1;
      return Math.max(last, size + 2 * border[d]);
    }
  }

  private static long[] each(long[] given, int dims, long otherwise) {
    return IntStream.range(0, dims).mapToLong(d -> Lines.of(given, d, otherwise)).toArray();
  }

  private static Grid grid(Lowering call, long[] kernel, long[] count) {
    int dims = kernel.length;
    long[] step = call.integers("stride");
    return new Grid(
        kernel,
        step.length == 0 ? kernel : each(step, dims, 1),
        each(call.integers("dilation"), dims, 1),
        each(call.integers("padding"), dims, 0),
        count);
  }

  private static long[] last(AtenTensor tensor, int dims) {
    return Arrays.copyOfRange(tensor.shape(), tensor.rank() - dims, tensor.rank());
  }

  /** The image within its border, [.., padded sizes]. */
  private static AtenTensor bordered(Lowering call, AtenTensor image, Grid grid, Expr border) {
    AtenTensor whole = emptyBordered(call, image.shape(), image.dtype(), grid);
    call.write(whole, call.everywhere(border.to(image.dtype()), whole.shape()));
    call.endStep();
    call.write(inner(whole, last(image, grid.dims()), grid), call.read(image));
    call.endStep();
    return whole;
  }

  private static AtenTensor emptyBordered(Lowering call, long[] image, DType type, Grid grid) {
    long[] shape = image.clone();
    for (int d = 0; d < grid.dims(); d++) {
      int axis = shape.length - grid.dims() + d;
      shape[axis] = grid.padded(d, shape[axis]);
    }
    return call.scratch(type, shape);
  }

  private static AtenTensor inner(AtenTensor whole, long[] sizes, Grid grid) {
    AtenTensor view = whole;
    for (int d = 0; d < grid.dims(); d++) {
      view = view.narrow(whole.rank() - grid.dims() + d, grid.border()[d], sizes[d]);
    }
    return view;
  }

  /** The elements of all windows: [.., kernel sizes, counts of windows], or counts first. */
  private static AtenTensor windows(AtenTensor whole, Grid grid, boolean kernelFirst) {
    int dims = grid.dims();
    int head = whole.rank() - dims;
    long[] shape = Arrays.copyOf(whole.shape(), head + 2 * dims);
    long[] strides = Arrays.copyOf(whole.strides(), head + 2 * dims);
    for (int d = 0; d < dims; d++) {
      long stride = whole.layout().stride(head + d);
      int kernel = head + d + (kernelFirst ? 0 : dims);
      int place = head + d + (kernelFirst ? dims : 0);
      shape[kernel] = grid.kernel()[d];
      strides[kernel] = stride * grid.gap()[d];
      shape[place] = grid.count()[d];
      strides[place] = stride * grid.step()[d];
    }
    if (shape.length > 8) {
      throw new Refused("windows of " + shape.length + " dimensions");
    }
    return whole.strided(shape, strides);
  }

  // ---- largest
  // --------------------------------------------------------------------------------------

  private static void largest(Lowering call, int dims) {
    AtenTensor self = call.tensor("self");
    call.ignore("ceil_mode");
    if (!self.dtype().isFloating() || self.elements() == 0 || self.rank() < dims) {
      throw new Refused("windows of " + self);
    }
    AtenTensor shape = call.result(0).or(() -> call.result(1)).orElse(self);
    Grid grid = grid(call, each(call.integers("kernel_size"), dims, 1), last(shape, dims));
    AtenTensor whole = bordered(call, self, grid, Expr.of(Double.NEGATIVE_INFINITY));
    AtenTensor windows = windows(whole, grid, false);
    List<Integer> axes = IntStream.range(windows.rank() - dims, windows.rank()).boxed().toList();
    Expr x = call.read(windows);
    long[] results = Arrays.copyOf(windows.shape(), windows.rank() - dims);
    AtenTensor place = call.kept(DType.I64, Exprs.fold(Reducer.ARGMAX, x, axes, false), results);
    call.write(0, Exprs.fold(Reducer.MAX, x, axes, false));
    call.write(1, inPlane(call, call.read(place), grid, last(self, dims)));
  }

  /** Windows that share out a plane, which each looks at as a whole. */
  private static void shares(Lowering call, int dims) {
    AtenTensor self = call.tensor("self");
    call.ignore("output_size");
    AtenTensor shape = call.result(0).or(() -> call.result(1)).orElse(self);
    if (self.rank() < dims || !self.dtype().isFloating() || self.elements() == 0) {
      throw new Refused("windows of " + self);
    }
    long[] sizes = last(self, dims);
    long[] counts = last(shape, dims);
    long windows = Arrays.stream(counts).reduce(1, Math::multiplyExact);
    int rank = self.rank() + dims;
    if (rank > 8 || self.elements() * windows > 1L << 26) {
      throw new Refused("windows that take too many comparisons: windows=" + windows);
    }
    AtenTensor plane = self;
    for (int d = 0; d < dims; d++) {
      plane = plane.unsqueeze(self.rank() - dims);
    }
    Expr inside = Expr.of(true);
    for (int d = 0; d < dims; d++) {
      Expr window = call.read(at(counts[d], rank - 2 * dims + d, rank));
      Expr place = call.read(at(sizes[d], rank - dims + d, rank));
      Expr from = call(Function.FLOOR_DIVIDE, window.mul(Expr.of(sizes[d])), Expr.of(counts[d]));
      Expr next = window.add(Expr.of(1L)).mul(Expr.of(sizes[d])).add(Expr.of(counts[d] - 1));
      Expr to = call(Function.FLOOR_DIVIDE, next, Expr.of(counts[d]));
      inside = Exprs.and(inside, Exprs.and(Exprs.atMost(from, place), Exprs.less(place, to)));
    }
    Expr least = Expr.of(Double.NEGATIVE_INFINITY);
    Expr x = Exprs.where(inside, call.read(plane), least);
    List<Integer> axes = IntStream.range(rank - dims, rank).boxed().toList();
    call.write(0, Exprs.fold(Reducer.MAX, x, axes, false));
    call.write(1, Exprs.fold(Reducer.ARGMAX, x, axes, false));
  }

  /** Counts along a dimension of so many. */
  private static AtenTensor at(long size, int dim, int rank) {
    return trailing(AtenTensor.count(size), rank - dim - 1);
  }

  /** From the place in a window to that in the image. */
  private static Expr inPlane(Lowering call, Expr place, Grid grid, long[] sizes) {
    Expr sum = Expr.of(0L);
    long rest = grid.kernelSize();
    for (int d = 0; d < grid.dims(); d++) {
      rest /= grid.kernel()[d];
      Expr within = call(Function.FLOOR_DIVIDE, place, Expr.of(rest));
      within = call(Function.REMAINDER, within, Expr.of(grid.kernel()[d]));
      AtenTensor window = AtenTensor.count(grid.count()[d]);
      for (int k = d + 1; k < grid.dims(); k++) {
        window = window.unsqueeze(window.rank());
      }
      Expr at =
          call.read(window)
              .mul(Expr.of(grid.step()[d]))
              .sub(Expr.of(grid.border()[d]))
              .add(within.mul(Expr.of(grid.gap()[d])));
      sum = sum.mul(Expr.of(sizes[d])).add(at);
    }
    return sum;
  }

  /** Elements written where indices into the last dimensions say. */
  private static void atIndices(Lowering call, String source, ArrayFunction function, int dims) {
    call.ignore("self", "kernel_size", "stride", "padding", "dilation", "ceil_mode");
    call.ignore("output_size");
    AtenTensor from = call.contiguous(call.tensor(source));
    AtenTensor indices = call.contiguous(call.tensor("indices"));
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    if (from.elements() == 0 || from.rank() < dims) {
      throw new Refused("windows of " + from);
    }
    long inside = Arrays.stream(last(result, dims)).reduce(1, Math::multiplyExact);
    long each = Arrays.stream(last(from, dims)).reduce(1, Math::multiplyExact);
    long planes = from.elements() / each;
    AtenTensor flat = call.scratch(result.dtype(), planes, inside);
    Views.zero(call, flat);
    Expr written =
        Indexing.scattered(
            function,
            call.read(flat),
            1,
            call.read(indices.reshape(planes, each)),
            call.read(from.reshape(planes, each), result.dtype()));
    call.write(flat, written);
    call.endStep();
    call.write(result, call.read(flat.reshape(result.shape())));
  }

  // ---- columns
  // --------------------------------------------------------------------------------------

  /** Counts of windows, from the sizes of an image. */
  private static long[] counts(Lowering call, long[] kernel, long[] sizes) {
    Grid grid = grid(call, kernel, sizes);
    return IntStream.range(0, kernel.length)
        .mapToLong(
            d ->
                (sizes[d] + 2 * grid.border()[d] - grid.gap()[d] * (kernel[d] - 1) - 1)
                        / grid.step()[d]
                    + 1)
        .toArray();
  }

  private static void toColumns(Lowering call) {
    AtenTensor image = call.tensor("self");
    long[] kernel = call.integers("kernel_size");
    long[] counts = counts(call, kernel, last(image, kernel.length));
    Grid grid = grid(call, kernel, counts);
    AtenTensor windows = windows(bordered(call, image, grid, Exprs.ZERO), grid, true);
    AtenTensor columns = call.kept(image.dtype(), call.read(windows), windows.shape());
    call.leave(0);
    call.result(0)
        .ifPresent(result -> call.write(result, call.read(columns.reshape(result.shape()))));
  }

  private static void toImage(Lowering call) {
    AtenTensor columns = call.contiguous(call.tensor("self"));
    long[] kernel = call.integers("kernel_size");
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    call.ignore("output_size");
    Grid grid = grid(call, kernel, counts(call, kernel, last(result, kernel.length)));
    AtenTensor image = added(call, columns, result.shape(), grid);
    call.write(result, call.read(image).to(result.dtype()));
  }

  /**
   * Columns [.., kernel sizes, counts] added up to an image of a shape, in the type computed in.
   */
  private static AtenTensor added(Lowering call, AtenTensor columns, long[] image, Grid grid) {
    if (grid.kernelSize() > MOST_ADDITIONS) {
      throw new Refused("windows of " + grid.kernelSize() + " elements, added up one by one");
    }
    DType computed = Operand.computeType(columns.dtype());
    AtenTensor whole = emptyBordered(call, image, computed, grid);
    Views.zero(call, whole);
    AtenTensor places = windows(whole, grid, true);
    AtenTensor values = columns.reshape(places.shape());
    int head = whole.rank() - grid.dims();
    for (long k = 0; k < grid.kernelSize(); k++) {
      AtenTensor place = places;
      AtenTensor value = values;
      long rest = k;
      for (int d = grid.dims() - 1; d >= 0; d--) {
        place = place.select(head + d, rest % grid.kernel()[d]);
        value = value.select(head + d, rest % grid.kernel()[d]);
        rest /= grid.kernel()[d];
      }
      call.write(place, call.read(place).add(call.read(value, computed)));
      call.endStep();
    }
    return inner(whole, Arrays.copyOfRange(image, head, image.length), grid);
  }

  private static void unfoldBackward(Lowering call) {
    AtenTensor grad = call.tensor("grad_in");
    long size = call.integer("size");
    long step = call.integer("step");
    call.ignore("input_sizes");
    long dim = call.integer("dim");
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get().atLeastOne();
    if (size > MOST_ADDITIONS) {
      throw new Refused("windows of " + size + " elements, added up one by one");
    }
    DType computed = Operand.computeType(result.dtype());
    AtenTensor sum = call.scratch(computed, result.shape());
    Views.zero(call, sum);
    AtenTensor windows = Views.windows(sum, Views.axis(sum, dim), size, step);
    for (long k = 0; k < size; k++) {
      AtenTensor place = windows.select(windows.rank() - 1, k);
      AtenTensor value = grad.select(grad.rank() - 1, k);
      call.write(place, call.read(place).add(call.read(value, computed)));
      call.endStep();
    }
    call.write(result, call.read(sum).to(result.dtype()));
  }

  // ---- convolutions
  // ---------------------------------------------------------------------------------

  /**
   * A convolution from an image [N, C, ..] to a grid [N, O, ..]; a transposed one goes the other
   * way.
   */
  private record Convolution(Lowering call, AtenTensor weight, Grid grid, long groups) {

    /** [G, O / G, C / G * kernel]. */
    AtenTensor matrix() {
      AtenTensor flat = call.contiguous(weight);
      long rows = weight.shape()[0] / groups;
      return flat.reshape(groups, rows, weight.elements() / Math.max(1, groups * rows));
    }

    /** [N, G, C / G * kernel, windows], in the image's type. */
    AtenTensor columns(AtenTensor image) {
      AtenTensor windows = Windows.windows(bordered(call, image, grid, Exprs.ZERO), grid, true);
      AtenTensor copy = call.kept(image.dtype(), call.read(windows), windows.shape());
      long n = image.shape()[0];
      long each = image.shape()[1] / groups * grid.kernelSize();
      return copy.reshape(n, groups, each, grid.windows());
    }

    /** A tensor on the grid as [N, G, O / G, windows]. */
    AtenTensor rows(AtenTensor onGrid) {
      long n = onGrid.shape()[0];
      long each = onGrid.shape()[1] / groups;
      return call.contiguous(onGrid).reshape(n, groups, each, grid.windows());
    }

    /** [N, G, O / G, windows] of an image. */
    Expr toGrid(AtenTensor image) {
      return call.read(matrix()).matmul(call.read(columns(image)));
    }

    /** An image of a shape, of what is on the grid, in the type computed in. */
    AtenTensor toImage(AtenTensor onGrid, long[] image) {
      DType type = Operand.computeType(onGrid.dtype());
      Expr turned = call.read(matrix().transpose(1, 2));
      Expr product = turned.matmul(call.read(rows(onGrid))).to(type);
      long each = image[1] / groups * grid.kernelSize();
      AtenTensor columns =
          call.kept(type, product, onGrid.shape()[0], groups, each, grid.windows());
      return added(call, columns, image, grid);
    }

    /** The gradient of the weight, [G, O / G, C / G * kernel]. */
    Expr ofWeight(AtenTensor onGrid, AtenTensor image) {
      DType computed = Operand.computeType(onGrid.dtype());
      Expr left = call.read(rows(onGrid), computed);
      Expr right = call.read(columns(image).transpose(2, 3), computed);
      return Exprs.fold(Reducer.SUM, left.matmul(right), List.of(0), false);
    }
  }

  private static Convolution checked(
      Lowering call, AtenTensor image, AtenTensor onGrid, AtenTensor weight) {
    int dims = weight.rank() - 2;
    call.ignore("output_padding");
    if (dims < 1 || image.rank() != dims + 2 || image.elements() == 0 || weight.elements() == 0) {
      throw new Refused("a convolution of " + image + " with " + weight);
    }
    if (onGrid.elements() == 0 || !weight.dtype().isFloating()) {
      throw new Refused("a convolution of " + onGrid + " with " + weight);
    }
    Grid grid = grid(call, last(weight, dims), last(onGrid, dims));
    for (int d = 0; d < dims; d++) {
      if (grid.border()[d] < 0) {
        throw new Refused("a border that cuts off");
      }
    }
    return new Convolution(call, weight, grid, call.integer("groups"));
  }

  private static void convolution(Lowering call) {
    AtenTensor input = call.tensor("input");
    AtenTensor weight = call.tensor("weight");
    boolean transposed = call.flag("transposed");
    call.leave(0);
    AtenTensor result =
        call.result(0).orElseThrow(() -> new Refused("a convolution that nobody keeps"));
    DType type = result.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor values;
    if (transposed) {
      Convolution back = checked(call, result, input, weight);
      values = back.toImage(input, result.shape());
    } else {
      Convolution onward = checked(call, input, result, weight);
      Expr product = onward.toGrid(input).to(computed);
      values =
          call.kept(
                  computed,
                  product,
                  result.shape()[0],
                  onward.groups(),
                  result.shape()[1] / onward.groups(),
                  onward.grid().windows())
              .reshape(result.shape());
    }
    Expr value = call.read(values, computed);
    Expr sum =
        call.optionalTensor("bias")
            .map(bias -> value.add(call.read(trailing(bias, weight.rank() - 2), computed)))
            .orElse(value);
    call.write(result, sum.to(type));
  }

  private static AtenTensor trailing(AtenTensor tensor, int count) {
    AtenTensor view = tensor;
    for (int k = 0; k < count; k++) {
      view = view.unsqueeze(view.rank());
    }
    return view;
  }

  private static void convolutionBackward(Lowering call) {
    AtenTensor grad = call.tensor("grad_output");
    AtenTensor input = call.tensor("input");
    AtenTensor weight = call.tensor("weight");
    boolean transposed = call.flag("transposed");
    call.ignore("bias_sizes", "output_mask");
    Convolution convolution =
        transposed ? checked(call, grad, input, weight) : checked(call, input, grad, weight);
    List<Integer> others = new ArrayList<>(List.of(0));
    IntStream.range(2, grad.rank()).forEach(others::add);
    call.leave(0);
    call.result(0).ifPresent(result -> ofInput(call, convolution, grad, result, transposed));
    call.leave(1);
    call.result(1)
        .ifPresent(
            result -> {
              Expr value =
                  transposed
                      ? convolution.ofWeight(input, grad)
                      : convolution.ofWeight(grad, input);
              long[] shape = convolution.matrix().shape();
              AtenTensor kept = call.kept(result.dtype(), value.to(result.dtype()), shape);
              call.write(result, call.read(kept.reshape(result.shape())));
              call.endStep();
            });
    call.leave(2);
    call.result(2)
        .ifPresent(
            result -> {
              Expr all = call.read(grad, Operand.computeType(grad.dtype()));
              Expr sum = Exprs.fold(Reducer.SUM, all, others, false);
              call.write(result, sum.to(result.dtype()));
            });
  }

  private static void ofInput(
      Lowering call,
      Convolution convolution,
      AtenTensor grad,
      AtenTensor result,
      boolean transposed) {
    if (transposed) {
      long[] shape = {
        result.shape()[0],
        convolution.groups(),
        result.shape()[1] / convolution.groups(),
        convolution.grid().windows()
      };
      AtenTensor kept = call.kept(result.dtype(), convolution.toGrid(grad), shape);
      call.write(result, call.read(kept.reshape(result.shape())));
    } else {
      AtenTensor image = convolution.toImage(grad, result.shape());
      call.write(result, call.read(image).to(result.dtype()));
    }
    call.endStep();
  }
}

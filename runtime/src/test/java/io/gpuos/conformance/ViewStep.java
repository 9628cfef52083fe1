package io.gpuos.conformance;

import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import java.util.Arrays;

/**
 * One change of view, in three forms: {@link #apply(Tensor)} and {@link #apply(SymbolicTensor)} ask
 * the library, {@link #apply(PlainView)} moves a list of positions about, element by element.
 */
sealed interface ViewStep {

  Tensor apply(Tensor tensor);

  PlainView apply(PlainView view);

  SymbolicTensor apply(SymbolicTensor tensor);

  /** Python's {@code [start:stop:step]} of one dimension; bounds as in {@link Tensor#slice}. */
  record Slice(int dim, long start, long stop, long step) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.slice(dim, start, stop, step);
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.slice(dim, start, stop, step);
    }

    @Override
    public PlainView apply(PlainView view) {
      int size = view.shape()[dim];
      int[] picked =
          step > 0
              ? walk(size, clamp(start, 0, size, size), clamp(stop, 0, size, size))
              : walk(size, clamp(start, -1, size - 1, size), clamp(stop, -1, size - 1, size));
      return view.pick(dim, picked);
    }

    private int[] walk(int size, int from, int to) {
      int[] picked = new int[size];
      int count = 0;
      for (int i = from; step > 0 ? i < to : i > to; i += (int) step) {
        picked[count++] = i;
      }
      return Arrays.copyOf(picked, count);
    }

    private static int clamp(long bound, int low, int high, int size) {
      return Math.clamp(bound < 0 ? bound + size : bound, low, high);
    }
  }

  /** One index of a dimension, which goes. */
  record Select(int dim, int index) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.select(dim, index);
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.select(dim, index);
    }

    @Override
    public PlainView apply(PlainView view) {
      return view.pick(dim, index < 0 ? index + view.shape()[dim] : index).without(dim);
    }
  }

  /** A dimension backwards. */
  record Flip(int dim) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.flip(dim);
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.flip(dim);
    }

    @Override
    public PlainView apply(PlainView view) {
      int size = view.shape()[dim];
      int[] picked = new int[size];
      Arrays.setAll(picked, i -> size - 1 - i);
      return view.pick(dim, picked);
    }
  }

  /** Dimensions in another order. */
  record Permute(int... order) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return order.length == 2 && order[0] == 1 ? tensor.transpose(0, 1) : tensor.permute(order);
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return order.length == 2 && order[0] == 1 ? tensor.transpose(0, 1) : tensor.permute(order);
    }

    @Override
    public PlainView apply(PlainView view) {
      return view.permute(order);
    }

    @Override
    public String toString() {
      return "Permute" + Arrays.toString(order);
    }
  }

  /** A new dimension of size 1. */
  record Unsqueeze(int dim) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.unsqueeze(dim);
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.unsqueeze(dim);
    }

    @Override
    public PlainView apply(PlainView view) {
      return view.with(dim);
    }
  }

  /** Dimensions of size 1 repeated, and new leading ones. */
  record Expand(int... shape) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.expand(longs(shape));
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.expand(longs(shape));
    }

    @Override
    public PlainView apply(PlainView view) {
      PlainView expanded = view;
      while (expanded.shape().length < shape.length) {
        expanded = expanded.with(0);
      }
      for (int d = 0; d < shape.length; d++) {
        if (expanded.shape()[d] != shape[d]) {
          expanded = expanded.pick(d, new int[shape[d]]);
        }
      }
      return expanded;
    }

    @Override
    public String toString() {
      return "Expand" + Arrays.toString(shape);
    }
  }

  /** The same elements in another shape. */
  record Reshape(int... shape) implements ViewStep {
    @Override
    public Tensor apply(Tensor tensor) {
      return tensor.reshape(longs(shape));
    }

    @Override
    public SymbolicTensor apply(SymbolicTensor tensor) {
      return tensor.reshape(longs(shape));
    }

    @Override
    public PlainView apply(PlainView view) {
      return new PlainView(shape, view.positions());
    }

    @Override
    public String toString() {
      return "Reshape" + Arrays.toString(shape);
    }
  }

  private static long[] longs(int[] shape) {
    return Arrays.stream(shape).asLongStream().toArray();
  }
}

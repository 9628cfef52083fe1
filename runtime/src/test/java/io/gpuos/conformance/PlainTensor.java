package io.gpuos.conformance;

import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;

/**
 * A dense row-major tensor of doubles, and loops over it that know nothing of strides, types and
 * plans: what mixed expressions are compared with.
 */
record PlainTensor(int[] shape, double[] values) {

  PlainTensor map(DoubleUnaryOperator function) {
    return new PlainTensor(shape, Arrays.stream(values).map(function).toArray());
  }

  /** Element by element, broadcast as NumPy does; null if the shapes do not fit. */
  PlainTensor zip(PlainTensor other, DoubleBinaryOperator function) {
    int[] joint = joint(shape, other.shape);
    if (joint == null) {
      return null;
    }
    double[] result = new double[PlainView.count(joint)];
    for (int k = 0; k < result.length; k++) {
      int[] at = coordinates(k, joint);
      result[k] =
          function.applyAsDouble(values[index(at, shape)], other.values[index(at, other.shape)]);
    }
    return new PlainTensor(joint, result);
  }

  /** Folds one axis. */
  PlainTensor fold(int axis, boolean keepdim, ToDoubleFunction<double[]> function) {
    int[] kept = shape.clone();
    kept[axis] = 1;
    double[] result = new double[PlainView.count(kept)];
    for (int k = 0; k < result.length; k++) {
      int[] at = coordinates(k, kept);
      double[] row = new double[shape[axis]];
      for (int i = 0; i < row.length; i++) {
        at[axis] = i;
        row[i] = values[index(at, shape)];
      }
      result[k] = function.applyAsDouble(row);
    }
    return new PlainTensor(keepdim ? kept : without(axis), result);
  }

  private int[] without(int axis) {
    int[] rest = new int[shape.length - 1];
    System.arraycopy(shape, 0, rest, 0, axis);
    System.arraycopy(shape, axis + 1, rest, axis, rest.length - axis);
    return rest;
  }

  /**
   * As {@code torch.matmul} of two tensors with at least two dimensions; null if they do not fit.
   */
  PlainTensor matmul(PlainTensor other) {
    int rank = shape.length;
    int otherRank = other.shape.length;
    if (rank < 2 || otherRank < 2 || shape[rank - 1] != other.shape[otherRank - 2]) {
      return null;
    }
    int[] batches =
        joint(Arrays.copyOf(shape, rank - 2), Arrays.copyOf(other.shape, otherRank - 2));
    if (batches == null) {
      return null;
    }
    int[] product = Arrays.copyOf(batches, batches.length + 2);
    product[batches.length] = shape[rank - 2];
    product[batches.length + 1] = other.shape[otherRank - 1];
    double[] result = new double[PlainView.count(product)];
    for (int k = 0; k < result.length; k++) {
      int[] left = coordinates(k, product);
      int[] right = left.clone();
      for (int i = 0; i < shape[rank - 1]; i++) {
        left[product.length - 1] = i;
        right[product.length - 2] = i;
        result[k] += values[index(left, shape)] * other.values[index(right, other.shape)];
      }
    }
    return new PlainTensor(product, result);
  }

  /** The shape both broadcast to, or null. */
  private static int[] joint(int[] a, int[] b) {
    int[] joint = new int[Math.max(a.length, b.length)];
    for (int d = 1; d <= joint.length; d++) {
      int x = d > a.length ? 1 : a[a.length - d];
      int y = d > b.length ? 1 : b[b.length - d];
      if (x != y && x != 1 && y != 1) {
        return null;
      }
      joint[joint.length - d] = x == 1 ? y : x;
    }
    return joint;
  }

  private static int[] coordinates(int position, int[] shape) {
    int[] at = new int[shape.length];
    int rest = position;
    for (int d = shape.length - 1; d >= 0; d--) {
      at[d] = rest % shape[d];
      rest /= shape[d];
    }
    return at;
  }

  /** Index of an element at coordinates that broadcasting aligned to the end. */
  private static int index(int[] at, int[] shape) {
    int index = 0;
    for (int d = 0; d < shape.length; d++) {
      int own = shape[d] == 1 ? 0 : at[d + at.length - shape.length];
      index = index * shape[d] + own;
    }
    return index;
  }
}

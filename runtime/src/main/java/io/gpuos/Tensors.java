package io.gpuos;

import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Shapes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Functions of tensors that go beyond one operator, since they look at operands or results through
 * views. Each comes for tensors, which it computes and waits for, and for those of a {@link
 * Recording}, where it is recorded. Names and meaning are PyTorch's.
 */
public final class Tensors {

  private static final Operator COPY = Operator.of("x");

  private Tensors() {}

  /** What is joined: where, and what comes out. */
  private record Joined(DType type, int axis, long[] shape) {

    /**
     * @param stacked whether the axis is a new one, in which each tensor has size 1
     */
    static Joined of(boolean stacked, int axis, List<DType> types, List<long[]> shapes) {
      String name = stacked ? "stack" : "cat";
      int rank = shapes.isEmpty() ? 0 : shapes.getFirst().length + (stacked ? 1 : 0);
      int place = axis < 0 ? axis + rank : axis;
      if (place < 0 || place >= rank || rank > Shapes.MAX_RANK) {
        throw doesNotFit(name, axis, shapes);
      }
      long[] first = shapes.getFirst();
      long size = 0;
      DType type = types.getFirst();
      for (int k = 0; k < shapes.size(); k++) {
        long[] shape = shapes.get(k).clone();
        if (!stacked && shape.length == rank) {
          size += shape[place];
          shape[place] = first[place];
        }
        if (!Arrays.equals(shape, first)) {
          throw doesNotFit(name, axis, shapes);
        }
        type = DType.promote(type, types.get(k));
      }
      long[] result = new long[rank];
      for (int d = 0, from = 0; d < rank; d++) {
        result[d] = d != place ? first[from++] : stacked ? shapes.size() : size;
        from += d == place && !stacked ? 1 : 0;
      }
      return new Joined(type, place, result);
    }

    private static ShapeException doesNotFit(String name, int axis, List<long[]> shapes) {
      return new ShapeException(
          String.format(
              Locale.ROOT,
              "tensors do not fit: function=%s, axis=%d, shapes=%s, expected=at least one tensor, equal sizes but along an axis of them",
              name,
              axis,
              shapes.stream().map(Shapes::format).collect(Collectors.joining(", "))));
    }
  }

  /**
   * The tensors one behind the other along an axis, in their common type: each is copied to its
   * part of the result.
   *
   * @param axis an existing one, negative from the end
   * @throws ShapeException if there is no tensor, the axis does not exist, or sizes of other axes
   *     differ
   */
  public static Tensor cat(Gpuos gpu, int axis, Tensor... tensors) {
    Joined joined = joined(false, axis, tensors);
    Tensor result = gpu.empty(joined.type(), joined.shape());
    List<Submission> copies = new ArrayList<>();
    long from = 0;
    for (Tensor tensor : tensors) {
      long size = tensor.size(joined.axis());
      copies.add(gpu.submitInto(COPY, result.narrow(joined.axis(), from, size), tensor));
      from += size;
    }
    copies.forEach(Submission::await);
    return result;
  }

  /** As {@link #cat(Gpuos, int, Tensor...)}, recorded. */
  public static SymbolicTensor cat(Recording scope, int axis, SymbolicTensor... tensors) {
    Joined joined = joined(false, axis, tensors);
    SymbolicTensor result = scope.empty(joined.type(), joined.shape());
    long from = 0;
    for (SymbolicTensor tensor : tensors) {
      long size = tensor.shape()[joined.axis()];
      scope.applyInto(result.narrow(joined.axis(), from, size), COPY, tensor);
      from += size;
    }
    return result;
  }

  /**
   * Tensors of one shape along a new axis, in their common type.
   *
   * @param axis of the result, negative from the end
   * @throws ShapeException if there is no tensor, the axis is out of range, or shapes differ
   */
  public static Tensor stack(Gpuos gpu, int axis, Tensor... tensors) {
    Joined joined = joined(true, axis, tensors);
    Tensor result = gpu.empty(joined.type(), joined.shape());
    List<Submission> copies = new ArrayList<>();
    for (int k = 0; k < tensors.length; k++) {
      copies.add(gpu.submitInto(COPY, result.select(joined.axis(), k), tensors[k]));
    }
    copies.forEach(Submission::await);
    return result;
  }

  /** As {@link #stack(Gpuos, int, Tensor...)}, recorded. */
  public static SymbolicTensor stack(Recording scope, int axis, SymbolicTensor... tensors) {
    Joined joined = joined(true, axis, tensors);
    SymbolicTensor result = scope.empty(joined.type(), joined.shape());
    for (int k = 0; k < tensors.length; k++) {
      scope.applyInto(result.select(joined.axis(), k), COPY, tensors[k]);
    }
    return result;
  }

  private static Joined joined(boolean stacked, int axis, Tensor... tensors) {
    List<DType> types = Arrays.stream(tensors).map(Tensor::dtype).toList();
    return Joined.of(stacked, axis, types, Arrays.stream(tensors).map(Tensor::shape).toList());
  }

  private static Joined joined(boolean stacked, int axis, SymbolicTensor... tensors) {
    List<DType> types = Arrays.stream(tensors).map(SymbolicTensor::dtype).toList();
    List<long[]> shapes = Arrays.stream(tensors).map(SymbolicTensor::shape).toList();
    return Joined.of(stacked, axis, types, shapes);
  }

  // ---- group norm ---------------------------------------------------------------------------

  /**
   * Normalises groups of channels: {@code (x - mean) / sqrt(var + eps) * weight + bias}, with mean
   * and variance, without correction, over a group of neighbouring channels and all positions.
   *
   * @param x of shape [batch, channels, ..], of a floating type
   * @param groups a divisor of the channels
   * @param weight of shape [channels]
   * @param bias of shape [channels]
   * @throws ShapeException if the shapes do not fit
   */
  public static Tensor groupNorm(
      Gpuos gpu, Tensor x, long groups, Tensor weight, Tensor bias, double eps) {
    long[] split = split(x.shape(), groups, weight.shape(), bias.shape());
    long[] channels = channels(split);
    Tensor result =
        gpu.run(
            norm(split.length, eps),
            x.reshape(split),
            weight.reshape(channels),
            bias.reshape(channels));
    return result.reshape(x.shape());
  }

  /** As {@link #groupNorm(Gpuos, Tensor, long, Tensor, Tensor, double)}, recorded. */
  public static SymbolicTensor groupNorm(
      Recording scope,
      SymbolicTensor x,
      long groups,
      SymbolicTensor weight,
      SymbolicTensor bias,
      double eps) {
    long[] split = split(x.shape(), groups, weight.shape(), bias.shape());
    long[] channels = channels(split);
    SymbolicTensor result =
        scope.apply(
            norm(split.length, eps),
            x.reshape(split),
            weight.reshape(channels),
            bias.reshape(channels));
    return result.reshape(x.shape());
  }

  /** The shape with the channels split into groups. */
  private static long[] split(long[] x, long groups, long[] weight, long[] bias) {
    boolean fits = x.length >= 2 && x.length < Shapes.MAX_RANK && groups > 0 && x[1] % groups == 0;
    long[] channels = fits ? new long[] {x[1]} : new long[0];
    if (!fits || !Arrays.equals(weight, channels) || !Arrays.equals(bias, channels)) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "groups of channels: function=groupNorm, x=%s, groups=%d, weight=%s, bias=%s, expected=[batch, channels, ..] of less than %d dimensions, a divisor of the channels, [channels] twice",
              Shapes.format(x),
              groups,
              Shapes.format(weight),
              Shapes.format(bias),
              Shapes.MAX_RANK));
    }
    long[] split = new long[x.length + 1];
    split[0] = x[0];
    split[1] = groups;
    split[2] = x[1] / groups;
    System.arraycopy(x, 2, split, 3, x.length - 2);
    return split;
  }

  /** What the channels' weights are viewed as, to broadcast to the split shape. */
  private static long[] channels(long[] split) {
    long[] shape = new long[split.length - 1];
    Arrays.fill(shape, 1);
    shape[0] = split[1];
    shape[1] = split[2];
    return shape;
  }

  private static Operator norm(int rank, double eps) {
    List<Integer> axes = new ArrayList<>();
    for (int axis = 2; axis < rank; axis++) {
      axes.add(axis);
    }
    return Operator.of("layer_norm(x, w, b, axis=" + axes + ", eps=" + eps + ")");
  }
}

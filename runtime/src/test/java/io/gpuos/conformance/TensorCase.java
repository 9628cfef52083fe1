package io.gpuos.conformance;

import io.gpuos.Gpuos;
import io.gpuos.Tensor;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A tensor of a test: a contiguous base with values, and views of views of it.
 *
 * @param base the whole base tensor
 * @param steps from the base to the tensor
 */
record TensorCase(OracleTensor base, List<ViewStep> steps) {

  TensorCase {
    steps = List.copyOf(steps);
  }

  DType dtype() {
    return base.dtype();
  }

  /** The view by the plain model. */
  PlainView plain() {
    PlainView view = PlainView.whole(base.shape());
    for (ViewStep step : steps) {
      view = step.apply(view);
    }
    return view;
  }

  /** The elements of the view, for the oracle. */
  OracleTensor oracle() {
    return picked(base, plain());
  }

  /** The elements that {@code view} shows of {@code base}. */
  static OracleTensor picked(OracleTensor base, PlainView view) {
    int[] at = view.positions();
    return base.dtype().isFloating()
        ? new OracleTensor(
            base.dtype(),
            view.shape(),
            Arrays.stream(at).mapToDouble(i -> base.doubles()[i]).toArray(),
            null)
        : new OracleTensor(
            base.dtype(),
            view.shape(),
            null,
            Arrays.stream(at).mapToLong(i -> base.longs()[i]).toArray());
  }

  /** This tensor without its views: contiguous, with the same elements. */
  TensorCase contiguous() {
    return new TensorCase(oracle(), List.of());
  }

  /** The base on a device. */
  Tensor upload(Gpuos gpu) {
    Tensor tensor = gpu.empty(dtype(), Arrays.stream(base.shape()).asLongStream().toArray());
    if (dtype().isFloating()) {
      tensor.write(base.doubles());
    } else {
      tensor.write(base.longs());
    }
    return tensor;
  }

  /** The view of {@code uploaded}, which stays open; close the result too. */
  Tensor view(Tensor uploaded) {
    Tensor view = uploaded.reshape(uploaded.shape());
    for (ViewStep step : steps) {
      Tensor next = step.apply(view);
      view.close();
      view = next;
    }
    return view;
  }

  /** The elements of a device tensor. */
  static OracleTensor download(Tensor tensor) {
    int[] shape = Arrays.stream(tensor.shape()).mapToInt(Math::toIntExact).toArray();
    return tensor.dtype().isFloating()
        ? new OracleTensor(tensor.dtype(), shape, tensor.toDoubles(), null)
        : new OracleTensor(tensor.dtype(), shape, null, tensor.toLongs());
  }

  /** Whether two tensors hold the same values; NaN equals NaN and zeros differ in sign. */
  static boolean same(OracleTensor a, OracleTensor b) {
    return Arrays.equals(a.shape(), b.shape())
        && Arrays.equals(a.doubles(), b.doubles())
        && Arrays.equals(a.longs(), b.longs());
  }

  /** {@code base} with the elements of {@code view} replaced by {@code values}. */
  static OracleTensor replaced(OracleTensor base, PlainView view, OracleTensor values) {
    double[] doubles = base.doubles() == null ? null : base.doubles().clone();
    long[] longs = base.longs() == null ? null : base.longs().clone();
    int[] at = view.positions();
    IntStream.range(0, at.length)
        .forEach(
            i -> {
              if (doubles != null) {
                doubles[at[i]] = values.doubles()[i];
              } else {
                longs[at[i]] = values.longs()[i];
              }
            });
    return new OracleTensor(base.dtype(), base.shape(), doubles, longs);
  }

  @Override
  public String toString() {
    return steps.isEmpty() ? base.toString() : oracle() + " as " + steps + " of " + base;
  }
}

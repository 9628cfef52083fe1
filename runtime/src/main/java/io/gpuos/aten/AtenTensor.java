package io.gpuos.aten;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import java.util.Arrays;
import java.util.List;

/**
 * A tensor of a traced graph: type, shape and strides, and where it lies in its storage. Views are
 * other tensors of the same storage. Immutable; equal if they lie at the same place with the same
 * layout.
 *
 * @param storage number of the storage, or {@link #COUNT} for memory that the program itself holds
 * @param offset of the element at index 0 in every dimension, in bytes from the storage's begin
 * @param layout type, shape and strides; interned
 */
public record AtenTensor(int storage, long offset, Layout layout) {

  /** Stands for the numbers 0, 1, 2, ... of type I64, which every program holds. */
  static final int COUNT = -1;

  /** Number of a storage that a call makes for itself; further ones count down. */
  static final int FIRST_SCRATCH = -2;

  /** The numbers from 0 to {@code size - 1}. */
  static AtenTensor count(long size) {
    return new AtenTensor(COUNT, 0, Layout.contiguous(DType.I64, size));
  }

  /** A zero for each element of a shape. */
  static AtenTensor zeros(long... shape) {
    return new AtenTensor(COUNT, 0, Layout.of(DType.I64, shape, new long[shape.length]));
  }

  public DType dtype() {
    return layout.dtype();
  }

  /** Number of dimensions. */
  public int rank() {
    return layout.rank();
  }

  /** A copy of the shape. */
  public long[] shape() {
    return layout.shape();
  }

  /** First byte touched, from the storage's begin. */
  long begin() {
    return offset + layout.minByteOffset();
  }

  /** One past the last byte touched. */
  long end() {
    return offset + layout.maxByteOffset();
  }

  boolean hasShape(List<Long> shape) {
    return Arrays.stream(layout.shape()).boxed().toList().equals(shape);
  }

  private AtenTensor with(View view) {
    return new AtenTensor(storage, offset + view.elementOffset() * dtype().bytes(), view.layout());
  }

  AtenTensor transpose(int a, int b) {
    return with(View.of(layout).transpose(a, b));
  }

  /** Dimensions in another order. */
  AtenTensor permute(int... dims) {
    return with(View.of(layout).permute(dims));
  }

  AtenTensor unsqueeze(int dim) {
    return with(View.of(layout).unsqueeze(dim));
  }

  AtenTensor expand(long... shape) {
    return with(View.of(layout).expand(shape));
  }

  AtenTensor narrow(int dim, long from, long length) {
    return with(View.of(layout).narrow(dim, from, length));
  }

  AtenTensor slice(int dim, long from, long to, long step) {
    return with(View.of(layout).slice(dim, from, to, step));
  }

  AtenTensor select(int dim, long index) {
    return with(View.of(layout).select(dim, index));
  }

  AtenTensor flip(int dim) {
    return with(View.of(layout).flip(dim));
  }

  /** The same memory, seen with other sizes and strides, in elements. */
  AtenTensor strided(long[] shape, long[] strides) {
    return new AtenTensor(storage, offset, Layout.of(dtype(), shape, strides));
  }

  /** Seen from another element of the same storage, counted from this one's first. */
  AtenTensor strided(long[] shape, long[] strides, long from) {
    return new AtenTensor(
        storage, offset + from * dtype().bytes(), Layout.of(dtype(), shape, strides));
  }

  /** Strides in elements. */
  long[] strides() {
    long[] strides = new long[rank()];
    for (int d = 0; d < strides.length; d++) {
      strides[d] = layout.stride(d);
    }
    return strides;
  }

  /** Whether elements lie one behind the other in the order of the dimensions. */
  boolean isContiguous() {
    long expected = 1;
    for (int d = rank() - 1; d >= 0; d--) {
      if (shape()[d] != 1 && layout.stride(d) != expected) {
        return false;
      }
      expected *= shape()[d];
    }
    return true;
  }

  /** One that {@link #isContiguous}, with other sizes. */
  AtenTensor reshape(long... shape) {
    return new AtenTensor(storage, offset, Layout.contiguous(dtype(), shape));
  }

  /** One without dimensions as one of a single element; others as they are. */
  AtenTensor atLeastOne() {
    return rank() == 0 ? unsqueeze(0) : this;
  }

  /** The number of elements. */
  long elements() {
    return layout.elements();
  }

  @Override
  public String toString() {
    return layout + " in storage " + storage;
  }
}

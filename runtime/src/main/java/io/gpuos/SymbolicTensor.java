package io.gpuos;

import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import io.gpuos.schedule.Place;
import java.util.Locale;

/**
 * A tensor of a program that is being recorded: type, shape and a place, but no elements yet. Views
 * ({@link #slice}, {@link #transpose}, ...) are those of {@link Tensor}: they cost nothing, and
 * what is written through one shows in all. Immutable; of use only while its {@link Recording} is
 * open.
 */
public final class SymbolicTensor {

  private final Recording recording;
  private final int buffer;
  private final long start;
  private final View view;

  /**
   * @param start where the view's chain begins, in bytes from the buffer's begin
   */
  SymbolicTensor(Recording recording, int buffer, long start, View view) {
    this.recording = recording;
    this.buffer = buffer;
    this.start = start;
    this.view = view;
  }

  Recording recording() {
    return recording;
  }

  Place place() {
    return new Place(buffer, start + view.elementOffset() * dtype().bytes(), view.layout());
  }

  public DType dtype() {
    return view.layout().dtype();
  }

  public long[] shape() {
    return view.layout().shape();
  }

  /** Number of dimensions, 0 to 8. */
  public int rank() {
    return view.layout().rank();
  }

  /** Type, shape and strides. */
  public Layout layout() {
    return view.layout();
  }

  /**
   * The memory that this tensor is a part of, seen as another tensor: any type, shape and strides.
   *
   * @param byteOffset of the element at index 0 in every dimension, from this tensor's; a multiple
   *     of the type's size
   * @throws ShapeException if elements lie outside of the memory of the input, of the tensor in
   *     use, or of the result that this tensor is a view of
   */
  public SymbolicTensor reinterpret(Layout layout, long byteOffset) {
    long offset = place().offset() + byteOffset;
    long bytes = recording.bytes(buffer);
    boolean inside =
        offset + layout.minByteOffset() >= 0 && offset + layout.maxByteOffset() <= bytes;
    if (!(layout.isZeroSize() || inside) || offset % layout.dtype().bytes() != 0) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "tensor outside of its memory: layout=%s, offset=%d, expected=within %d bytes, at a multiple of %d",
              layout,
              offset,
              bytes,
              layout.dtype().bytes()));
    }
    return new SymbolicTensor(recording, buffer, offset, View.of(layout));
  }

  private SymbolicTensor with(View changed) {
    return new SymbolicTensor(recording, buffer, start, changed);
  }

  /** As {@link Tensor#slice(int, long, long, long)}. */
  public SymbolicTensor slice(int dim, long from, long to, long step) {
    return with(view.slice(dim, from, to, step));
  }

  /** {@link #slice(int, long, long, long)} with step 1. */
  public SymbolicTensor slice(int dim, long from, long to) {
    return with(view.slice(dim, from, to));
  }

  /** Index {@code index} of dimension {@code dim}, which goes away. */
  public SymbolicTensor select(int dim, long index) {
    return with(view.select(dim, index));
  }

  /** {@code length} elements of dimension {@code dim} from {@code from} on. */
  public SymbolicTensor narrow(int dim, long from, long length) {
    return with(view.narrow(dim, from, length));
  }

  /** Dimensions {@code a} and {@code b} exchanged. */
  public SymbolicTensor transpose(int a, int b) {
    return with(view.transpose(a, b));
  }

  /** Dimensions in the given order. */
  public SymbolicTensor permute(int... order) {
    return with(view.permute(order));
  }

  /** Broadcast to {@code shape}; -1 keeps a size. */
  public SymbolicTensor expand(long... shape) {
    return with(view.expand(shape));
  }

  /**
   * The same elements in another shape, where that is a view; one size may be -1.
   *
   * @throws io.gpuos.error.ShapeException if it would need a copy
   */
  public SymbolicTensor reshape(long... shape) {
    return with(view.reshape(shape));
  }

  /** Without dimension {@code dim}, if its size is 1. */
  public SymbolicTensor squeeze(int dim) {
    return with(view.squeeze(dim));
  }

  /** With a new dimension of size 1 at {@code dim}. */
  public SymbolicTensor unsqueeze(int dim) {
    return with(view.unsqueeze(dim));
  }

  /** Dimension {@code dim} backwards. */
  public SymbolicTensor flip(int dim) {
    return with(view.flip(dim));
  }

  @Override
  public String toString() {
    return layout().toString();
  }
}

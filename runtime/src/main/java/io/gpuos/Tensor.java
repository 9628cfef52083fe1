package io.gpuos;

import io.gpuos.error.ClosedException;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Shapes;
import io.gpuos.layout.View;
import io.gpuos.queue.Access;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.UnaryOperator;

/**
 * A typed, strided view of device memory. Views ({@link #slice}, {@link #transpose}, {@link
 * #expand}, ...) cost nothing and share the memory; it is freed when the tensor and all its views
 * are closed, or with the runtime. Memory may be closed while submitted tasks still use it.
 *
 * <p>Reads and writes from the host wait for the tasks that use the tensor. Thread-safe.
 */
public final class Tensor implements AutoCloseable {

  private static final Operator COPY = Operator.of("x");

  private final Gpuos runtime;
  private final Storage storage;
  private final View view;
  private final long address;
  private final Access access;
  private boolean closed;

  /** A tensor at {@code view} of {@code storage}, of which it takes over one use. */
  Tensor(Gpuos runtime, Storage storage, View view) {
    this.runtime = runtime;
    this.storage = storage;
    this.view = view;
    long start = view.elementOffset() * view.layout().dtype().bytes();
    this.address = storage.block().address() + start;
    this.access =
        view.layout().isZeroSize()
            ? new Access(storage.block().history(), 0, 0)
            : new Access(
                storage.block().history(),
                start + view.layout().minByteOffset(),
                start + view.layout().maxByteOffset());
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

  /** Size of dimension {@code dim}; negative ones count from the end. */
  public long size(int dim) {
    return view.layout().size(Shapes.axis(dim, rank()));
  }

  /** Number of elements. */
  public long elements() {
    return view.layout().elements();
  }

  /** Type, shape and strides. */
  public Layout layout() {
    return view.layout();
  }

  /** Device address of the element at index 0 in every dimension. */
  public long address() {
    return address;
  }

  Access access() {
    return access;
  }

  Gpuos runtime() {
    return runtime;
  }

  // ---- views ------------------------------------------------------------------------------------

  /**
   * Elements {@code start}, {@code start + step}, ... before {@code stop} of dimension {@code dim},
   * as Python slices: negative positions count from the end, out-of-range ones are clamped, a
   * negative step goes backwards.
   */
  public Tensor slice(int dim, long start, long stop, long step) {
    return viewed(v -> v.slice(dim, start, stop, step));
  }

  /** {@link #slice(int, long, long, long)} with step 1. */
  public Tensor slice(int dim, long start, long stop) {
    return viewed(v -> v.slice(dim, start, stop));
  }

  /** Index {@code index} of dimension {@code dim}, which goes away. */
  public Tensor select(int dim, long index) {
    return viewed(v -> v.select(dim, index));
  }

  /** {@code length} elements of dimension {@code dim} from {@code start} on. */
  public Tensor narrow(int dim, long start, long length) {
    return viewed(v -> v.narrow(dim, start, length));
  }

  /** Dimensions {@code a} and {@code b} exchanged. */
  public Tensor transpose(int a, int b) {
    return viewed(v -> v.transpose(a, b));
  }

  /** Dimensions in the given order. */
  public Tensor permute(int... order) {
    return viewed(v -> v.permute(order));
  }

  /** Broadcast to {@code shape}; -1 keeps a size. */
  public Tensor expand(long... shape) {
    return viewed(v -> v.expand(shape));
  }

  /**
   * The same elements in another shape, where that is a view; one size may be -1.
   *
   * @throws io.gpuos.error.ShapeException if it would need a copy
   */
  public Tensor reshape(long... shape) {
    return viewed(v -> v.reshape(shape));
  }

  /** Without dimension {@code dim}, if its size is 1. */
  public Tensor squeeze(int dim) {
    return viewed(v -> v.squeeze(dim));
  }

  /** With a new dimension of size 1 at {@code dim}. */
  public Tensor unsqueeze(int dim) {
    return viewed(v -> v.unsqueeze(dim));
  }

  /** Dimension {@code dim} backwards. */
  public Tensor flip(int dim) {
    return viewed(v -> v.flip(dim));
  }

  private Tensor viewed(UnaryOperator<View> change) {
    View changed = change.apply(view);
    synchronized (this) {
      checkOpen();
      return new Tensor(runtime, storage.share(), changed);
    }
  }

  // ---- host access
  // --------------------------------------------------------------------------------

  /** The elements in row-major order; I64 beyond 2^53 is rounded. */
  public double[] toDoubles() {
    return read(ElementCopy::toDoubles);
  }

  /** The elements in row-major order, converted. */
  public float[] toFloats() {
    return read(ElementCopy::toFloats);
  }

  /** The elements in row-major order; floating ones are truncated. */
  public long[] toLongs() {
    return read(ElementCopy::toLongs);
  }

  /** The elements in row-major order; {@code != 0}. */
  public boolean[] toBooleans() {
    return read(ElementCopy::toBooleans);
  }

  /**
   * Copies the elements to {@code target} in row-major order.
   *
   * @param target at least {@link Layout#byteSize} bytes
   */
  public void read(MemorySegment target) {
    Layout contiguous = Layout.contiguous(dtype(), shape());
    read(
        (memory, offset, layout) -> {
          ElementCopy.copy(memory, offset, layout, target, 0, contiguous);
          return target;
        });
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   */
  public void write(double... values) {
    checkLength(values.length);
    write((memory, offset, layout) -> ElementCopy.fromDoubles(values, memory, offset, layout));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   */
  public void write(float[] values) {
    checkLength(values.length);
    write((memory, offset, layout) -> ElementCopy.fromFloats(values, memory, offset, layout));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   */
  public void write(long[] values) {
    checkLength(values.length);
    write((memory, offset, layout) -> ElementCopy.fromLongs(values, memory, offset, layout));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   */
  public void write(boolean[] values) {
    checkLength(values.length);
    write((memory, offset, layout) -> ElementCopy.fromBooleans(values, memory, offset, layout));
  }

  /**
   * Replaces the elements by those of {@code source}, which holds {@code sourceLayout} from {@code
   * offset} bytes on; types are converted and shapes broadcast.
   */
  public void write(MemorySegment source, long offset, Layout sourceLayout) {
    write(
        (memory, start, layout) ->
            ElementCopy.copy(source, offset, sourceLayout, memory, start, layout));
  }

  private void checkLength(int length) {
    if (length != elements()) {
      throw new io.gpuos.error.ShapeException(
          "number of values: values=" + length + ", tensor=" + this + ", expected=" + elements());
    }
  }

  @FunctionalInterface
  private interface HostReader<T> {
    T read(MemorySegment memory, long offset, Layout layout);
  }

  @FunctionalInterface
  private interface HostWriter {
    void write(MemorySegment memory, long offset, Layout layout);
  }

  /** For memory on its way: another thread makes a virtual thread's driver calls. */
  private static Arena stagingArena() {
    return Thread.currentThread().isVirtual() ? Arena.ofShared() : Arena.ofConfined();
  }

  /** Brings the touched bytes to the host and reads them there. */
  private <T> T read(HostReader<T> reader) {
    Layout layout = layout();
    long begin = layout.isZeroSize() ? 0 : layout.minByteOffset();
    long bytes = layout.isZeroSize() ? 0 : layout.maxByteOffset() - begin;
    try (Arena arena = stagingArena()) {
      MemorySegment staging = arena.allocate(Math.max(1, bytes), Long.BYTES);
      synchronized (this) {
        checkOpen();
        runtime.download(staging, address + begin, bytes, access);
      }
      return reader.read(staging, -begin, layout);
    }
  }

  private void write(HostWriter writer) {
    Layout layout = layout();
    if (layout.isZeroSize()) {
      return;
    }
    if (layout.hasInternalOverlap()) {
      throw new io.gpuos.error.OverlapException(
          "write to an expanded tensor: tensor=" + this + ", expected=distinct elements");
    }
    long begin = layout.minByteOffset();
    long bytes = layout.maxByteOffset() - begin;
    if (bytes != layout.byteSize()) {
      writeScattered(writer);
      return;
    }
    try (Arena arena = stagingArena()) {
      MemorySegment staging = arena.allocate(bytes, Long.BYTES);
      writer.write(staging, -begin, layout);
      synchronized (this) {
        checkOpen();
        runtime.upload(address + begin, staging, bytes, access);
      }
    }
  }

  /**
   * Writes to a view with gaps between its elements. They are somebody else's, and tasks may be
   * writing them now, so the device puts the elements in place.
   */
  private void writeScattered(HostWriter writer) {
    try (Tensor dense = runtime.empty(dtype(), shape())) {
      dense.write(writer);
      synchronized (this) {
        checkOpen();
        runtime.runInto(COPY, this, dense);
      }
    }
  }

  // ---- life
  // ---------------------------------------------------------------------------------------

  private void checkOpen() {
    if (closed) {
      throw new ClosedException("tensor closed: tensor=" + this + ", expected=an open tensor");
    }
  }

  synchronized boolean isClosed() {
    return closed;
  }

  /** Gives up this view of the memory. Idempotent. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      storage.release();
    }
  }

  @Override
  public String toString() {
    return layout().toString();
  }
}

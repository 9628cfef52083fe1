package io.gpuos;

import io.gpuos.error.ClosedException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Shapes;
import io.gpuos.layout.View;
import io.gpuos.queue.Access;
import java.lang.foreign.MemorySegment;
import java.util.function.UnaryOperator;

/**
 * A typed, strided view of device memory. Views ({@link #slice}, {@link #transpose}, {@link
 * #expand}, ...) cost nothing and share the memory. It goes back when the tensor, all its views,
 * and every {@link Call} and {@link Batch} that names one of them are closed, or with the runtime.
 * A tensor may be closed while submitted tasks, calls or another thread's copies still use it.
 *
 * <p>Reads and writes from the host wait for the tasks that use the tensor, and copy in pieces of
 * some megabytes: tasks that another thread submits meanwhile may come between two. Thread-safe.
 */
public final class Tensor implements AutoCloseable {

  static final Operator COPY = Operator.of("x");

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

  /** The allocation this is a view of. */
  Storage storage() {
    return storage;
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
    return new Tensor(runtime, retain(), changed);
  }

  // ---- host access
  // --------------------------------------------------------------------------------

  /** The elements in row-major order; I64 beyond 2^53 is rounded. */
  public double[] toDoubles() {
    double[] values = new double[ElementCopy.arrayLength(layout())];
    readAs(DType.F64, MemorySegment.ofArray(values));
    return values;
  }

  /** The elements in row-major order, converted. */
  public float[] toFloats() {
    float[] values = new float[ElementCopy.arrayLength(layout())];
    readAs(DType.F32, MemorySegment.ofArray(values));
    return values;
  }

  /** The elements in row-major order; floating ones are converted as {@link DType#I64}. */
  public long[] toLongs() {
    long[] values = new long[ElementCopy.arrayLength(layout())];
    readAs(DType.I64, MemorySegment.ofArray(values));
    return values;
  }

  /** The elements in row-major order; {@code != 0}. */
  public boolean[] toBooleans() {
    byte[] bytes = new byte[ElementCopy.arrayLength(layout())];
    readAs(DType.BOOL, MemorySegment.ofArray(bytes));
    boolean[] values = new boolean[bytes.length];
    for (int k = 0; k < values.length; k++) {
      values[k] = bytes[k] != 0;
    }
    return values;
  }

  /**
   * Copies the elements to {@code target} in row-major order.
   *
   * @param target at least {@link Layout#byteSize} bytes
   * @throws io.gpuos.error.InvalidInputException if {@code target} is shorter, read-only, closed,
   *     or another thread's; nothing has been copied
   */
  public void read(MemorySegment target) {
    readAs(dtype(), target);
  }

  private void readAs(DType type, MemorySegment target) {
    Layout targetLayout = Layout.contiguous(type, shape());
    HostCopy.check(target, 0, targetLayout, true);
    Storage memory = retain();
    try {
      runtime.awaitReadable(access);
      HostCopy.read(address, layout(), target, targetLayout, runtime::download);
    } finally {
      memory.release();
    }
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   *
   * @throws ShapeException if their numbers differ
   */
  public void write(double... values) {
    writeAs(DType.F64, values.length, MemorySegment.ofArray(values));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   *
   * @throws ShapeException if their numbers differ
   */
  public void write(float[] values) {
    writeAs(DType.F32, values.length, MemorySegment.ofArray(values));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   *
   * @throws ShapeException if their numbers differ
   */
  public void write(long[] values) {
    writeAs(DType.I64, values.length, MemorySegment.ofArray(values));
  }

  /**
   * Replaces the elements by those of {@code values}, row-major, converted to the tensor's type.
   *
   * @throws ShapeException if their numbers differ
   */
  public void write(boolean[] values) {
    byte[] bytes = new byte[values.length];
    for (int k = 0; k < bytes.length; k++) {
      bytes[k] = (byte) (values[k] ? 1 : 0);
    }
    writeAs(DType.BOOL, bytes.length, MemorySegment.ofArray(bytes));
  }

  private void writeAs(DType type, int length, MemorySegment values) {
    if (length != elements()) {
      throw new ShapeException(
          "number of values: values=" + length + ", tensor=" + this + ", expected=" + elements());
    }
    write(values, 0, Layout.contiguous(type, shape()));
  }

  /**
   * Replaces the elements by those of {@code source}, which holds {@code sourceLayout} from {@code
   * offset} bytes on; types are converted and shapes broadcast.
   *
   * @throws io.gpuos.error.InvalidInputException if {@code source} is shorter, closed, or another
   *     thread's, or if the shape does not broadcast; nothing has been copied
   * @throws OverlapException if this tensor is expanded
   */
  public void write(MemorySegment source, long offset, Layout sourceLayout) {
    Layout layout = layout();
    HostCopy.check(source, offset, sourceLayout, false);
    if (!Shapes.broadcastsTo(sourceLayout.shape(), layout.shape())) {
      throw new ShapeException(
          "copy of another shape: from=%s, to=%s, expected=a source that broadcasts to the target"
              .formatted(sourceLayout, layout));
    }
    if (layout.isZeroSize()) {
      return;
    }
    if (layout.hasInternalOverlap()) {
      throw new OverlapException(
          "write to an expanded tensor: tensor=" + this + ", expected=distinct elements");
    }
    if (layout.maxByteOffset() - layout.minByteOffset() != layout.byteSize()) {
      writeScattered(source, offset, sourceLayout);
      return;
    }
    Storage memory = retain();
    try {
      runtime.awaitWritable(access);
      HostCopy.write(address, layout, source, offset, sourceLayout, runtime::upload);
    } finally {
      memory.release();
    }
  }

  /**
   * Writes to a view with gaps between its elements. They are somebody else's, and tasks may be
   * writing them now, so the device puts the elements in place.
   */
  private void writeScattered(MemorySegment source, long offset, Layout sourceLayout) {
    try (Tensor dense = runtime.empty(dtype(), shape())) {
      dense.write(source, offset, sourceLayout);
      runtime.runInto(COPY, this, dense);
    }
  }

  // ---- life
  // ---------------------------------------------------------------------------------------

  private void checkOpen() {
    if (closed) {
      throw new ClosedException("tensor closed: tensor=" + this + ", expected=an open tensor");
    }
  }

  /**
   * A use of the memory of its own, for whoever needs it after this; the caller releases it.
   *
   * @throws ClosedException if the tensor is closed
   */
  synchronized Storage retain() {
    checkOpen();
    return storage.share();
  }

  /** This tensor once more, though it be closed. The caller holds its memory until this returns. */
  Tensor again() {
    return new Tensor(runtime, storage.share(), view);
  }

  /** Whether the other is a view of the same allocation. */
  boolean sharesMemory(Tensor other) {
    return storage == other.storage;
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

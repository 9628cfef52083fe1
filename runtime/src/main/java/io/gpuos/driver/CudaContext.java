package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.gpuos.error.ClosedException;
import io.gpuos.error.GpuosException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/**
 * A hold on a device's primary context: the address space all memory, streams and modules of this
 * process on that device live in.
 *
 * <p>CUDA keeps a <em>current</em> context for each OS thread and most driver functions act on it.
 * Every method here and of the objects made here looks at the calling thread's first, and where it
 * is another puts this one in its place for the length of the call; that costs one call of about 20
 * ns and never changes what others see. A thread that makes many calls may {@link #makeCurrent}
 * once, and {@link #withCurrent} does the same around a block.
 *
 * <p>Thread-safe, platform threads only. Errors as {@link Cuda} lists them, and {@link
 * ClosedException} after {@link #close}.
 */
public final class CudaContext implements AutoCloseable {

  private static final int CAPTURE_MODE_RELAXED = 2; // CU_STREAM_CAPTURE_MODE_RELAXED, cuda.h

  private final CudaDevice device;
  private final DriverCalls calls;
  private final long handle;
  private final CudaMemory memory = new CudaMemory(this);
  private final AtomicBoolean closed = new AtomicBoolean();

  CudaContext(CudaDevice device, long handle) {
    this.device = device;
    this.calls = device.cuda().calls();
    this.handle = handle;
  }

  /** The device this context is on. */
  public CudaDevice device() {
    return device;
  }

  /** The driver's {@code CUcontext}. */
  public long handle() {
    return handle;
  }

  /** Allocation and blocking copies. */
  public CudaMemory memory() {
    return memory;
  }

  /** Makes this the calling thread's context until the thread changes it. */
  public void makeCurrent() {
    requireOpen();
    calls.call(DriverFunction.CTX_SET_CURRENT, handle);
  }

  /** Runs the body with this context current, and puts the thread's own back after. */
  public <T> T withCurrent(Supplier<T> body) {
    requireOpen();
    if (calls.callLong(DriverFunction.CTX_GET_CURRENT) == handle) {
      return body.get();
    }
    calls.call(DriverFunction.CTX_PUSH_CURRENT, handle);
    try {
      return body.get();
    } finally {
      popCurrent();
    }
  }

  /** As {@link #withCurrent(Supplier)}, for a body without a result. */
  public void withCurrent(Runnable body) {
    withCurrent(
        () -> {
          body.run();
          return null;
        });
  }

  /**
   * Runs the body so that its calls do not spoil a capture that is under way on some stream: asking
   * for an event would, for one, though it has nothing to do with the capture.
   */
  public void besideCaptures(Runnable body) {
    requireOpen();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mode = arena.allocateFrom(JAVA_INT, CAPTURE_MODE_RELAXED);
      call(DriverFunction.THREAD_EXCHANGE_STREAM_CAPTURE_MODE, mode);
      try {
        body.run();
      } finally {
        calls.invoke(DriverFunction.THREAD_EXCHANGE_STREAM_CAPTURE_MODE, mode);
      }
    }
  }

  /** Its result is not looked at: a fault that the body has met is already on its way up. */
  private void popCurrent() {
    try (Arena arena = Arena.ofConfined()) {
      calls.invoke(DriverFunction.CTX_POP_CURRENT, arena.allocate(Long.BYTES, Long.BYTES));
    }
  }

  /**
   * Waits until all work of the context is done, others' too. Does not come back while a kernel is
   * resident.
   */
  public void synchronize() {
    call(DriverFunction.CTX_SYNCHRONIZE);
  }

  /** A limit, in bytes. */
  public long limit(ContextLimit limit) {
    return callLong(DriverFunction.CTX_GET_LIMIT, limit.code());
  }

  /** Asks for a limit; the driver may round it, so read it back where it matters. */
  public void setLimit(ContextLimit limit, long bytes) {
    call(DriverFunction.CTX_SET_LIMIT, limit.code(), bytes);
  }

  /**
   * Range of stream priorities; lower numbers go first.
   *
   * @param lowest number of the least urgent, 0 on present devices
   * @param highest number of the most urgent, negative
   */
  public record PriorityRange(int lowest, int highest) {}

  /** Which priorities {@link #newStream(int)} tells apart. */
  public PriorityRange streamPriorities() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment range = arena.allocate(2 * Integer.BYTES, Integer.BYTES);
      call(
          DriverFunction.CTX_GET_STREAM_PRIORITY_RANGE,
          range.asSlice(0, Integer.BYTES),
          range.asSlice(Integer.BYTES, Integer.BYTES));
      return new PriorityRange(range.getAtIndex(JAVA_INT, 0), range.getAtIndex(JAVA_INT, 1));
    }
  }

  /** A stream of the default priority, not ordered with the legacy stream. */
  public CudaStream newStream() {
    return newStream(0);
  }

  /** A stream not ordered with the legacy stream; out-of-range priorities are clamped. */
  public CudaStream newStream(int priority) {
    long stream = callLong(DriverFunction.STREAM_CREATE, CudaStream.NON_BLOCKING, priority);
    return new CudaStream(this, stream, true);
  }

  /**
   * A stream that belongs to somebody else, PyTorch for instance; {@link CudaStream#close} leaves
   * it alone.
   *
   * @param stream a {@code CUstream} or {@code cudaStream_t}; 0 is the legacy stream
   */
  public CudaStream foreignStream(long stream) {
    return new CudaStream(this, stream, false);
  }

  /** An event that takes no time stamps, the cheaper kind. */
  public CudaEvent newEvent() {
    return new CudaEvent(
        this, callLong(DriverFunction.EVENT_CREATE, CudaEvent.DISABLE_TIMING), false);
  }

  /** An event that takes time stamps. */
  public CudaEvent newTimingEvent() {
    return new CudaEvent(this, callLong(DriverFunction.EVENT_CREATE, CudaEvent.DEFAULT), true);
  }

  /**
   * Links relocatable machine code into one image for {@link #loadModule}. Works on the host only;
   * does not wait for kernels.
   *
   * @param objects name to relocatable cubin
   * @throws DeviceException with the linker's log, if something is undefined or defined twice
   */
  public byte[] link(Map<String, byte[]> objects) {
    return CudaLinker.link(this, objects);
  }

  /**
   * Loads code. <strong>Waits until no kernel runs on the device</strong>, so never call it while a
   * kernel is resident without a lease that ends.
   *
   * @param image cubin, fatbin or PTX text
   * @throws io.gpuos.error.DeviceException the driver refused the image; the message carries its
   *     log
   */
  public CudaModule loadModule(byte[] image) {
    try (CudaImage copy = new CudaImage(image)) {
      return loadModule(copy);
    }
  }

  /** As {@link #loadModule(byte[])}, of an image that is where the driver wants it already. */
  public CudaModule loadModule(CudaImage image) {
    return CudaModule.load(this, image);
  }

  /**
   * Lets go of the context; it ends, with all that was made in it, when the last holder has. Close
   * what was made from it first: after this, closing them does nothing, and while others hold the
   * context what they stand for stays allocated. Closing again does nothing.
   */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      requireGone(
          calls.invoke(DriverFunction.PRIMARY_CTX_RELEASE, device.handle()),
          DriverFunction.PRIMARY_CTX_RELEASE,
          device.handle());
    }
  }

  /** The function with its own parameters, for calls without boxes. */
  MethodHandle handle(DriverFunction function) {
    return calls.exact(function);
  }

  GpuosException failure(int code, DriverFunction function, Object... arguments) {
    return calls.failure(code, function, arguments);
  }

  void call(DriverFunction function, Object... arguments) {
    withCurrent(() -> calls.call(function, arguments));
  }

  boolean query(DriverFunction function, Object... arguments) {
    return withCurrent(() -> calls.query(function, arguments));
  }

  int callInt(DriverFunction function, Object... rest) {
    return withCurrent(() -> calls.callInt(function, rest));
  }

  long callLong(DriverFunction function, Object... rest) {
    return withCurrent(() -> calls.callLong(function, rest));
  }

  /**
   * Releases something of this context. Silent when the context is closed or has faulted: what was
   * to be released is gone then, and the fault has been reported where it was met.
   */
  void release(DriverFunction function, Object... arguments) {
    if (closed.get()) {
      return;
    }
    int code = withCurrent(() -> calls.invoke(function, arguments));
    requireGone(code, function, arguments);
  }

  private void requireGone(int code, DriverFunction function, Object... arguments) {
    if (code != DriverResult.SUCCESS && DriverResult.kind(code) != DriverResult.Kind.FAULT) {
      throw calls.failure(code, function, arguments);
    }
  }

  private void requireOpen() {
    if (closed.get()) {
      throw new ClosedException("context closed: device=" + device + ", expected=an open context");
    }
  }

  @Override
  public String toString() {
    return "context of " + device + (closed.get() ? " (closed)" : "");
  }
}

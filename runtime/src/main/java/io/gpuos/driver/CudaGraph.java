package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Work that was captured from a stream, to be launched as often as wanted, with the addresses it
 * was captured with. Two launches of one graph never overlap. Thread-safe; errors as {@link Cuda}
 * lists them.
 */
public final class CudaGraph implements AutoCloseable {

  private static final int THREAD_LOCAL = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, cuda.h

  private final CudaContext context;
  private final long graph;
  private final long executable;
  private final AtomicBoolean closed = new AtomicBoolean();

  private CudaGraph(CudaContext context, long graph, long executable) {
    this.context = context;
    this.graph = graph;
    this.executable = executable;
  }

  /** As {@link CudaStream#capture}. */
  static CudaGraph capture(CudaContext context, CudaStream stream, Runnable body) {
    context.call(DriverFunction.STREAM_BEGIN_CAPTURE, stream.handle(), THREAD_LOCAL);
    try {
      body.run();
    } catch (Throwable failure) {
      abandon(context, stream, failure);
      throw failure;
    }
    long graph = end(context, stream);
    try {
      long executable = context.callLong(DriverFunction.GRAPH_INSTANTIATE, graph, 0L);
      return new CudaGraph(context, graph, executable);
    } catch (Throwable failure) {
      context.release(DriverFunction.GRAPH_DESTROY, graph);
      throw failure;
    }
  }

  private static long end(CudaContext context, CudaStream stream) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      context.call(DriverFunction.STREAM_END_CAPTURE, stream.handle(), out);
      return out.get(JAVA_LONG, 0);
    }
  }

  /** Ends a capture whose body has failed; what is wrong with it by now is of no interest. */
  private static void abandon(CudaContext context, CudaStream stream, Throwable failure) {
    try {
      context.release(DriverFunction.GRAPH_DESTROY, end(context, stream));
    } catch (RuntimeException second) {
      failure.addSuppressed(second);
    }
  }

  /** Puts all of it on the stream, as one, and comes back at once. */
  public void launch(CudaStream stream) {
    context.call(DriverFunction.GRAPH_LAUNCH, executable, stream.handle());
  }

  /** How many launches, copies and fills it consists of. */
  public long nodes() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_LONG);
      context.call(DriverFunction.GRAPH_GET_NODES, graph, MemorySegment.NULL, count);
      return count.get(JAVA_LONG, 0);
    }
  }

  /** Gives it back; a launch under way still runs to its end. Closing again does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      context.release(DriverFunction.GRAPH_EXEC_DESTROY, executable);
      context.release(DriverFunction.GRAPH_DESTROY, graph);
    }
  }
}

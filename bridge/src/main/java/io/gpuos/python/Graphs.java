package io.gpuos.python;

import io.gpuos.Gpuos;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.ServiceLoader;

/**
 * What becomes of traced graphs: which of their calls are native, and programs that run them.
 * Thread-safe.
 */
public interface Graphs {

  /** Number of {@link Program#replay}'s stream where the device has none. */
  long NO_STREAM = 0;

  /**
   * Why calls of a graph have to stay in PyTorch.
   *
   * @param graph text of a traced graph
   * @return for each call, in order, the reason on one line; empty for a native one
   * @throws io.gpuos.error.GpuosException if the text is none
   */
  List<String> refusals(String graph);

  /**
   * Plans and compiles a graph of which every call is native.
   *
   * @param runtime where it will run; stays the caller's
   * @param mode {@code auto}, {@code resident} or {@code stream}
   */
  Program compile(Gpuos runtime, String graph, String mode);

  /** A compiled graph. Thread-safe; calls exclude each other. */
  interface Program extends AutoCloseable {

    /**
     * Runs the graph on other memory.
     *
     * @param addresses 64-bit words: where each storage of role {@code input} or {@code output}
     *     begins, in the order in which the text lists them; valid during this call only
     * @param stream CUDA stream that what ran before and what runs after is ordered by; {@link
     *     #NO_STREAM} on the CPU device, where the results are there when this returns
     */
    void replay(MemorySegment addresses, long stream);

    /** The plan, for people. */
    String explain();

    /** The plan as a picture, a whole SVG document. */
    String svg();

    @Override
    void close();
  }

  /** The implementation that is installed, or one that refuses every call. */
  static Graphs find() {
    return ServiceLoader.load(Graphs.class, Graphs.class.getClassLoader())
        .findFirst()
        .orElseGet(NoGraphs::new);
  }
}

package io.gpuos.device;

import io.gpuos.inject.NamedOperator;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.IterationSpace;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.schedule.CostModel;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * What the rest of the runtime asks of a device. The CPU device and the CUDA device implement it
 * and pass one conformance suite. Thread-safe.
 */
public interface ComputeDevice extends AutoCloseable {

  /** {@code cpu} or {@code cuda:N}. */
  String name();

  /** The device in words: model, driver, workers. */
  String description();

  /** What opening it spent its time on; empty where it takes no time worth telling. */
  default List<OpenPhases.Phase> openPhases() {
    return List.of();
  }

  /** How operators came into the running workers lately; nothing where they simply are there. */
  default Injections injections() {
    return new Injections();
  }

  /** How new operators come to the workers, and why so. */
  InjectionStatus injection();

  /** Workers that execute tasks. */
  int workers();

  /** Device memory. Blocks outlive their free until the tasks that use them are complete. */
  MemoryPool memory();

  /** Where tasks are submitted. */
  SubmissionRing ring();

  /** Which tasks are complete. */
  Completions completions();

  /** When workers park. */
  Lease lease();

  /**
   * Number of the logical operator that computes {@code kernel}; made at the first call for an
   * equal kernel. Tasks submitted after the return may name it. Where the device can interpret it,
   * that is a matter of a millisecond, and its compiled code follows in the background, with the
   * same results; otherwise this waits for the compiler.
   *
   * @throws io.gpuos.error.CompileException if the compiler refuses it
   */
  int operator(Kernel kernel);

  /**
   * Waits until no compiled generation of an operator made so far is under way: for whoever
   * measures how fast it is. {@link Injections#failed} counts those that were refused and stay
   * interpreted.
   *
   * @param deadlineNanos as {@link System#nanoTime}
   * @return false if the deadline passed first
   */
  default boolean awaitCompiled(long deadlineNanos) {
    return true;
  }

  /**
   * An operator that can be replaced while tasks use it. Its logical operators are its own: an
   * equal kernel of somebody else is never replaced with it.
   *
   * @param operator its name, for messages
   * @param first what it computes until another generation is published
   * @param origin of the first generation, for people
   */
  <B extends NamedOperator.Body> NamedOperator<B, ?> named(String operator, B first, String origin);

  /** What CUDA C++ is compiled for to run here, such as {@code sm_90}; empty if it cannot run. */
  Optional<String> architecture();

  /** Number of the interned iteration space; its first use copies it to where workers read it. */
  SpaceNumber space(IterationSpace space);

  /**
   * Copies {@code bytes} bytes from host memory to device memory. Returns when done. The caller has
   * made sure that no task uses the destination.
   */
  void upload(long address, MemorySegment source, long bytes);

  /** Copies {@code bytes} bytes from device memory to host memory. Returns when done. */
  void download(MemorySegment target, long address, long bytes);

  /**
   * Copies {@code bytes} bytes within device memory, from {@code source} to {@code target}, by the
   * device's own means and not through the ring. Returns when done. The caller has made sure that
   * no task uses either range, and that they do not overlap.
   */
  void copy(long target, long source, long bytes);

  /** Positions in one tile of a large operation: the work is spread, each tile is worth its way. */
  long tilePositions(Kernel kernel, IterationSpace space);

  /** Replays of programs on streams of others; empty where there are no streams. */
  default Optional<StreamReplays> streams() {
    return Optional.empty();
  }

  /**
   * Runs {@code replay}, which replays programs and waits for them, and tells when their nodes ran,
   * and those of other programs meanwhile. For devices without {@link #streams}; one call at a
   * time.
   */
  default List<NodeTime> traced(Runnable replay) {
    throw new UnsupportedOperationException("expected=a device without streams");
  }

  /** What tasks cost here, for placing those of a program. */
  CostModel costs();

  /**
   * Waits for submitted tasks as long as they keep ending, stops the workers and frees everything.
   * Idempotent. When the device has failed, or no task ends for a minute, it waits a second more
   * for the workers; should one not come back, what it could still write to is not freed, and a log
   * line says so.
   */
  @Override
  void close();
}

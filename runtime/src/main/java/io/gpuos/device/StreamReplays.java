package io.gpuos.device;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Replays programs on streams that belong to others, each by a kernel of its own: what the stream
 * holds gives the order. Thread-safe.
 */
public interface StreamReplays {

  /**
   * A program as its kernel finds it, all in device memory.
   *
   * @param segments address of its segment records
   * @param after address of the numbers of earlier segments
   * @param state address of its state, zero, with a stamp for each segment behind it
   * @param count segments, at least 1
   * @param bases addresses that a replay brings
   * @param bindings address of room for them, or 0 where they fit the launch ({@link #fits})
   */
  record Code(long segments, long after, long state, int count, int bases, long bindings) {}

  /** Whether so many bindings travel with a launch. */
  boolean fits(int bases);

  /** Makes ready to launch. */
  Launches prepare(Code code);

  /**
   * Replays a program once, waits for it, and tells when each of its nodes ran.
   *
   * @param nodes address of the nodes of all segments, which lie side by side in their order
   * @param count of them
   * @param addresses that the replay brings; of {@code code}, whose room for them is not used
   */
  List<NodeTime> trace(Code code, long nodes, int count, long[] addresses);

  /** The launches of one program. Not thread-safe. */
  interface Launches {

    /** The bindings of the next launch, one 64-bit word each. */
    MemorySegment bindings();

    /**
     * Puts a replay on the stream, behind the program's replays on other streams, and comes back at
     * once. On a stream that is being captured it becomes part of the graph, which may be launched
     * as long as the device is open, but not at the same time as other replays of the program; the
     * graph does not wait for those.
     *
     * @param stream a {@code cudaStream_t}; 0 is the legacy stream
     * @throws io.gpuos.error.DeviceException as the driver has it, if it refuses the launch
     */
    void launch(long stream);

    /** Waits until the launches so far are complete, captured ones aside. */
    void await();

    /**
     * Runs {@code release} when no launch needs the program's memory any more: now, or at a later
     * call of {@link StreamReplays}; never, if one was captured.
     */
    void close(Runnable release);
  }
}

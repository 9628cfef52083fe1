package io.gpuos.concurrency;

import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import java.lang.foreign.MemorySegment;

/** The smallest rings there are, made by the thousand: on the heap, without a thread. */
public final class Rings {

  /** The first sequence of every ring here. */
  public static final long FIRST = 1;

  /** A task that does nothing anybody sees. */
  public static final Invocation TASK = Invocation.of(1, 1).build();

  /** How {@link #lease} launches: the lease's keeper is not started, and the test notices. */
  public static final class Launched extends RuntimeException {
    private static final long serialVersionUID = 1;
    static final Launched INSTANCE = new Launched();

    private Launched() {
      super("launched", null, false, false);
    }
  }

  private Rings() {}

  /** A fresh ring of {@code capacity} records, all complete. */
  public static RingMemory memory(int capacity) {
    long[] words = new long[(int) (RingMemory.bytes(capacity) / Long.BYTES)];
    return new RingMemory(MemorySegment.ofArray(words), capacity, FIRST);
  }

  /** A lease whose launch throws {@link Launched}. */
  public static Lease lease(RingMemory memory) {
    return new Lease(
        memory.control(),
        _ -> {
          throw Launched.INSTANCE;
        },
        () -> false,
        "unused");
  }
}

package io.gpuos.concurrency;

import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The smallest rings there are, made by the thousand: without a thread, many in one allocation. */
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

  private static final long ALIGNMENT = 64;
  private static final long CHUNK_BYTES = 1 << 20;

  private static MemorySegment chunk = MemorySegment.NULL;
  private static long used;

  private Rings() {}

  /** A fresh ring of {@code capacity} records, all complete. */
  public static RingMemory memory(int capacity) {
    return new RingMemory(allocate(RingMemory.bytes(capacity)), capacity, FIRST);
  }

  /** Cuts from a chunk, which lives as long as any ring in it. */
  private static synchronized MemorySegment allocate(long bytes) {
    long rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (used + rounded > chunk.byteSize()) {
      chunk = Arena.ofAuto().allocate(CHUNK_BYTES, ALIGNMENT);
      used = 0;
    }
    MemorySegment cut = chunk.asSlice(used, bytes);
    used += rounded;
    return cut;
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

package io.gpuos;

import io.gpuos.device.MemoryPool;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Memory of one allocation, which tensors, their views, calls and host transfers share. It goes
 * back to the pool when the last use is released. Thread-safe.
 */
final class Storage {
  /** Null for memory that is somebody else's. */
  private final MemoryPool pool;

  private final MemoryPool.Block block;
  private final AtomicInteger uses = new AtomicInteger(1);

  private Storage(MemoryPool pool, MemoryPool.Block block) {
    this.pool = pool;
    this.block = block;
  }

  /** Fresh memory of at least {@code bytes} bytes, with one use. */
  static Storage allocate(MemoryPool pool, long bytes) {
    return new Storage(pool, pool.allocate(bytes));
  }

  /** Memory of somebody else, with one use; nothing happens to it when that is released. */
  static Storage foreign(MemoryPool.Block block) {
    return new Storage(null, block);
  }

  MemoryPool.Block block() {
    return block;
  }

  /** Takes another use. The caller sees to it that a use exists until this returns. */
  Storage share() {
    uses.incrementAndGet();
    return this;
  }

  /** Gives up a use. No task that names the memory may be submitted on its account after this. */
  void release() {
    if (uses.decrementAndGet() == 0 && pool != null) {
      pool.free(block);
    }
  }
}

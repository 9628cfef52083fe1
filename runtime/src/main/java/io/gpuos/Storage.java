package io.gpuos;

import io.gpuos.device.MemoryPool;
import java.util.concurrent.atomic.AtomicInteger;

/** Memory that a tensor and its views share; freed when the last of them is closed. */
final class Storage {
  private final MemoryPool pool;
  private final MemoryPool.Block block;
  private final AtomicInteger users = new AtomicInteger(1);

  Storage(MemoryPool pool, MemoryPool.Block block) {
    this.pool = pool;
    this.block = block;
  }

  MemoryPool.Block block() {
    return block;
  }

  /** Another view uses this storage. The caller holds a use itself. */
  Storage share() {
    users.incrementAndGet();
    return this;
  }

  void release() {
    if (users.decrementAndGet() == 0) {
      pool.free(block);
    }
  }
}

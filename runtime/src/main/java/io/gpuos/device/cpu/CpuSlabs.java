package io.gpuos.device.cpu;

import io.gpuos.device.MemoryPool;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;

/** Slabs of native host memory. Guarded by the pool that uses it. */
final class CpuSlabs implements MemoryPool.SlabSource {

  private final Map<Long, Arena> arenas = new HashMap<>();

  @Override
  public long allocate(long bytes) {
    Arena arena = Arena.ofShared();
    try {
      long address = arena.allocate(bytes, MemoryPool.ALIGNMENT).address();
      arenas.put(address, arena);
      return address;
    } catch (OutOfMemoryError _) {
      arena.close();
      return 0;
    }
  }

  @Override
  public void free(long address) {
    arenas.remove(address).close();
  }

  @Override
  public long available() {
    return -1;
  }
}

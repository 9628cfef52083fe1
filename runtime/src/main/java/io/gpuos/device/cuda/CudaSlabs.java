package io.gpuos.device.cuda;

import io.gpuos.device.MemoryPool;
import io.gpuos.driver.CudaContext;
import io.gpuos.error.OutOfMemoryException;

/**
 * Slabs of device memory. Freeing one waits for the resident kernel: only done when it has left.
 */
final class CudaSlabs implements MemoryPool.SlabSource {

  private final CudaContext context;
  private final PlatformThreads threads;

  CudaSlabs(CudaContext context, PlatformThreads threads) {
    this.context = context;
    this.threads = threads;
  }

  @Override
  public long allocate(long bytes) {
    return threads.call(
        () -> {
          try {
            return context.memory().allocate(bytes);
          } catch (OutOfMemoryException _) {
            return 0L;
          }
        });
  }

  @Override
  public void free(long address) {
    threads.run(() -> context.memory().free(address));
  }

  @Override
  public long available() {
    return threads.call(() -> context.memory().usage().free());
  }
}

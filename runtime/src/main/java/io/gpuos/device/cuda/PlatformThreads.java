package io.gpuos.device.cuda;

import io.gpuos.driver.CudaContext;
import io.gpuos.error.ClosedException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;

/**
 * Runs driver calls with the context current: in the calling thread, or, because CUDA's current
 * context belongs to an operating-system thread, in a helper thread if the caller is virtual.
 */
final class PlatformThreads implements AutoCloseable {

  private final CudaContext context;
  private final ExecutorService forVirtual =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("gpuos-cuda-calls").factory());

  PlatformThreads(CudaContext context) {
    this.context = context;
  }

  <T> T call(Supplier<T> body) {
    if (!Thread.currentThread().isVirtual()) {
      return context.withCurrent(body);
    }
    try {
      return CompletableFuture.supplyAsync(() -> context.withCurrent(body), forVirtual).join();
    } catch (RejectedExecutionException _) {
      throw new ClosedException(
          "runtime closed: device=%s, expected=an open runtime".formatted(context.device()));
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  void run(Runnable body) {
    call(
        () -> {
          body.run();
          return null;
        });
  }

  @Override
  public void close() {
    forVirtual.shutdown();
  }
}

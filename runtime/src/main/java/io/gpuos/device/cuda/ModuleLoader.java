package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import io.gpuos.queue.Lease;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;

/**
 * Brings operators in the documented way: a module for each, loaded by the driver, which waits
 * until no kernel is resident. So the workers are asked to leave, and come back after it;
 * submitting goes on meanwhile. Linking is done before they are asked.
 */
final class ModuleLoader implements CodeLoader {

  /** A kernel that tells the operator's address; linked to each operator. */
  private static final String TELL = "gpuos_tell";

  /**
   * Source of what is linked to each operator. A kernel that refers to the operator, because the
   * driver places functions as part of the kernels that may reach them: with a mere variable that
   * points at the operator, calls within it went astray.
   */
  static final String TELL_SOURCE =
      """
      #include "gpuos_abi.cuh"

      extern "C" __device__ void gpuos_op
          (const gpuos_task* task, const gpuos_space* space, char* scratch, unsigned long long);

      extern "C" __global__ void gpuos_tell(unsigned long long* address) {
        *address = reinterpret_cast<unsigned long long>(static_cast<gpuos_operator>(gpuos_op));
      }
      """;

  private final CudaContext context;
  private final CudaStream stream;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Limits limits;
  private final byte[] tell;
  private final PinnedBuffer told;
  private final Deque<CudaModule> modules = new ArrayDeque<>();
  private boolean closed;

  /**
   * @param stream for copies, used by nobody else
   * @param limits what the resident kernel is launched with
   * @param tell {@link #TELL_SOURCE}, compiled
   */
  ModuleLoader(
      CudaContext context,
      CudaStream stream,
      WorkerKernel workers,
      Lease lease,
      Limits limits,
      byte[] tell) {
    this.context = context;
    this.stream = stream;
    this.workers = workers;
    this.lease = lease;
    this.limits = limits;
    this.tell = tell;
    this.told = context.memory().allocatePinned(Long.BYTES);
  }

  @Override
  public synchronized long load(String name, byte[] cubin) {
    if (closed) {
      throw new ClosedException(
          "runtime closed: operator=%s, expected=an open runtime".formatted(name));
    }
    // The driver would load code that needs more than the running kernel has, and it would die.
    Injector.verify(cubin, ENTRY, limits);
    byte[] image = context.link(Map.of(name, cubin, TELL, tell));
    lease.hold();
    try {
      workers.awaitIdle();
      return loadIdle(image);
    } finally {
      lease.release();
    }
  }

  /** Loads while no worker is resident; the kernel too, which the driver may load when asked. */
  private long loadIdle(byte[] image) {
    CudaModule module = context.loadModule(image);
    modules.push(module);
    module.function(TELL).launch(stream, LaunchConfig.of(1, 1), told.deviceAddress());
    stream.synchronize();
    return told.segment().get(ValueLayout.JAVA_LONG, 0);
  }

  @Override
  public InjectionStatus status(String reason) {
    return new InjectionStatus(
        false,
        "the driver loads a module for each operator, for which the workers park",
        reason,
        Optional.empty());
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    while (!modules.isEmpty()) {
      modules.pop().close();
    }
    told.close();
  }
}

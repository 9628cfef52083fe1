package io.gpuos.device.cuda;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import io.gpuos.queue.Lease;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;

/**
 * Brings operators in the documented way: a module for each, loaded by the driver, which waits
 * until no kernel is resident. So the workers are asked to leave, and come back after it;
 * submitting goes on meanwhile. Linking is done before they are asked.
 */
final class ModuleLoader implements CodeLoader {

  /** A variable that holds the operator's address; linked to each operator. */
  private static final String POINTER = "gpuos_pointer";

  /** Source of what is linked to each operator. */
  static final String POINTER_SOURCE =
      """
      #include "gpuos_abi.cuh"

      extern "C" __device__ void gpuos_op
          (const gpuos_task* task, const gpuos_space* space, char* scratch, unsigned long long);

      extern "C" __device__ gpuos_operator gpuos_pointer = gpuos_op;
      """;

  private final CudaContext context;
  private final CudaStream stream;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Limits limits;
  private final byte[] pointer;
  private final Deque<CudaModule> modules = new ArrayDeque<>();
  private boolean closed;

  /**
   * @param stream for copies, used by nobody else
   * @param limits what the resident kernel is launched with
   * @param pointer {@link #POINTER_SOURCE}, compiled
   */
  ModuleLoader(
      CudaContext context,
      CudaStream stream,
      WorkerKernel workers,
      Lease lease,
      Limits limits,
      byte[] pointer) {
    this.context = context;
    this.stream = stream;
    this.workers = workers;
    this.lease = lease;
    this.limits = limits;
    this.pointer = pointer;
  }

  @Override
  public synchronized long load(String name, byte[] cubin) {
    if (closed) {
      throw new ClosedException(
          "runtime closed: operator=%s, expected=an open runtime".formatted(name));
    }
    // The driver would load code that needs more than the running kernel has, and it would die.
    Injector.verify(cubin, ENTRY, limits);
    byte[] image = context.link(Map.of(name, cubin, POINTER, pointer));
    CudaModule module = loadWhileParked(image);
    modules.push(module);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(ValueLayout.JAVA_LONG);
      stream.copyToHost(address, module.global(POINTER).address());
      stream.synchronize();
      return address.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  private CudaModule loadWhileParked(byte[] image) {
    lease.hold();
    try {
      workers.awaitIdle();
      return context.loadModule(image);
    } finally {
      lease.release();
    }
  }

  @Override
  public String description() {
    return "driver: workers park while a module is loaded";
  }

  @Override
  public synchronized void close() {
    closed = true;
    while (!modules.isEmpty()) {
      modules.pop().close();
    }
  }
}

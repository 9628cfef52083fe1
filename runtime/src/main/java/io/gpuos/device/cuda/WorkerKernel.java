package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.driver.FunctionAttribute;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.inject.Limits;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import java.util.Locale;

/**
 * Launches the resident kernel on a stream of its own and watches that it has not died. Launches
 * are serialised by the lease.
 */
final class WorkerKernel implements Lease.Launcher {

  /** Threads of a worker's block. */
  static final int BLOCK_THREADS = 256;

  /** Registers a thread may have: what four blocks a multiprocessor leave. */
  static final int REGISTERS = 64;

  /** Stack a thread has for an operator and all it calls; part of the kernel's local memory. */
  static final int STACK_BYTES = 1024;

  /** Everything for shared memory: others may ask for more of it while workers are resident. */
  private static final int CARVEOUT_PERCENT = 100;

  private final CudaContext context;
  private final WorkerMemory memory;
  private final CudaStream stream;
  private final LaunchConfig config;
  private CudaModule module;
  private volatile CudaFunction kernel;
  private volatile Completions completions;
  private volatile Lease lease;

  /**
   * @param workers blocks that execute tasks; one more keeps the office
   */
  WorkerKernel(CudaContext context, WorkerMemory memory, int workers) {
    this.context = context;
    this.memory = memory;
    this.stream = context.newStream();
    this.config =
        LaunchConfig.of(workers + 1, BLOCK_THREADS).withSharedBytes(CudaHeader.SCRATCH_BYTES);
  }

  /** Whom to tell when the kernel has died. */
  void connect(Completions completionsOfRing, Lease leaseOfRing) {
    completions = completionsOfRing;
    lease = leaseOfRing;
  }

  /** Loads the kernel. Before the first launch. */
  void load(byte[] image) {
    module = context.loadModule(image);
    use(module.function("gpuos_worker"));
  }

  /**
   * Launches {@code function} from now on. No launch may be under way.
   *
   * @throws InvalidInputException if not all workers can be resident at once. One that is not could
   *     hold a claim from an earlier launch, and its task would wait for ever.
   */
  void use(CudaFunction function) {
    int multiprocessors = context.device().attribute(DeviceAttribute.MULTIPROCESSOR_COUNT);
    int room =
        multiprocessors
            * function.maxBlocksPerMultiprocessor(BLOCK_THREADS, CudaHeader.SCRATCH_BYTES);
    if (config.gridX() > room) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "device setting: workers=%d, expected=at most %d on %s, so that all are resident at once",
              config.gridX() - 1,
              room - 1,
              context.device().name()));
    }
    function.setAttribute(FunctionAttribute.PREFERRED_SHARED_MEMORY_CARVEOUT, CARVEOUT_PERCENT);
    kernel = function;
  }

  /** What an operator may need at most, wherever it is going to run. */
  static Limits limits(String architecture) {
    return new Limits(architecture, REGISTERS, STACK_BYTES);
  }

  /** Registers each thread of the kernel has: no operator may need more. */
  int registers() {
    int granularity = 8;
    int used = kernel.attribute(FunctionAttribute.NUM_REGS);
    return Math.ceilDiv(used, granularity) * granularity;
  }

  @Override
  public void launch(long epoch) {
    try {
      context.withCurrent(() -> kernel.launch(stream, config, memory.launchParameter(epoch)));
    } catch (GpuosException failure) {
      fail("worker kernel not launched", failure);
    }
  }

  @Override
  public void check() {
    if (completions.fault() != null || lease == null) {
      return;
    }
    try {
      boolean done = context.withCurrent(stream::isDone);
      if (done && !lease.parked()) {
        fail("worker kernel ended without parking", null);
      }
    } catch (GpuosException failure) {
      fail("worker kernel failed", failure);
    }
  }

  private void fail(String what, GpuosException cause) {
    String reason = cause == null ? "no driver error" : cause.getMessage();
    completions.fail(
        new DeviceFaultException(
            "%s: device=%s, reason=%s, expected=a running kernel; open a new process"
                .formatted(what, context.device().name(), reason),
            cause));
  }

  /** Waits until no worker is resident. The lease must be held or closed. */
  void awaitIdle() {
    context.withCurrent(stream::synchronize);
  }

  /** Waits, after the lease is closed, until the workers are gone, in good order or by a fault. */
  void awaitEnd() {
    try {
      awaitIdle();
    } catch (DeviceException _) {
      // A fault ended them; it has been told to whoever waited.
    }
  }

  void close() {
    stream.close();
    if (module != null) {
      module.close();
    }
  }
}

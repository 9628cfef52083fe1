package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.driver.FunctionAttribute;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.inject.Limits;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.OutstandingTasks;
import io.gpuos.queue.Watchdog;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

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

  /** Between two looks whether the workers have left, which is not worth a processor. */
  private static final long IDLE_POLL_NANOS = 20_000;

  /** Workers asked to leave have left sooner as a rule, and whoever asked is on their way. */
  private static final long IDLE_SPIN_NANOS = 200_000;

  private final CudaContext context;
  private final WorkerMemory memory;
  private final CudaStream stream;
  private final LaunchConfig config;
  private CudaModule module;
  private volatile CudaFunction kernel;
  private final String device;
  private volatile Completions completions;
  private volatile Lease lease;
  private volatile OutstandingTasks tasks;
  private volatile Watchdog watchdog;
  private volatile boolean abandoned;

  /**
   * @param workers blocks that execute tasks; one more keeps the office
   */
  WorkerKernel(CudaContext context, WorkerMemory memory, int workers) {
    this.context = context;
    this.memory = memory;
    this.stream = context.newStream();
    // Asked now: when the device has failed is no time for calls of the driver.
    this.device = context.device() + ", " + context.device().name();
    this.config =
        LaunchConfig.of(workers + 1, BLOCK_THREADS).withSharedBytes(CudaHeader.SCRATCH_BYTES);
  }

  /**
   * Whom to tell when the kernel has died, and what it may have died of. Nothing is watched before.
   */
  void connect(
      Completions completionsOfRing,
      Lease leaseOfRing,
      OutstandingTasks tasksOfRing,
      Watchdog watchdogOfTasks) {
    completions = completionsOfRing;
    tasks = tasksOfRing;
    watchdog = watchdogOfTasks;
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
    return registers(kernel);
  }

  /** Registers that each thread of {@code function} has: they are given out by eights. */
  static int registers(CudaFunction function) {
    int granularity = 8;
    int used = function.attribute(FunctionAttribute.NUM_REGS);
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
    if (lease == null || completions.fault() != null) {
      return;
    }
    try {
      if (stream.isDone() && !lease.parked()) {
        fail("worker kernel ended without parking", null);
      } else {
        watchdog.look();
      }
    } catch (GpuosException failure) {
      fail("worker kernel failed", failure);
    }
  }

  /**
   * Ends the device: every wait fails, with the operators that may have been running. The first
   * failure stays.
   *
   * @param cause what the driver said; may be null
   */
  void fail(String what, GpuosException cause) {
    String reason = cause == null ? "no driver error" : cause.getMessage();
    completions.fail(
        new DeviceFaultException(
            "%s: device=%s, %s, expected=a running kernel; go on in a new process: %s"
                .formatted(what, device, tasks.suspects(), reason),
            cause));
  }

  /** Whether no worker is resident now; one may be launched unless the lease is held. */
  boolean idle() {
    return stream.isDone();
  }

  /** Whether workers were given up that did not leave. Nothing may wait for them any more. */
  boolean abandoned() {
    return abandoned;
  }

  /**
   * Waits until no worker is resident. The lease must be held or closed.
   *
   * @throws DeviceFaultException if the device has failed, so that they may never leave
   * @throws ClosedException if they were given up
   */
  void awaitIdle() {
    long spinUntil = System.nanoTime() + IDLE_SPIN_NANOS;
    while (!stream.isDone()) {
      Completions known = completions;
      if (known != null) {
        known.throwIfFailed();
      }
      if (abandoned) {
        throw new ClosedException(
            "runtime closed: device=%s, expected=workers that leave".formatted(device));
      }
      if (System.nanoTime() - spinUntil < 0) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(this, IDLE_POLL_NANOS);
      }
    }
  }

  /**
   * Waits, after the lease is closed, until the workers are gone, in good order or by a fault.
   *
   * @return false if they are not within {@code limit}. Then nothing may be called that waits for
   *     them, such as freeing memory.
   */
  boolean awaitEnd(Duration limit) {
    long deadline = System.nanoTime() + limit.toNanos();
    try {
      while (!stream.isDone()) {
        if (System.nanoTime() - deadline > 0) {
          abandoned = true;
          return false;
        }
        LockSupport.parkNanos(this, IDLE_POLL_NANOS);
      }
    } catch (DeviceException _) {
      // A fault ended them; it has been told to whoever waited.
    }
    return true;
  }

  void close() {
    stream.close();
    if (module != null) {
      module.close();
    }
  }
}

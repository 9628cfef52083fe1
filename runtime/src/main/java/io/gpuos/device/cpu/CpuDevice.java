package io.gpuos.device.cpu;

import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.Drain;
import io.gpuos.device.InjectionStatus;
import io.gpuos.device.MemoryPool;
import io.gpuos.device.NodeTime;
import io.gpuos.device.SpaceNumber;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.NamedOperator;
import io.gpuos.inject.RingProgress;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.AttentionSpace;
import io.gpuos.layout.ContractionSpace;
import io.gpuos.layout.IterationSpace;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.OutstandingTasks;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.schedule.CostModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** The built-in device: worker threads in this process, operators as JVM bytecode. */
public final class CpuDevice implements ComputeDevice {

  /** A tile of an elementwise operation: a few cache-sized chunks, tens of microseconds. */
  private static final long TILE_POSITIONS = 32_768;

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  private static final Duration CLOSE_WAIT = Duration.ofSeconds(60);

  /** How long workers have to end whose tasks do not, or are not waited for. */
  private static final Duration GIVE_UP_WAIT = Duration.ofSeconds(1);

  private final CpuOperators operators = new CpuOperators();
  private final CpuSpaces spaces = new CpuSpaces();
  private final int workerCount;
  private final CpuWorkers workers;
  private final Completions completions;
  private final Lease lease;
  private final SubmissionRing ring;
  private final OutstandingTasks tasks;
  private final MemoryPool pool;
  private final Duration closeWait;

  /** Transfers share it; the end of the memory excludes them. */
  private final ReentrantReadWriteLock transfers = new ReentrantReadWriteLock();

  private boolean closed;

  /** Guarded by {@link #transfers}. */
  private boolean released;

  public CpuDevice(DeviceSettings settings) {
    this(settings, CLOSE_WAIT);
  }

  /**
   * @param closeWait how long {@link #close} waits for the next task to complete
   */
  CpuDevice(DeviceSettings settings, Duration closeWait) {
    this.closeWait = closeWait;
    workerCount =
        settings.workers() > 0 ? settings.workers() : Runtime.getRuntime().availableProcessors();
    RingMemory memory =
        new RingMemory(
            Arena.ofAuto()
                .allocate(RingMemory.bytes(settings.ringCapacity()), MemoryPool.ALIGNMENT),
            settings.ringCapacity(),
            settings.firstSequence());
    workers =
        new CpuWorkers(
            memory, operators, spaces, workerCount, settings.linger(), settings.maxResidency());
    lease = new Lease(memory.control(), workers, this::outstanding, "gpuos-cpu-keeper");
    completions = new Completions(memory, lease);
    ring = new SubmissionRing(memory, lease, completions, settings.fullWait());
    spaces.connect(ring, completions);
    operators.connect(new RingProgress(ring, completions));
    tasks = new OutstandingTasks(memory, ring, completions, operators.table()::describe);
    pool = new MemoryPool(new CpuSlabs(), ring, name());
    try {
      workers.start(completions, tasks, settings.taskDeadline());
    } catch (Throwable failure) {
      stop(true);
      throw failure;
    }
  }

  /** The operators; tests put code of their own in their place. */
  CpuOperators operators() {
    return operators;
  }

  private boolean outstanding() {
    return ring != null && completions.fault() == null && ring.outstanding();
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "CPU, " + workerCount + (workerCount == 1 ? " worker thread" : " worker threads");
  }

  @Override
  public InjectionStatus injection() {
    return new InjectionStatus(
        true,
        "an operator is a JVM class, added to the workers' table",
        "the only way on this device",
        Optional.empty());
  }

  @Override
  public List<NodeTime> traced(Runnable replay) {
    return workers.traced(replay);
  }

  @Override
  public int workers() {
    return workerCount;
  }

  @Override
  public MemoryPool memory() {
    return pool;
  }

  @Override
  public SubmissionRing ring() {
    return ring;
  }

  @Override
  public Completions completions() {
    return completions;
  }

  @Override
  public Lease lease() {
    return lease;
  }

  @Override
  public int operator(Kernel kernel) {
    return operators.install(kernel);
  }

  @Override
  public <B extends NamedOperator.Body> NamedOperator<B, ?> named(
      String operator, B first, String origin) {
    return new NamedOperator<>(
        operator, first, origin, operators.table(), (_, kernel) -> CpuOperators.compile(kernel));
  }

  @Override
  public Optional<String> architecture() {
    return Optional.empty();
  }

  @Override
  public SpaceNumber space(IterationSpace space) {
    return spaces.intern(space);
  }

  @Override
  public long tilePositions(Kernel kernel, IterationSpace space) {
    return switch (kernel) {
      case Kernel.Elementwise _, Kernel.Gather _ -> TILE_POSITIONS;
      case Kernel.Contraction _ -> Math.max(1, TILE_POSITIONS / ContractionSpace.products(space));
      case Kernel.Attention _ -> Math.max(1, TILE_POSITIONS / AttentionSpace.products(space));
      case Kernel.Scatter _ -> {
        long axis = Math.max(1, space.size(space.rank() - 1));
        yield Math.max(1, TILE_POSITIONS / Math.max(1, space.reducedCount() / axis));
      }
      case Kernel.Reduction _, Kernel.Rows _, Kernel.Scan _ ->
          Math.max(1, TILE_POSITIONS / Math.max(1, space.reducedCount()));
    };
  }

  /** A core's shares, and what it takes to wake a thread that naps. */
  @Override
  public CostModel costs() {
    return new CostModel(workerCount, 300, 5, 1, 5_000, 2_000_000);
  }

  @Override
  public void upload(long address, MemorySegment source, long bytes) {
    copy(source, MemorySegment.ofAddress(address).reinterpret(bytes), bytes);
  }

  @Override
  public void download(MemorySegment target, long address, long bytes) {
    copy(MemorySegment.ofAddress(address).reinterpret(bytes), target, bytes);
  }

  private void copy(MemorySegment source, MemorySegment target, long bytes) {
    transfers.readLock().lock();
    try {
      if (released) {
        throw new ClosedException("runtime closed: device=cpu, expected=an open runtime");
      }
      MemorySegment.copy(source, 0, target, 0, bytes);
    } finally {
      transfers.readLock().unlock();
    }
  }

  @Override
  public void copy(long target, long source, long bytes) {
    copy(
        MemorySegment.ofAddress(source).reinterpret(bytes),
        MemorySegment.ofAddress(target).reinterpret(bytes),
        bytes);
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    ring.close();
    stop(Drain.await(ring, completions, name(), closeWait));
  }

  private void stop(boolean complete) {
    lease.close();
    boolean ended = workers.close(complete ? CLOSE_WAIT : GIVE_UP_WAIT);
    completions.close();
    transfers.writeLock().lock();
    released = true;
    if (ended) {
      pool.close();
    } else {
      // A worker that comes back yet would write to it.
      LOG.log(
          System.Logger.Level.WARNING,
          "closed with a worker that does not come back; its thread and {0} bytes of memory stay: device=cpu, {1}",
          Long.toString(pool.heldBytes()),
          tasks.suspects());
    }
    transfers.writeLock().unlock();
  }
}

package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.Drain;
import io.gpuos.device.InjectionStatus;
import io.gpuos.device.Injections;
import io.gpuos.device.MemoryPool;
import io.gpuos.device.OpenPhases;
import io.gpuos.device.SpaceNumber;
import io.gpuos.device.StreamReplays;
import io.gpuos.driver.Cuda;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.inject.Limits;
import io.gpuos.inject.NamedOperator;
import io.gpuos.inject.OperatorTable;
import io.gpuos.inject.RingProgress;
import io.gpuos.ir.Kernel;
import io.gpuos.jit.CompileRequest;
import io.gpuos.jit.CompileService;
import io.gpuos.layout.AttentionSpace;
import io.gpuos.layout.ContractionSpace;
import io.gpuos.layout.IterationSpace;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.OutstandingTasks;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.queue.Watchdog;
import io.gpuos.schedule.CostModel;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** One NVIDIA GPU: a resident kernel whose blocks execute the tasks. */
public final class CudaComputeDevice implements ComputeDevice {

  /** Half of the registers of a multiprocessor: the other half is for other kernels. */
  private static final int BLOCKS_PER_MULTIPROCESSOR = 2;

  /**
   * Least of the widest operand in one tile, in bytes. On an H100 a lone operation of a million
   * floats took 16 us in tiles of 16 and of 64 KiB and 26 us in tiles of 256; smaller tiles only
   * cost records where many operations run side by side.
   */
  private static final long LEAST_TILE_BYTES = 64 << 10;

  /**
   * Most of it: a worker asked to leave finishes its tile first. Smaller ones do not make a large
   * operation faster; from 64 KiB to 1 MiB the fewest were the best on an H100.
   */
  private static final long MOST_TILE_BYTES = 1 << 20;

  /**
   * Multiplications that are worth a task of their own: about 3 us. (Four blocks of 16x32 results,
   * 262,144 multiplications, took one worker 22 to 24 us on an H100.)
   */
  private static final long LEAST_PRODUCTS = 1 << 15;

  /** Elements to fold in one tile of a reduction at least. */
  private static final long LEAST_REDUCED = 16 << 10;

  /** Results in one tile of a reduction at most. */
  private static final long MOST_RESULTS = 1 << 20;

  private static final int OLDEST_ARCHITECTURE = 80;

  private static final long TRANSITION_NANOS = Duration.ofSeconds(10).toNanos();
  private static final Duration CLOSE_WAIT = Duration.ofSeconds(60);

  /** How long workers have to leave whose tasks do not end. */
  private static final Duration GIVE_UP_WAIT = Duration.ofSeconds(1);

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  private final OpenPhases phases;
  private final CudaContext context;
  private final int ordinal;
  private final String architecture;
  private final int workers;
  private final PlatformThreads threads;

  /**
   * For aliases only. Whoever turns one holds the operator table, which calls that run in {@link
   * #threads} may be waiting for.
   */
  private final PlatformThreads turns;

  private final CudaStream copies;
  private final SpaceTable spaces;
  private final WorkerMemory memory;
  private final WorkerKernel kernel;
  private final StreamKernels streams;
  private final InjectionChoice injection;
  private final Injections injections = new Injections();
  private final CodeLoader loader;
  private final CudaOperators operators;
  private final Completions completions;
  private final Lease lease;
  private final SubmissionRing ring;
  private final OutstandingTasks tasks;
  private final MemoryPool pool;

  /** Everything to be released with the context current, once the workers are gone. */
  private final CloseStack parts = new CloseStack();

  private final CompileService compiler;
  private boolean closed;

  /** Guarded by {@link #copies}. */
  private boolean copiesClosed;

  /**
   * Opens device {@code ordinal}: compiles the worker kernel, or finds it in the cache, and loads
   * it.
   *
   * @throws DeviceUnavailableException with the reason, if driver, device or compiler are missing
   *     or too old
   */
  public static CudaComputeDevice open(int ordinal, DeviceSettings settings) {
    OpenPhases phases = new OpenPhases();
    Cuda cuda = Cuda.open();
    phases.end("driver");
    io.gpuos.driver.CudaDevice device = cuda.device(ordinal);
    String architecture = device.architecture();
    if (Integer.parseInt(architecture.substring(3)) < OLDEST_ARCHITECTURE) {
      throw new DeviceUnavailableException(
          String.format(
              Locale.ROOT,
              "device too old: device=cuda:%d, name=%s, architecture=%s, expected=sm_%d or newer",
              ordinal,
              device.name(),
              architecture,
              OLDEST_ARCHITECTURE));
    }
    CompileService compiler = CompileService.open(cuda.driverVersion(), CudaHeader.ABI_VERSION);
    try {
      // Asked for again when it is needed: until then it is on its way while the context is made.
      compiler.prepare(CudaOperators.workerRequest(architecture));
      CudaContext context = device.retainPrimaryContext();
      phases.end("context");
      return open(context, ordinal, compiler, settings, phases);
    } catch (Throwable failure) {
      compiler.close();
      throw failure;
    }
  }

  /** The device of {@code context}; closes the context with it, also when it cannot be opened. */
  static CudaComputeDevice open(
      CudaContext context,
      int ordinal,
      CompileService compiler,
      DeviceSettings settings,
      OpenPhases phases) {
    try {
      return context.withCurrent(
          () -> new CudaComputeDevice(context, ordinal, compiler, settings, phases));
    } catch (Throwable failure) {
      context.close();
      throw failure;
    }
  }

  private CudaComputeDevice(
      CudaContext context,
      int ordinal,
      CompileService compiler,
      DeviceSettings settings,
      OpenPhases phases) {
    this.phases = phases;
    this.context = context;
    this.ordinal = ordinal;
    this.compiler = compiler;
    architecture = context.device().architecture();
    int multiprocessors = context.device().attribute(DeviceAttribute.MULTIPROCESSOR_COUNT);
    workers =
        settings.workers() > 0
            ? settings.workers()
            : multiprocessors * BLOCKS_PER_MULTIPROCESSOR - 1;
    threads = new PlatformThreads(context);
    turns = new PlatformThreads(context);
    try {
      copies = context.newStream();
      parts.push(this::closeCopies);
      spaces = new SpaceTable(context.memory(), copies);
      parts.push(spaces::close);
      memory = new WorkerMemory(context, settings, spaces.directory(), parts);
      kernel = new WorkerKernel(context, memory, workers);
      parts.push(kernel::close);
      lease = new Lease(memory.ring().control(), kernel, this::outstanding, "gpuos-cuda-keeper");
      completions = new Completions(memory.ring(), lease);
      ring = new SubmissionRing(memory.ring(), lease, completions, settings.fullWait());
      phases.end("memory");
      byte[] worker = linkedWorker();
      phases.end("worker code");
      kernel.load(worker);
      streams = new StreamKernels(context, memory, this::loadReplays, workers);
      parts.push(streams::close);
      phases.end("worker kernel");
      injection = injectionChoice(settings);
      Aliases aliases = new Aliases(context, memory);
      parts.push(aliases::close);
      loader = loader(injection.live(), aliases);
      operators = operators(aliases);
      parts.push(operators::close);
      pool = new MemoryPool(new CudaSlabs(context, threads), ring, name());
      parts.push(pool::close);
      BegunTasks begun = new BegunTasks(context, memory.begun(), workers);
      parts.push(begun::close);
      tasks = new OutstandingTasks(memory.ring(), ring, completions, operators.table()::describe);
      Watchdog watchdog = new Watchdog(name(), settings.taskDeadline(), begun, tasks, completions);
      kernel.connect(completions, lease, tasks, watchdog);
      phases.end("the rest");
    } catch (Throwable failure) {
      parts.closeAfter(failure);
      threads.close();
      turns.close();
      throw failure;
    }
  }

  private byte[] linkedWorker() {
    return linked(CudaOperators.workerRequest(architecture), "gpuos_worker");
  }

  /** The driver loads nothing while a kernel runs, so the workers are asked to leave. */
  private CudaModule loadReplays() {
    byte[] image = linked(CudaOperators.replaysRequest(architecture), "gpuos_replays");
    lease.hold();
    try {
      kernel.awaitIdle();
      return context.loadModule(image);
    } finally {
      lease.release();
    }
  }

  /** Relocatable code calls pointers as addresses, but is not loaded before it is linked. */
  private byte[] linked(CompileRequest request, String name) {
    return compiler.finished(request, "link", cubin -> context.link(Map.of(name, cubin)));
  }

  private CudaOperators operators(Aliases aliases) {
    OperatorTable<Code> table =
        new OperatorTable<>(
            WorkerMemory.MAX_OPERATORS,
            (operator, address) -> turns.run(() -> aliases.turn(operator, address)),
            new RingProgress(ring, completions),
            TRANSITION_NANOS);
    return new CudaOperators(context, compiler, loader, table, injections);
  }

  private CodeLoader loader(boolean live, Aliases aliases) {
    Limits limits = new Limits(architecture, kernel.registers(), WorkerKernel.STACK_BYTES);
    if (live) {
      return new ArenaLoader(context, limits);
    }
    byte[] worker =
        CompileService.join(compiler.compile(CudaOperators.workerRequest(architecture)));
    return new ImageLoader(context, kernel, lease, aliases, limits, worker, injections);
  }

  private InjectionChoice injectionChoice(DeviceSettings settings) {
    return InjectionChoice.of(
        settings.injection(),
        architecture,
        () -> LiveVerdicts.open().find(LiveVerdicts.Subject.of(context.device(), compiler)));
  }

  private boolean outstanding() {
    return ring != null && completions.fault() == null && ring.outstanding();
  }

  @Override
  public String name() {
    return "cuda:" + ordinal;
  }

  @Override
  public String description() {
    return String.format(
        Locale.ROOT,
        "%s, driver %s, %d workers",
        context.device().name(),
        version(context.device().cuda().driverVersion()),
        workers);
  }

  private static String version(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }

  @Override
  public List<OpenPhases.Phase> openPhases() {
    return phases.list();
  }

  @Override
  public Injections injections() {
    return injections;
  }

  @Override
  public InjectionStatus injection() {
    return loader.status(injection.reason());
  }

  @Override
  public int workers() {
    return workers;
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

  /** Makes driver calls. A fault that they meet ends the device, like one that the keeper meets. */
  private <T> T call(Supplier<T> body) {
    try {
      return threads.call(body);
    } catch (DeviceFaultException fault) {
      kernel.fail("device failed", fault);
      completions.throwIfFailed();
      throw fault;
    }
  }

  private void run(Runnable body) {
    call(
        () -> {
          body.run();
          return null;
        });
  }

  @Override
  public int operator(Kernel source) {
    return call(() -> operators.install(source));
  }

  @Override
  public boolean awaitCompiled(long deadlineNanos) {
    return operators.awaitCompiled(deadlineNanos);
  }

  @Override
  public <B extends NamedOperator.Body> NamedOperator<B, ?> named(
      String operator, B first, String origin) {
    return new NamedOperator<>(
        operator,
        first,
        origin,
        operators.table(),
        (_, source) -> call(() -> operators.code(source)));
  }

  @Override
  public Optional<String> architecture() {
    return Optional.of(architecture);
  }

  @Override
  public SpaceNumber space(IterationSpace space) {
    return call(
        () -> {
          synchronized (copies) {
            requireOpen();
            return spaces.intern(space);
          }
        });
  }

  @Override
  public long tilePositions(Kernel source, IterationSpace space) {
    int widest = 1;
    for (Kernel.Operand operand : source.operands()) {
      widest = Math.max(widest, operand.type().bytes());
    }
    if (source instanceof Kernel.Contraction) {
      return Math.max(1, LEAST_PRODUCTS / ContractionSpace.products(space));
    }
    if (source instanceof Kernel.Attention) {
      return Math.max(1, LEAST_PRODUCTS / AttentionSpace.products(space));
    }
    long perWorker = Math.ceilDiv(space.count(), (long) workers);
    if (source.folds() && !(source instanceof Kernel.Gather)) {
      long last = source instanceof Kernel.Scatter ? space.size(space.rank() - 1) : 1;
      long perResult = space.reducedCount() / Math.max(1, last); // a scatter's axis is not walked
      long worth = LEAST_REDUCED / Math.max(1, perResult);
      return Math.min(Math.max(1, Math.max(worth, perWorker)), MOST_RESULTS);
    }
    long elements = Math.clamp(perWorker, LEAST_TILE_BYTES / widest, MOST_TILE_BYTES / widest);
    return inFullRounds(space.count(), Math.max(256, elements / 256 * 256));
  }

  /** As measured on an H100, one block to a worker. */
  @Override
  public CostModel costs() {
    return new CostModel(workers, 300, 25, 12, 900, 200_000);
  }

  /** Makes the tiles of large work a multiple of the workers, so that all finish together. */
  private long inFullRounds(long positions, long tile) {
    long tiles = Math.ceilDiv(positions, tile);
    if (tiles <= workers) {
      return tile;
    }
    long even = Math.ceilDiv(tiles, (long) workers) * workers;
    return Math.ceilDiv(Math.ceilDiv(positions, even), 256L) * 256;
  }

  @Override
  public Optional<StreamReplays> streams() {
    return Optional.of(streams);
  }

  @Override
  public void upload(long address, MemorySegment source, long bytes) {
    run(
        () -> {
          synchronized (copies) {
            requireOpen();
            copies.copyToDevice(address, source.asSlice(0, bytes));
            copies.synchronize();
          }
        });
  }

  @Override
  public void download(MemorySegment target, long address, long bytes) {
    run(
        () -> {
          synchronized (copies) {
            requireOpen();
            copies.copyToHost(target.asSlice(0, bytes), address);
            copies.synchronize();
          }
        });
  }

  @Override
  public void copy(long target, long source, long bytes) {
    run(
        () -> {
          synchronized (copies) {
            requireOpen();
            copies.copy(target, source, bytes);
            copies.synchronize();
          }
        });
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    ring.close();
    operators.refuse();
    boolean complete = Drain.await(ring, completions, name());
    synchronized (copies) {
      // Before anything is freed: whoever comes with a copy from here on is told.
      copiesClosed = true;
    }
    lease.close();
    boolean ended = threads.call(() -> kernel.awaitEnd(complete ? CLOSE_WAIT : GIVE_UP_WAIT));
    completions.close();
    try {
      if (ended) {
        threads.run(parts::close);
      }
    } finally {
      threads.close();
      turns.close();
      compiler.close();
      if (ended) {
        context.close();
      } else {
        sayAbandoned();
      }
    }
  }

  /** Freeing anything, or letting go of the context, would wait for the kernel for ever. */
  private void sayAbandoned() {
    DeviceFaultException fault = completions.fault();
    LOG.log(
        System.Logger.Level.WARNING,
        "closed with a kernel that does not end; its memory and its context stay until the process ends: device={0}, {1}",
        name(),
        fault == null ? tasks.suspects() : fault.getMessage());
  }

  private void closeCopies() {
    synchronized (copies) {
      copiesClosed = true;
      copies.close();
    }
  }

  private void requireOpen() {
    if (copiesClosed) {
      throw new ClosedException("runtime closed: device=" + name() + ", expected=an open runtime");
    }
  }
}

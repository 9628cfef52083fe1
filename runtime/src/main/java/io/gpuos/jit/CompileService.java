package io.gpuos.jit;

import io.gpuos.driver.Nvrtc;
import io.gpuos.error.ClosedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.UnaryOperator;

/**
 * Makes machine code of sources, in the background, each only once: from the {@link DiskCache}
 * where it is there, else by the compiler. A request equal to one that is under way joins it.
 *
 * <p>Thread-safe. Work is done on at most {@link Nvrtc#concurrency} daemon threads, which end when
 * idle.
 */
public final class CompileService implements AutoCloseable {

  private static final long IDLE_SECONDS = 10;
  private static final long WRITE_SECONDS = 5;

  /** The compiler recurses over deeply nested sources; only what is touched takes memory. */
  private static final long STACK_BYTES = 64L << 20;

  private final Compiler compiler;
  private final List<String> environment;
  private final DiskCache cache;
  private final ThreadPoolExecutor threads;
  private final ConcurrentHashMap<CompileRequest, CompletableFuture<byte[]>> underWay =
      new ConcurrentHashMap<>();

  /** Held for reading by who writes to the cache; for writing by who waits for all of them. */
  private final ReentrantReadWriteLock writing = new ReentrantReadWriteLock();

  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder shared = new LongAdder();
  private final LongAdder failures = new LongAdder();
  private final LongAdder compileNanos = new LongAdder();

  /** What turns a request into machine code, on the calling thread. Thread-safe. */
  public interface Compiler {
    /**
     * Name and version; another one may make other code of the same request. May change when
     * something is compiled.
     *
     * @throws io.gpuos.error.DeviceUnavailableException the compiler cannot be loaded
     */
    String version();

    /** {@link #version}, if it can be told without loading the compiler. */
    default Optional<String> knownVersion() {
      return Optional.of(version());
    }

    /**
     * Makes the code, and waits for it.
     *
     * @throws io.gpuos.error.CompileException the source was refused
     * @throws io.gpuos.error.DeviceUnavailableException the compiler cannot be loaded
     */
    byte[] compile(CompileRequest request);
  }

  /**
   * What the service has done so far.
   *
   * @param hits requests answered from disk
   * @param misses requests that went to the compiler
   * @param shared requests that joined an equal one under way
   * @param failures requests that ended in an error
   * @param compileNanos nanoseconds spent in the compiler, over all threads
   */
  public record Counters(long hits, long misses, long shared, long failures, long compileNanos) {}

  /**
   * A service over a compiler.
   *
   * @param environment what decides over the code besides the request and the compiler: versions of
   *     the driver and of the shared records
   */
  public CompileService(Compiler compiler, List<String> environment, DiskCache cache) {
    this.compiler = compiler;
    this.environment = List.copyOf(environment);
    this.cache = cache;
    this.threads =
        new ThreadPoolExecutor(
            Nvrtc.concurrency(),
            Nvrtc.concurrency(),
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            CompileService::newThread);
    threads.allowCoreThreadTimeOut(true);
  }

  /**
   * The service over NVRTC and the user's cache. NVRTC is loaded at the first request, in the
   * background; where it is missing, requests end in {@link
   * io.gpuos.error.DeviceUnavailableException}.
   *
   * @param driverVersion as {@link io.gpuos.driver.Cuda#driverVersion} gives it; 0 without a driver
   * @param abiVersion version of the records that host and device share
   */
  public static CompileService open(int driverVersion, int abiVersion) {
    List<String> environment = List.of("driver " + driverVersion, "abi " + abiVersion);
    return new CompileService(new NvrtcCompiler(), environment, DiskCache.open());
  }

  private static Thread newThread(Runnable work) {
    return Thread.ofPlatform()
        .name("gpuos-compile")
        .daemon()
        .stackSize(STACK_BYTES)
        .unstarted(work);
  }

  /**
   * Asks for machine code; comes back at once.
   *
   * @return a future of the caller's own copy of the cubin; it ends in {@link
   *     io.gpuos.error.CompileException} when the source is refused and in {@link ClosedException}
   *     when the service is closed first. Cancelling it leaves equal requests alone.
   */
  public CompletableFuture<byte[]> compile(CompileRequest request) {
    CompletableFuture<byte[]> mine = new CompletableFuture<>();
    CompletableFuture<byte[]> first = underWay.putIfAbsent(request, mine);
    if (first != null) {
      shared.increment();
      return first.thenApply(byte[]::clone);
    }
    try {
      threads.execute(() -> complete(mine, request));
    } catch (RejectedExecutionException _) {
      underWay.remove(request, mine);
      mine.completeExceptionally(closed());
    }
    return mine.thenApply(byte[]::clone);
  }

  /**
   * The code of {@code request} if it is on disk: read on the calling thread, in well below a
   * millisecond. Never waits for the compiler, not even for its version.
   */
  public Optional<byte[]> cached(CompileRequest request) {
    Optional<byte[]> code =
        compiler.knownVersion().flatMap(v -> cache.get(request.key(v, environment)));
    if (code.isPresent()) {
      hits.increment();
    }
    return code;
  }

  /** Starts to make what {@link #compile} will be asked for soon; an error shows then. */
  public void prepare(CompileRequest request) {
    CompletableFuture<byte[]> _ = compile(request);
  }

  /**
   * The code of {@code request}, taken a step further by {@code work}. The result is cached too, so
   * that neither is done again. Waits, on the calling thread.
   *
   * @param step names what {@code work} does
   */
  public byte[] finished(CompileRequest request, String step, UnaryOperator<byte[]> work) {
    List<String> further = new ArrayList<>(environment);
    further.add("step " + step);
    CacheKey key = request.key(compiler.version(), further);
    Optional<byte[]> cached = cache.get(key);
    if (cached.isPresent()) {
      hits.increment();
      return cached.get();
    }
    byte[] code = work.apply(join(compile(request)));
    cache.put(request.key(compiler.version(), further), code);
    return code;
  }

  /** Waits for a future of this service, or one that follows from it; throws what it ended in. */
  public static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  private void complete(CompletableFuture<byte[]> future, CompileRequest request) {
    try {
      CacheKey key = request.key(compiler.version(), environment);
      Optional<byte[]> cached = cache.get(key);
      if (cached.isPresent()) {
        hits.increment();
        underWay.remove(request, future);
        future.complete(cached.get());
      } else {
        finish(future, request, compiled(request));
      }
    } catch (Throwable e) {
      // An error too must reach whoever waits; the thread has nobody else to tell. No longer under
      // way before anybody sees it: who asks after that starts afresh, and may succeed.
      failures.increment();
      underWay.remove(request, future);
      future.completeExceptionally(e);
    }
  }

  private byte[] compiled(CompileRequest request) {
    misses.increment();
    long start = System.nanoTime();
    try {
      return compiler.compile(request);
    } finally {
      compileNanos.add(System.nanoTime() - start);
    }
  }

  /**
   * Hands the code on before it is written to disk, which takes milliseconds. Under way until it is
   * there, so that nobody compiles it again in between.
   */
  private void finish(CompletableFuture<byte[]> future, CompileRequest request, byte[] code) {
    writing.readLock().lock();
    try {
      future.complete(code);
      // The version may have been an old one, remembered until the compiler was loaded just now.
      cache.put(request.key(compiler.version(), environment), code);
    } finally {
      underWay.remove(request, future);
      writing.readLock().unlock();
    }
  }

  /** Whether nothing is being compiled, or written to disk. */
  boolean isIdle() {
    return underWay.isEmpty();
  }

  /** What the service has done so far; the numbers may be of slightly different moments. */
  public Counters counters() {
    return new Counters(hits.sum(), misses.sum(), shared.sum(), failures.sum(), compileNanos.sum());
  }

  /**
   * Name and version of the compiler; loads it where that is not known otherwise.
   *
   * @throws io.gpuos.error.DeviceUnavailableException the compiler cannot be loaded
   */
  public String compilerVersion() {
    return compiler.version();
  }

  /** The cache behind the service. */
  public DiskCache cache() {
    return cache;
  }

  /**
   * Ends the service: requests under way end in {@link ClosedException}, though a compile that has
   * begun runs to its end in the background. Closing again does nothing.
   */
  @Override
  public void close() {
    // Not shutdownNow: an interrupt would break off the cache's file operations.
    threads.shutdown();
    threads.getQueue().clear();
    List.copyOf(underWay.values()).forEach(future -> future.completeExceptionally(closed()));
    awaitWritten();
  }

  /**
   * What is being written is for the next process, and whoever removes the cache's folder after
   * this is not to find it changing. Not for ever: what follows from code that came runs in
   * between.
   */
  private void awaitWritten() {
    if (writing.getReadHoldCount() > 0) {
      return;
    }
    try {
      if (writing.writeLock().tryLock(WRITE_SECONDS, TimeUnit.SECONDS)) {
        writing.writeLock().unlock();
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private static ClosedException closed() {
    return new ClosedException("compile service closed: expected=an open runtime");
  }
}

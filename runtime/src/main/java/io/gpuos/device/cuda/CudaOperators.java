package io.gpuos.device.cuda;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.device.Injections;
import io.gpuos.driver.CudaContext;
import io.gpuos.inject.Injector;
import io.gpuos.inject.OperatorTable;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.KernelName;
import io.gpuos.jit.CompileRequest;
import io.gpuos.jit.CompileService;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * The operators of a CUDA device: compiles them, has their code brought in, and gives them numbers.
 * Equal kernels share one operator. Nobody waits for the compiler where the interpreter can serve
 * until it is done. Thread-safe; several threads compile at the same time.
 */
final class CudaOperators implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  /**
   * No contraction: an expression is to give the same result fused, step by step and interpreted.
   * The last one: older NVRTC takes lambdas in device code for host functions otherwise.
   */
  static final List<String> OPTIONS =
      List.of(
          "--std=c++17",
          "--relocatable-device-code=true",
          "--fmad=false",
          "--device-as-default-execution-space");

  private final CudaContext context;
  private final CompileService compiler;
  private final String architecture;
  private final CodeLoader loader;
  private final OperatorTable<Code> table;
  private final Interpreter interpreter;
  private final Injections injections;
  private final Map<Kernel, CompletableFuture<Integer>> numbers = new ConcurrentHashMap<>();

  /** Code is never unloaded, so what was brought in once serves whoever needs it again. */
  private final Map<Kernel, CompletableFuture<Code>> codes = new ConcurrentHashMap<>();

  private volatile boolean closed;

  /** Interpreted operators whose code is on its way. */
  private final Map<Integer, CompletableFuture<Void>> underWay = new ConcurrentHashMap<>();

  CudaOperators(
      CudaContext context,
      CompileService compiler,
      CodeLoader loader,
      OperatorTable<Code> table,
      Injections injections) {
    this.context = context;
    this.injections = injections;
    this.compiler = compiler;
    this.architecture = context.device().architecture();
    this.loader = loader;
    this.table = table;
    this.interpreter =
        new Interpreter(
            context,
            compileAndBringIn(DeviceSources.interpreter()).whenComplete(this::tellIfMissing));
  }

  /** What is compiled for the worker kernel. */
  static CompileRequest workerRequest(String architecture) {
    return kernelRequest("gpuos_worker.cu", DeviceSources.worker(), architecture);
  }

  /** What is compiled for replays on streams. */
  static CompileRequest replaysRequest(String architecture) {
    return kernelRequest("gpuos_replays.cu", DeviceSources.replays(), architecture);
  }

  /** A source of kernels that call operators. */
  private static CompileRequest kernelRequest(String name, String source, String architecture) {
    int blocks = 65_536 / (WorkerKernel.REGISTERS * WorkerKernel.BLOCK_THREADS);
    return new CompileRequest(
        name,
        source,
        DeviceSources.headers(),
        with(
            "--maxrregcount=" + WorkerKernel.REGISTERS,
            "-DGPUOS_BLOCK_THREADS=" + WorkerKernel.BLOCK_THREADS,
            "-DGPUOS_BLOCKS_PER_SM=" + blocks,
            "-DGPUOS_STACK_BYTES=" + WorkerKernel.STACK_BYTES),
        architecture);
  }

  /** What is compiled for an operator: a function the running kernel can call. */
  static CompileRequest operatorRequest(String source, String architecture, String... more) {
    List<String> options = with("--maxrregcount=" + WorkerKernel.REGISTERS);
    options.addAll(Injector.COMPILE_OPTIONS);
    options.addAll(List.of(more));
    return new CompileRequest(source, DeviceSources.headers(), options, architecture);
  }

  private static List<String> with(String... more) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.addAll(List.of(more));
    return options;
  }

  private void tellIfMissing(Code.Function interpreter, Throwable failure) {
    if (failure != null && !closed) {
      LOG.log(
          System.Logger.Level.WARNING,
          "no interpreter: new operators wait for the compiler, reason={0}",
          failure.getMessage());
    }
  }

  /** Generations and aliases of the operators. */
  OperatorTable<Code> table() {
    return table;
  }

  /** Number of the operator that computes {@code kernel}; made at the first call. */
  int install(Kernel kernel) {
    return once(numbers, kernel, () -> introduce(kernel));
  }

  private int introduce(Kernel kernel) {
    CompletableFuture<Code> code = compiled(kernel);
    if (!code.isDone()) {
      Optional<Code> interpreted = interpreter.code(kernel);
      if (interpreted.isPresent()) {
        int number = table.add(KernelName.of(kernel), interpreted.get(), "interpreted");
        publishWhenReady(number, code);
        return number;
      }
    }
    Code ready = CompileService.join(code);
    long begin = System.nanoTime();
    int number = table.add(KernelName.of(kernel), ready, "compiled");
    double turnMicros = (System.nanoTime() - begin) / 1e3;
    injections.add(new Injections.Injection(ready.loadNanos() / 1e3, turnMicros));
    return number;
  }

  private void publishWhenReady(int number, CompletableFuture<Code> code) {
    CompletableFuture<Void> published =
        code.handle(
            (ready, failure) -> {
              Throwable reason = failure == null ? publish(number, ready) : failure;
              if (reason != null && !closed) {
                staysInterpreted(table.state(number).name(), reason);
              }
              underWay.remove(number);
              return null;
            });
    underWay.put(number, published);
    if (published.isDone()) {
      underWay.remove(number);
    }
  }

  /** Counted before the wait for it ends, so that whoever has waited sees it. */
  private void staysInterpreted(String operator, Throwable reason) {
    injections.add(new Injections.Failure(operator, String.valueOf(reason.getMessage())));
    LOG.log(
        System.Logger.Level.WARNING,
        "operator stays interpreted: operator={0}, reason={1}",
        operator,
        reason.getMessage());
  }

  /** Returns why it could not be done, or null. */
  private Throwable publish(int number, Code code) {
    try {
      context.withCurrent(() -> table.publish(number, code, "compiled"));
      return null;
    } catch (RuntimeException failure) {
      return failure;
    }
  }

  /**
   * Waits until every operator interpreted so far is compiled or stays interpreted for good, which
   * the injections count; false at the deadline.
   */
  boolean awaitCompiled(long deadlineNanos) {
    CompletableFuture<?>[] all = underWay.values().toArray(CompletableFuture<?>[]::new);
    try {
      CompletableFuture.allOf(all)
          .get(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
      return true;
    } catch (TimeoutException | ExecutionException _) {
      return false;
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Code of {@code kernel}, compiled and brought in at the first call; waits for it. */
  Code code(Kernel kernel) {
    return CompileService.join(compiled(kernel));
  }

  private CompletableFuture<Code> compiled(Kernel kernel) {
    CompletableFuture<Code> mine = new CompletableFuture<>();
    CompletableFuture<Code> code = codes.putIfAbsent(kernel, mine);
    if (code == null) {
      code = mine;
      settle(mine, () -> bringIn(CudaGenerator.render(kernel)));
    }
    if (code.isCompletedExceptionally()) {
      // Who asks after this tries again.
      codes.remove(kernel, code);
    }
    return code;
  }

  private static void settle(
      CompletableFuture<Code> code, Supplier<CompletableFuture<Code.Function>> begin) {
    try {
      begin
          .get()
          .whenComplete(
              (function, failure) -> {
                if (failure == null) {
                  code.complete(Code.of(function));
                } else {
                  Throwable cause =
                      failure instanceof CompletionException ? failure.getCause() : failure;
                  code.completeExceptionally(cause);
                }
              });
    } catch (Throwable failure) {
      code.completeExceptionally(failure);
    }
  }

  /**
   * Code from the cache is brought in by the calling thread, which takes less than to interpret;
   * the rest by the compiler's.
   */
  private CompletableFuture<Code.Function> bringIn(String source) {
    if (loader.immediate()) {
      Optional<byte[]> cached = compiler.cached(loader.request(source, architecture));
      if (cached.isPresent()) {
        return CompletableFuture.completedFuture(
            context.withCurrent(() -> timed(source, cached.get())));
      }
    }
    return compileAndBringIn(source);
  }

  private CompletableFuture<Code.Function> compileAndBringIn(String source) {
    return compiler
        .compile(loader.request(source, architecture))
        .thenApply(cubin -> context.withCurrent(() -> timed(source, cubin)));
  }

  private Code.Function timed(String source, byte[] cubin) {
    long begin = System.nanoTime();
    Code.Function function = loader.load(source, cubin);
    function.tookNanos(System.nanoTime() - begin);
    return function;
  }

  /** What {@code make} made for the kernel, by the first who asks. */
  private static <T> T once(
      Map<Kernel, CompletableFuture<T>> made, Kernel kernel, Supplier<T> make) {
    CompletableFuture<T> mine = new CompletableFuture<>();
    CompletableFuture<T> first = made.putIfAbsent(kernel, mine);
    if (first != null) {
      return CompileService.join(first);
    }
    try {
      mine.complete(make.get());
    } catch (Throwable failure) {
      // Who asks after this tries again.
      made.remove(kernel, mine);
      mine.completeExceptionally(failure);
    }
    return CompileService.join(mine);
  }

  /** What was asked for and is not compiled yet will not be. Call before the compiler is closed. */
  void refuse() {
    closed = true;
  }

  @Override
  public void close() {
    closed = true;
    interpreter.close();
    loader.close();
  }
}

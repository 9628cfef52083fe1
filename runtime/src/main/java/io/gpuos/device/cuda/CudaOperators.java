package io.gpuos.device.cuda;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.inject.OperatorTable;
import io.gpuos.ir.Kernel;
import io.gpuos.jit.CompileRequest;
import io.gpuos.jit.CompileService;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * The operators of a CUDA device: compiles them, has their code brought in, and gives them numbers.
 * Equal kernels share one operator. Thread-safe; several threads compile at the same time.
 */
final class CudaOperators implements AutoCloseable {

  /** The last one: older NVRTC takes lambdas in device code for host functions otherwise. */
  static final List<String> OPTIONS = List.of("--std=c++17", "--device-as-default-execution-space");

  private final CompileService compiler;
  private final String architecture;
  private final CodeLoader loader;
  private final OperatorTable<Long> table;
  private final AtomicInteger loads = new AtomicInteger();
  private final Map<String, String> headers = DeviceSources.headers();
  private final Map<Kernel, CompletableFuture<Integer>> numbers = new ConcurrentHashMap<>();

  /** Code is never unloaded, so what was brought in once serves whoever needs it again. */
  private final Map<Kernel, CompletableFuture<Long>> addresses = new ConcurrentHashMap<>();

  /**
   * @param table of addresses
   */
  CudaOperators(
      CompileService compiler, String architecture, CodeLoader loader, OperatorTable<Long> table) {
    this.compiler = compiler;
    this.architecture = architecture;
    this.loader = loader;
    this.table = table;
  }

  /** What is compiled for the worker kernel: a whole program, which the driver loads as it is. */
  static CompileRequest workerRequest(String architecture) {
    int blocks = 65_536 / (WorkerKernel.REGISTERS * WorkerKernel.BLOCK_THREADS);
    return new CompileRequest(
        "gpuos_worker.cu",
        DeviceSources.worker(),
        DeviceSources.headers(),
        with(
            "-DGPUOS_BLOCK_THREADS=" + WorkerKernel.BLOCK_THREADS,
            "-DGPUOS_BLOCKS_PER_SM=" + blocks),
        architecture);
  }

  /** What is compiled for an operator: a function the running kernel can call. */
  static CompileRequest operatorRequest(
      String source, Map<String, String> headers, String architecture) {
    return new CompileRequest(
        source,
        headers,
        with("--relocatable-device-code=true", "--maxrregcount=" + WorkerKernel.REGISTERS),
        architecture);
  }

  /** What {@link ModuleLoader} links to each operator. */
  static CompileRequest pointerRequest(String architecture) {
    return operatorRequest(ModuleLoader.POINTER_SOURCE, DeviceSources.headers(), architecture);
  }

  private static List<String> with(String... more) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.addAll(List.of(more));
    return options;
  }

  /** Number of the operator that computes {@code kernel}; brings it in at the first call. */
  int install(Kernel kernel) {
    return once(
        numbers,
        kernel,
        () -> table.add("gpuos_op_" + (table.size() + 1), code("operator", kernel), "compiled"));
  }

  /**
   * Address of the code of {@code kernel}; compiles it and brings it in at the first call.
   *
   * @param name for messages
   */
  long code(String name, Kernel kernel) {
    return once(addresses, kernel, () -> bringIn(name, kernel));
  }

  private long bringIn(String name, Kernel kernel) {
    String source = CudaGenerator.render(kernel);
    byte[] cubin = join(compiler.compile(operatorRequest(source, headers, architecture)));
    return loader.load(name + "#" + loads.incrementAndGet(), cubin);
  }

  /** What {@code make} made for the kernel, by the first who asks. */
  private static <T> T once(
      Map<Kernel, CompletableFuture<T>> made, Kernel kernel, Supplier<T> make) {
    CompletableFuture<T> mine = new CompletableFuture<>();
    CompletableFuture<T> first = made.putIfAbsent(kernel, mine);
    if (first != null) {
      return join(first);
    }
    try {
      mine.complete(make.get());
    } catch (Throwable failure) {
      // Who asks after this tries again.
      made.remove(kernel, mine);
      mine.completeExceptionally(failure);
    }
    return join(mine);
  }

  /** Generations and aliases of the operators. */
  OperatorTable<Long> table() {
    return table;
  }

  static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  @Override
  public void close() {
    loader.close();
  }
}

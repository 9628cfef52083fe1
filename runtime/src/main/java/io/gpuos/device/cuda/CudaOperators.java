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

/**
 * The operators of a CUDA device: compiles them, has their code brought in, and gives them numbers.
 * Equal kernels share one operator. Thread-safe; several threads compile at the same time.
 */
final class CudaOperators implements AutoCloseable {

  /** The last one: older NVRTC takes lambdas in device code for host functions otherwise. */
  static final List<String> OPTIONS =
      List.of(
          "--std=c++17", "--relocatable-device-code=true", "--device-as-default-execution-space");

  private final CompileService compiler;
  private final String architecture;
  private final CodeLoader loader;
  private final OperatorTable<Long> table;
  private final Map<String, String> headers = DeviceSources.headers();
  private final Map<Kernel, CompletableFuture<Integer>> numbers = new ConcurrentHashMap<>();

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

  /** What is compiled for the worker kernel. */
  static CompileRequest workerRequest(String architecture) {
    int blocks = 65_536 / (WorkerKernel.REGISTERS * WorkerKernel.BLOCK_THREADS);
    return new CompileRequest(
        "gpuos_worker.cu",
        DeviceSources.worker(),
        DeviceSources.headers(),
        with(
            "-DGPUOS_BLOCK_THREADS=" + WorkerKernel.BLOCK_THREADS,
            "-DGPUOS_BLOCKS_PER_SM=" + blocks,
            "-DGPUOS_STACK_BYTES=" + WorkerKernel.STACK_BYTES),
        architecture);
  }

  /** What is compiled for an operator: a function the running kernel can call. */
  static CompileRequest operatorRequest(
      String source, Map<String, String> headers, String architecture) {
    return new CompileRequest(
        source, headers, with("--maxrregcount=" + WorkerKernel.REGISTERS), architecture);
  }

  /** What {@link ModuleLoader} links to each operator. */
  static CompileRequest tellRequest(String architecture) {
    return operatorRequest(ModuleLoader.TELL_SOURCE, DeviceSources.headers(), architecture);
  }

  private static List<String> with(String... more) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.addAll(List.of(more));
    return options;
  }

  /** Number of the operator that computes {@code kernel}; brings it in at the first call. */
  int install(Kernel kernel) {
    CompletableFuture<Integer> mine = new CompletableFuture<>();
    CompletableFuture<Integer> first = numbers.putIfAbsent(kernel, mine);
    if (first != null) {
      return join(first);
    }
    try {
      mine.complete(bringIn(kernel));
    } catch (Throwable failure) {
      // Who asks after this tries again.
      numbers.remove(kernel, mine);
      mine.completeExceptionally(failure);
    }
    return join(mine);
  }

  private int bringIn(Kernel kernel) {
    String source = CudaGenerator.render(kernel);
    byte[] cubin =
        CompileService.join(compiler.compile(operatorRequest(source, headers, architecture)));
    String name = "gpuos_op_" + (table.size() + 1);
    return table.add(name, loader.load(name, cubin), "compiled");
  }

  private static <T> T join(CompletableFuture<T> future) {
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

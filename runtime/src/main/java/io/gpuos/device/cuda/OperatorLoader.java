package io.gpuos.device.cuda;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.error.ClosedException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.ir.Kernel;
import io.gpuos.jit.CompileRequest;
import io.gpuos.jit.CompileService;
import io.gpuos.queue.Lease;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;

/**
 * Compiles operators and brings them to the workers the documented way: the workers park, worker
 * kernel and all operators are linked into one image, the driver loads it, and the workers are
 * launched again. Submitting goes on meanwhile. Thread-safe.
 *
 * <p>One image, because machine code of separately loaded modules does not share what belongs to
 * the launched kernel: constant banks and stack size.
 */
final class OperatorLoader implements AutoCloseable {

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

  private static final String WORKER = "gpuos_worker";

  /** Writes the operator's address where workers look it up; appended to each operator's source. */
  private static final String PUBLISH =
      """

      extern "C" __global__ void gpuos_publish(unsigned long long* entry) {
        *entry = reinterpret_cast<unsigned long long>(static_cast<gpuos_operator>(gpuos_op));
      }
      """;

  private final CudaContext context;
  private final CompileService compiler;
  private final String architecture;
  private final WorkerMemory memory;
  private final WorkerKernel workers;
  private final CudaStream stream;
  private final Map<String, String> headers = DeviceSources.headers();
  private final Map<Kernel, Integer> numbers = new HashMap<>();
  private final Map<String, byte[]> objects = new LinkedHashMap<>();
  private final Map<String, Integer> published = new LinkedHashMap<>();
  private Lease lease;
  private CudaModule module;

  OperatorLoader(
      CudaContext context,
      CompileService compiler,
      WorkerMemory memory,
      WorkerKernel workers,
      CudaStream stream) {
    this.context = context;
    this.compiler = compiler;
    this.architecture = context.device().architecture();
    this.memory = memory;
    this.workers = workers;
    this.stream = stream;
  }

  /** Compiles and loads the worker kernel without operators. Before the first launch. */
  void start(Lease leaseOfRing) {
    lease = leaseOfRing;
    objects.put(WORKER, compileWorker());
    load();
  }

  private byte[] compileWorker() {
    return compile(workerRequest(architecture));
  }

  /** What is compiled for the worker kernel. */
  static CompileRequest workerRequest(String architecture) {
    int blocks = 65_536 / (WorkerKernel.REGISTERS * WorkerKernel.BLOCK_THREADS);
    List<String> options =
        with(
            "-DGPUOS_BLOCK_THREADS=" + WorkerKernel.BLOCK_THREADS,
            "-DGPUOS_BLOCKS_PER_SM=" + blocks);
    return new CompileRequest(
        "gpuos_worker.cu", DeviceSources.worker(), DeviceSources.headers(), options, architecture);
  }

  private static List<String> with(String... more) {
    List<String> options = new ArrayList<>(OPTIONS);
    options.addAll(List.of(more));
    return options;
  }

  /** Number of the operator that computes {@code kernel}; loads it at the first call. */
  synchronized int install(Kernel kernel) {
    if (module == null) {
      throw new ClosedException(
          "runtime closed: device=%s, expected=an open runtime".formatted(context.device()));
    }
    Integer known = numbers.get(kernel);
    if (known != null) {
      return known;
    }
    int number = numbers.size() + 1;
    if (number == WorkerMemory.MAX_OPERATORS) {
      throw new OutOfMemoryException(
          "operators exhausted: operators=%d, expected=fewer different operators; open a new runtime"
              .formatted(number));
    }
    String name = "gpuos_op_" + number;
    List<String> options =
        with(
            "--maxrregcount=" + WorkerKernel.REGISTERS,
            "-Dgpuos_op=" + name,
            "-Dgpuos_publish=gpuos_publish_" + number);
    byte[] object =
        compile(
            new CompileRequest(
                CudaGenerator.render(kernel) + PUBLISH, headers, options, architecture));
    objects.put(name, object);
    published.put("gpuos_publish_" + number, number);
    try {
      bringIn();
    } catch (RuntimeException failure) {
      objects.remove(name);
      published.remove("gpuos_publish_" + number);
      throw failure;
    }
    numbers.put(kernel, number);
    return number;
  }

  private byte[] compile(CompileRequest request) {
    try {
      return compiler.compile(request).join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  private void bringIn() {
    byte[] image = context.link(objects);
    lease.hold();
    try {
      workers.awaitIdle();
      load(image);
    } finally {
      lease.release();
    }
  }

  private void load() {
    load(context.link(objects));
  }

  private void load(byte[] image) {
    CudaModule loaded = context.loadModule(image);
    CudaFunction worker = loaded.function(WORKER);
    published.forEach(
        (name, number) ->
            loaded
                .function(name)
                .launch(stream, LaunchConfig.of(1, 1), new long[] {memory.entry(number)}));
    stream.synchronize();
    workers.use(worker);
    CudaModule previous = module;
    module = loaded;
    if (previous != null) {
      previous.close();
    }
  }

  @Override
  public synchronized void close() {
    if (module != null) {
      module.close();
      module = null;
    }
  }
}

package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import io.gpuos.jit.CacheKey;
import io.gpuos.jit.CompileRequest;
import io.gpuos.queue.Lease;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Brings operators in the documented way: worker kernel and all operators are linked to one image,
 * the workers leave, the driver loads the image, all aliases are written anew, and the workers are
 * launched again. Submitting goes on meanwhile, and linking is done before the workers are asked.
 *
 * <p>One image, because the driver places and launches functions as part of the kernels that reach
 * them: in a module of its own an operator that calls functions died of an illegal access. So the
 * n-th operator costs linking and loading all n.
 */
final class ImageLoader implements CodeLoader {

  /**
   * Source of what is linked with each operator: tells its address. {@code gpuos_op} and {@code
   * gpuos_tell} are renamed, for each operator differently.
   */
  private static final String TELL =
      """

      extern "C" __global__ void gpuos_tell(unsigned long long* address) {
        *address = reinterpret_cast<unsigned long long>(static_cast<gpuos_operator>(gpuos_op));
      }
      """;

  private static final String WORKER = "gpuos_worker";
  private static final String OPERATOR = "gpuos_op_";
  private static final String TELLER = "gpuos_tell_";

  private final CudaContext context;
  private final CudaStream stream;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Aliases aliases;
  private final Limits limits;
  private final PinnedBuffer told;

  /** Relocatable code by name, the worker kernel's first. */
  private final Map<String, byte[]> objects = new LinkedHashMap<>();

  /** Operators brought in, by the end of their name. */
  private final Map<String, Code.Function> functions = new LinkedHashMap<>();

  private CudaModule module;
  private boolean closed;

  /**
   * @param stream for launches, used by nobody else meanwhile
   * @param limits what the worker kernel is launched with
   * @param worker relocatable code of the worker kernel
   */
  ImageLoader(
      CudaContext context,
      CudaStream stream,
      WorkerKernel workers,
      Lease lease,
      Aliases aliases,
      Limits limits,
      byte[] worker) {
    this.context = context;
    this.stream = stream;
    this.workers = workers;
    this.lease = lease;
    this.aliases = aliases;
    this.limits = limits;
    this.told = context.memory().allocatePinned(Long.BYTES);
    objects.put(WORKER, worker);
  }

  @Override
  public CompileRequest request(String source, String architecture) {
    String suffix = suffix(source);
    return CudaOperators.operatorRequest(
        source + TELL,
        architecture,
        "-Dgpuos_op=" + OPERATOR + suffix,
        "-Dgpuos_tell=" + TELLER + suffix);
  }

  /** Equal for equal sources, so that the compiled code is found in the cache. */
  private static String suffix(String source) {
    return CacheKey.of(List.of(source)).toString().substring(0, 16);
  }

  @Override
  public synchronized Code.Function load(String source, byte[] cubin) {
    if (closed) {
      throw new ClosedException("runtime closed: loader=driver, expected=an open runtime");
    }
    String suffix = suffix(source);
    // The driver would load code that needs more than the running kernel has, and it would die.
    Injector.verify(cubin, OPERATOR + suffix, limits);
    Code.Function function = functions.get(suffix);
    if (function != null) {
      return function;
    }
    Code.Function added = new Code.Function(0);
    objects.put(suffix, cubin);
    functions.put(suffix, added);
    try {
      replaceImage(context.link(objects));
    } catch (RuntimeException failure) {
      objects.remove(suffix);
      functions.remove(suffix);
      throw failure;
    }
    return added;
  }

  private void replaceImage(byte[] image) {
    lease.hold();
    try {
      workers.awaitIdle();
      CudaModule loaded = context.loadModule(image);
      try {
        workers.use(loaded.function(WORKER));
        aliases.rewrite(
            () -> functions.forEach((suffix, function) -> move(loaded, suffix, function)));
      } catch (RuntimeException failure) {
        loaded.close();
        throw failure;
      }
      if (module != null) {
        module.close();
      }
      module = loaded;
    } finally {
      lease.release();
    }
  }

  private void move(CudaModule loaded, String suffix, Code.Function function) {
    loaded.function(TELLER + suffix).launch(stream, LaunchConfig.of(1, 1), told.deviceAddress());
    stream.synchronize();
    function.moveTo(told.segment().get(ValueLayout.JAVA_LONG, 0));
  }

  @Override
  public boolean immediate() {
    return false;
  }

  @Override
  public InjectionStatus status(String reason) {
    return new InjectionStatus(
        false,
        "the driver loads one image of everything, for which the workers park",
        reason,
        Optional.empty());
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (module != null) {
      module.close();
    }
    told.close();
  }
}

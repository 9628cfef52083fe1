package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.device.Injections;
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
import java.util.ArrayList;
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

  /** Addresses in one piece of pinned memory. */
  private static final int TOLD = 512;

  private final CudaContext context;
  private final CudaStream stream;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Aliases aliases;
  private final Limits limits;
  private final Injections injections;

  /** Where functions' addresses are told; pieces of {@link #TOLD} addresses. */
  private final List<PinnedBuffer> told = new ArrayList<>();

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
   * @param injections is told of each absence of the workers
   */
  ImageLoader(
      CudaContext context,
      CudaStream stream,
      WorkerKernel workers,
      Lease lease,
      Aliases aliases,
      Limits limits,
      byte[] worker,
      Injections injections) {
    this.context = context;
    this.stream = stream;
    this.workers = workers;
    this.lease = lease;
    this.aliases = aliases;
    this.limits = limits;
    this.injections = injections;
    told.add(newPiece());
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

  /** Everything in here is time for which workers are away; what can be done before, is. */
  private void replaceImage(byte[] image) {
    long asked = System.nanoTime();
    long left;
    long loadedAt;
    long turned;
    lease.hold();
    try {
      workers.awaitIdle();
      left = System.nanoTime();
      CudaModule loaded = context.loadModule(image);
      loadedAt = System.nanoTime();
      try {
        workers.use(loaded.function(WORKER));
        aliases.rewrite(() -> move(loaded));
      } catch (RuntimeException failure) {
        loaded.close();
        throw failure;
      }
      turned = System.nanoTime();
      if (module != null) {
        // Not later: unloading waits until no worker is resident.
        module.close();
      }
      module = loaded;
    } finally {
      lease.release();
    }
    injections.add(new Injections.Pause(asked, left, loadedAt, turned, System.nanoTime()));
  }

  private PinnedBuffer newPiece() {
    return context.memory().allocatePinned((long) TOLD * Long.BYTES);
  }

  /** All kernels that tell are under way together; one wait serves for them. */
  private void move(CudaModule loaded) {
    while (told.size() * TOLD < functions.size()) {
      // Seldom, and now: locking memory may wait for a resident kernel.
      told.add(newPiece());
    }
    int place = 0;
    for (String suffix : functions.keySet()) {
      long address = told.get(place / TOLD).deviceAddress() + place % TOLD * Long.BYTES;
      loaded.function(TELLER + suffix).launch(stream, LaunchConfig.of(1, 1), address);
      place++;
    }
    stream.synchronize();
    place = 0;
    for (Code.Function function : functions.values()) {
      function.moveTo(
          told.get(place / TOLD).segment().getAtIndex(ValueLayout.JAVA_LONG, place % TOLD));
      place++;
    }
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
    told.forEach(PinnedBuffer::close);
  }
}

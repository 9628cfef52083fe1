package io.gpuos.device.cuda;

import io.gpuos.device.InjectionStatus;
import io.gpuos.device.Injections;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaImage;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.error.ClosedException;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import io.gpuos.jit.CacheKey;
import io.gpuos.jit.CompileRequest;
import io.gpuos.queue.Lease;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Brings operators in the documented way: worker kernel and all operators are linked to one image,
 * the workers leave, the driver loads the image, all aliases are written anew, and the workers are
 * launched again. Submitting goes on meanwhile. Linking is done before the workers are asked, and
 * the image before is unloaded later ({@link OldImages}): both take as long as the load or longer.
 *
 * <p>One image, so that the linker and the driver account for what operators need as part of the
 * kernel that calls them. So the n-th operator costs linking and loading all n, which takes seven
 * times as long on an H100: only where {@link #APART_PROPERTY} is false.
 */
final class ImageLoader implements CodeLoader {

  /**
   * System property: unless false, each operator is loaded in an image of its own, whose functions
   * the workers then call across modules. Read when a device is opened.
   */
  static final String APART_PROPERTY = "gpuos.injection.apart";

  private static final String WORKER = "gpuos_worker";
  private static final String OPERATOR = "gpuos_op_";

  /** For all aliases of 4,096 operators at once. */
  private static final int STAGING_BYTES = 64 << 10;

  private final CudaContext context;
  private final WorkerKernel workers;
  private final Lease lease;
  private final Aliases aliases;
  private final Limits limits;
  private final Injections injections;
  private final FunctionAddresses addresses;
  private final PinnedBuffer staging;
  private final OldImages old;

  /** Relocatable code by name, the worker kernel's first. */
  private final Map<String, byte[]> objects = new LinkedHashMap<>();

  /** Operators brought in, by their key, which ends their name. */
  private final Map<String, Code.Function> functions = new LinkedHashMap<>();

  /** Images of one operator each; they stay. */
  private final List<CudaModule> apartModules = new ArrayList<>();

  private final boolean apart = Boolean.parseBoolean(System.getProperty(APART_PROPERTY, "true"));
  private CudaModule module;
  private long moduleBytes;
  private boolean closed;

  /**
   * @param limits what the worker kernel is launched with
   * @param worker relocatable code of the worker kernel
   * @param injections is told of each absence of the workers
   */
  ImageLoader(
      CudaContext context,
      WorkerKernel workers,
      Lease lease,
      Aliases aliases,
      Limits limits,
      byte[] worker,
      Injections injections) {
    this.context = context;
    this.workers = workers;
    this.lease = lease;
    this.aliases = aliases;
    this.limits = limits;
    this.injections = injections;
    this.old = new OldImages(this, workers, lease);
    this.addresses = new FunctionAddresses(context);
    try {
      this.staging = context.memory().allocatePinned(STAGING_BYTES);
    } catch (RuntimeException failure) {
      addresses.close();
      throw failure;
    }
    objects.put(WORKER, worker);
  }

  @Override
  public CompileRequest request(String source, String architecture) {
    String key = key(source);
    List<String> options = new ArrayList<>(List.of(FunctionAddresses.options(key)));
    options.add("-Dgpuos_op=" + OPERATOR + key);
    return CudaOperators.operatorRequest(
        source + FunctionAddresses.SOURCE, architecture, options.toArray(String[]::new));
  }

  /** Equal for equal sources, so that the compiled code is found in the cache. */
  private static String key(String source) {
    return CacheKey.of(List.of(source)).toString().substring(0, 16);
  }

  @Override
  public synchronized Code.Function load(String source, byte[] cubin) {
    if (closed) {
      throw new ClosedException("runtime closed: loader=driver, expected=an open runtime");
    }
    String key = key(source);
    // The driver would load code that needs more than the running kernel has, and it would die.
    Injector.verify(cubin, OPERATOR + key, limits);
    Code.Function function = functions.get(key);
    if (function != null) {
      return function;
    }
    return apart ? loadApart(key, cubin) : loadWithAll(key, cubin);
  }

  /**
   * Loads an image of the operator and the worker kernel; only the operator of it is used. The
   * kernel is there because the linker drops functions that are called by nothing but a function
   * whose address is taken, unless some kernel calls through pointers.
   */
  private Code.Function loadApart(String key, byte[] cubin) {
    Map<String, byte[]> pair = new LinkedHashMap<>();
    pair.put(WORKER, objects.get(WORKER));
    pair.put(key, cubin);
    byte[] linked = context.link(pair);
    FunctionAddresses.Plan plan = FunctionAddresses.plan(linked, Set.of(key));
    try (CudaImage image = new CudaImage(linked)) {
      injections.add(
          whileParked(
              image,
              plan,
              (loaded, found) -> {
                apartModules.add(loaded);
                functions.put(key, new Code.Function(found.get(key)));
              }));
    }
    return functions.get(key);
  }

  private Code.Function loadWithAll(String key, byte[] cubin) {
    Code.Function added = new Code.Function(0);
    objects.put(key, cubin);
    functions.put(key, added);
    try {
      replaceImage(context.link(objects));
    } catch (RuntimeException failure) {
      objects.remove(key);
      functions.remove(key);
      throw failure;
    }
    return added;
  }

  /** What can be done before the workers are asked to leave, is. */
  private void replaceImage(byte[] linked) {
    FunctionAddresses.Plan plan = FunctionAddresses.plan(linked, Set.copyOf(functions.keySet()));
    CudaModule before = module;
    long beforeBytes = moduleBytes;
    try (CudaImage image = new CudaImage(linked)) {
      injections.add(
          whileParked(image, plan, (loaded, found) -> turnTo(loaded, image.bytes(), found)));
    } finally {
      if (before != null && before != module) {
        old.add(before, beforeBytes);
      }
    }
  }

  /**
   * Everything in here is time for which workers are away.
   *
   * @param turn takes the loaded image over, with the functions' addresses by key; nothing has
   *     changed if it throws
   */
  private Injections.Pause whileParked(
      CudaImage image,
      FunctionAddresses.Plan plan,
      BiConsumer<CudaModule, Map<String, Long>> turn) {
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
        turn.accept(loaded, addresses.read(loaded, plan));
      } catch (RuntimeException failure) {
        if (loaded != module) {
          loaded.close();
        }
        throw failure;
      }
      turned = System.nanoTime();
      old.trim();
    } finally {
      lease.release();
    }
    return new Injections.Pause(asked, left, loadedAt, turned, System.nanoTime());
  }

  private void turnTo(CudaModule loaded, long bytes, Map<String, Long> found) {
    workers.use(loaded.function(WORKER));
    module = loaded;
    moduleBytes = bytes;
    aliases.rewrite(
        () -> found.forEach((key, address) -> functions.get(key).moveTo(address)),
        staging.segment());
  }

  @Override
  public boolean immediate() {
    return false;
  }

  @Override
  public InjectionStatus status(String reason) {
    return new InjectionStatus(
        false,
        apart
            ? "the driver loads an image for each operator, for which the workers park"
            : "the driver loads one image of everything, for which the workers park",
        reason,
        Optional.empty());
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    old.close();
    apartModules.forEach(CudaModule::close);
    if (module != null) {
      module.close();
    }
    staging.close();
    addresses.close();
  }
}

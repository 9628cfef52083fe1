package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.error.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Code loaded by the driver. Thread-safe. Loading and unloading wait until no kernel runs on the
 * device; looking up does not. Errors as {@link Cuda} lists them.
 */
public final class CudaModule implements AutoCloseable {

  private final CudaContext context;
  private final long handle;
  private final String log;
  private final AtomicBoolean closed = new AtomicBoolean();

  private CudaModule(CudaContext context, long handle, String log) {
    this.context = context;
    this.handle = handle;
    this.log = log;
  }

  /**
   * A variable of the module in device memory.
   *
   * @param address device address
   * @param size bytes
   */
  public record Global(long address, long size) {}

  static CudaModule load(CudaContext context, CudaImage image) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      try {
        context.call(
            DriverFunction.MODULE_LOAD_DATA_EX,
            out,
            image.code(),
            image.optionCount(),
            image.options(),
            image.freshValues());
      } catch (DeviceException e) {
        throw withLog(e, image.error());
      }
      return new CudaModule(context, out.get(JAVA_LONG, 0), image.info());
    }
  }

  /** Only a refusal has a log; faults and the like pass as they are. */
  private static DeviceException withLog(DeviceException e, String log) {
    return e.getClass() != DeviceException.class || log.isEmpty()
        ? e
        : new DeviceException(e.getMessage() + ", log=" + log, e);
  }

  /** The driver's remarks on loading; usually empty. */
  public String log() {
    return log;
  }

  /**
   * A kernel of the module.
   *
   * @param name as in machine code: mangled, unless declared {@code extern "C"}
   */
  public CudaFunction function(String name) {
    try (Arena arena = Arena.ofConfined()) {
      long function =
          context.callLong(DriverFunction.MODULE_GET_FUNCTION, handle, arena.allocateFrom(name));
      return new CudaFunction(context, function, name);
    } catch (DeviceException e) {
      throw named(e, "kernel", name);
    }
  }

  /** A {@code __device__} variable of the module. */
  public Global global(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG, 2);
      context.call(
          DriverFunction.MODULE_GET_GLOBAL,
          out.asSlice(0, Long.BYTES),
          out.asSlice(Long.BYTES, Long.BYTES),
          handle,
          arena.allocateFrom(name));
      return new Global(out.getAtIndex(JAVA_LONG, 0), out.getAtIndex(JAVA_LONG, 1));
    } catch (DeviceException e) {
      throw named(e, "variable", name);
    }
  }

  private static DeviceException named(DeviceException e, String what, String name) {
    return e.getClass() == DeviceException.class
        ? new DeviceException(e.getMessage() + ", " + what + "=" + name, e)
        : e;
  }

  /** Unloads the code; its functions and variables are void after. Closing again does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      context.release(DriverFunction.MODULE_UNLOAD, handle);
    }
  }
}

package io.gpuos.driver;

import io.gpuos.error.DeviceUnavailableException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The CUDA driver of this process: entry to devices and, through them, to contexts, memory, streams
 * and modules.
 *
 * <p>Every method of this package that calls the driver throws
 *
 * <ul>
 *   <li>{@link DeviceUnavailableException}: no device, or a driver too old or not working;
 *   <li>{@link io.gpuos.error.OutOfMemoryException}: device or pinned memory is exhausted;
 *   <li>{@link io.gpuos.error.DeviceFaultException}: a sticky error; every later call on the
 *       context fails with it, in this process for good;
 *   <li>{@link io.gpuos.error.DeviceException}: the call was refused, all else goes on;
 *   <li>{@link io.gpuos.error.InvalidInputException}: the call came from a virtual thread.
 * </ul>
 *
 * The message names the call, its arguments, and the driver's name and text of the error.
 *
 * <p>Thread-safe. CUDA's current context belongs to the OS thread, so virtual threads, which change
 * theirs, are refused; which context is current otherwise does not matter (see {@link
 * CudaContext}).
 */
public final class Cuda {

  private static volatile Cuda instance;

  private final String path;
  private final DriverCalls calls;
  private final int driverVersion;

  private Cuda(String path, SymbolLookup library) {
    this.path = path;
    this.calls = new DriverCalls(library);
    calls.call(DriverFunction.INIT, 0);
    this.driverVersion = calls.callInt(DriverFunction.DRIVER_GET_VERSION);
  }

  /**
   * The driver, loaded and initialised at the first successful call; cheap after.
   *
   * @throws DeviceUnavailableException no driver library ({@link LibrarySearch} says where it
   *     looked), or the driver finds no device it can use
   */
  public static Cuda open() {
    Cuda open = instance;
    return open != null ? open : load();
  }

  private static synchronized Cuda load() {
    if (instance == null) {
      NativeLibrary library = LibrarySearch.find(Library.CUDA, Surroundings.ofProcess()).orThrow();
      instance = of(library.path(), library);
    }
    return instance;
  }

  /** A driver behind any symbol look-up; tests give one that is written in Java. */
  static Cuda of(String path, SymbolLookup library) {
    return new Cuda(path, library);
  }

  /** Why this library cannot be the CUDA driver; empty when nothing speaks against it. */
  static Optional<String> defect(NativeLibrary library) {
    return library.find(DriverFunction.INIT.symbol()).isPresent()
        ? Optional.empty()
        : Optional.of("exports no cuInit");
  }

  /** File the driver library was loaded from. */
  public String libraryPath() {
    return path;
  }

  /** Newest CUDA version the driver serves, as 1000 * major + 10 * minor: 13000 for CUDA 13.0. */
  public int driverVersion() {
    return driverVersion;
  }

  /** Number of devices this process may use ({@code CUDA_VISIBLE_DEVICES} applies). */
  public int deviceCount() {
    return calls.callInt(DriverFunction.DEVICE_GET_COUNT);
  }

  /**
   * One device.
   *
   * @param ordinal 0 to {@link #deviceCount} - 1
   * @throws DeviceUnavailableException there is no such device
   */
  public CudaDevice device(int ordinal) {
    int count = deviceCount();
    if (ordinal < 0 || ordinal >= count) {
      String expected = count == 0 ? "at least one visible GPU" : "0 to " + (count - 1);
      throw new DeviceUnavailableException(
          String.format(
              Locale.ROOT, "no such device: device=cuda:%d, expected=%s", ordinal, expected));
    }
    return new CudaDevice(this, ordinal, calls.callInt(DriverFunction.DEVICE_GET, ordinal));
  }

  /** All devices in the driver's order. */
  public Stream<CudaDevice> devices() {
    return IntStream.range(0, deviceCount()).mapToObj(this::device);
  }

  /**
   * A property of an allocation the driver knows.
   *
   * @param address device address, or host address of pinned memory
   * @return the number of {@link PointerAttribute}'s unit; empty when the driver does not know the
   *     address
   */
  public Optional<Long> pointerAttribute(PointerAttribute attribute, long address) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(Long.BYTES, Long.BYTES);
      int code = calls.invoke(DriverFunction.POINTER_GET_ATTRIBUTE, out, attribute.code(), address);
      if (code == DriverResult.INVALID_VALUE) {
        return Optional.empty();
      }
      if (code != DriverResult.SUCCESS) {
        throw calls.failure(
            code, DriverFunction.POINTER_GET_ATTRIBUTE, out, attribute.code(), address);
      }
      return Optional.of(attribute.read(out));
    }
  }

  DriverCalls calls() {
    return calls;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "CUDA %d.%d (%s)", driverVersion / 1000, driverVersion % 1000 / 10, path);
  }
}

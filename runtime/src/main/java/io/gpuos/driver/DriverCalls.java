package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InvalidInputException;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Resolves and calls the driver's functions. Each is resolved at its first use, through {@code
 * cuGetProcAddress} where the driver has it, because that alone can pick the binary interface of
 * {@link DriverFunction#version()}; else by its exported symbol.
 *
 * <p>No call is linked as {@code critical}: most can block, and a critical call would hold up
 * garbage collection for as long. Arguments go through boxes, at some tens of nanoseconds a call;
 * nothing here lies on the path of a task. Thread-safe.
 */
final class DriverCalls {

  private static final int LEGACY_STREAM = 1; // CU_GET_PROC_ADDRESS_LEGACY_STREAM, cuda.h

  private final SymbolLookup library;
  private final AtomicReferenceArray<MethodHandle> handles =
      new AtomicReferenceArray<>(DriverFunction.values().length);

  DriverCalls(SymbolLookup library) {
    this.library = library;
  }

  /**
   * Calls the function and turns a failure into its exception.
   *
   * @param arguments boxed exactly as the function's types: Integer, Long, Byte, MemorySegment
   */
  void call(DriverFunction function, Object... arguments) {
    int code = invoke(function, arguments);
    if (code != DriverResult.SUCCESS) {
      throw failure(code, function, arguments);
    }
  }

  /** Calls the function; true when done, false for "not ready", else the exception. */
  boolean query(DriverFunction function, Object... arguments) {
    int code = invoke(function, arguments);
    if (code == DriverResult.NOT_READY) {
      return false;
    }
    if (code != DriverResult.SUCCESS) {
      throw failure(code, function, arguments);
    }
    return true;
  }

  /** Calls a function whose first argument is an {@code int *} to write to. */
  int callInt(DriverFunction function, Object... rest) {
    return (int) callLong(function, rest);
  }

  /** Calls a function whose first argument is a pointer to a number or handle of up to 8 bytes. */
  long callLong(DriverFunction function, Object... rest) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      Object[] arguments = new Object[rest.length + 1];
      arguments[0] = out;
      System.arraycopy(rest, 0, arguments, 1, rest.length);
      call(function, arguments);
      return out.get(JAVA_LONG, 0);
    }
  }

  /** Calls the function and returns its result code. */
  int invoke(DriverFunction function, Object... arguments) {
    if (Thread.currentThread().isVirtual()) {
      throw new InvalidInputException(
          "CUDA call from a virtual thread: call=%s, thread=%s, expected=a platform thread"
              .formatted(function.baseName(), Thread.currentThread()));
    }
    return invokeAnywhere(function, arguments);
  }

  private int invokeAnywhere(DriverFunction function, Object... arguments) {
    try {
      return (int) handle(function).invokeExact(arguments);
    } catch (Throwable e) {
      throw Libc.rethrow(e);
    }
  }

  /** The exception for a result code, with the driver's own name and text for it. */
  GpuosException failure(int code, DriverFunction function, Object... arguments) {
    return DriverResult.exception(code, function.describe(arguments), describe(code));
  }

  /** Number, name and text of a result code. */
  String describe(int code) {
    String name = text(DriverFunction.GET_ERROR_NAME, code);
    String text = text(DriverFunction.GET_ERROR_STRING, code);
    return String.format(Locale.ROOT, "%d %s (%s)", code, name, text);
  }

  private String text(DriverFunction function, int code) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      boolean known = invokeAnywhere(function, code, out) == DriverResult.SUCCESS;
      String text = known ? Libc.string(out.get(ADDRESS, 0)) : null;
      return text == null ? "unknown to this driver" : text;
    }
  }

  private MethodHandle handle(DriverFunction function) {
    MethodHandle handle = handles.getAcquire(function.ordinal());
    if (handle == null) {
      // Two threads may both link it; either result serves.
      handle = link(function);
      handles.setRelease(function.ordinal(), handle);
    }
    return handle;
  }

  private MethodHandle link(DriverFunction function) {
    return exact(function).asSpreader(Object[].class, function.arity());
  }

  /** The function with its own parameter types, linked anew at each call of this method. */
  MethodHandle exact(DriverFunction function) {
    MemorySegment address =
        versioned(function)
            .or(() -> library.find(function.symbol()))
            .orElseThrow(() -> tooOld(function));
    return Linker.nativeLinker().downcallHandle(address, function.descriptor());
  }

  private Optional<MemorySegment> versioned(DriverFunction function) {
    DriverFunction resolver = DriverFunction.GET_PROC_ADDRESS;
    if (function == resolver || library.find(resolver.symbol()).isEmpty()) {
      return Optional.empty();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      MemorySegment status = arena.allocate(JAVA_INT);
      int code =
          invokeAnywhere(
              resolver,
              arena.allocateFrom(function.baseName()),
              out,
              function.version(),
              (long) LEGACY_STREAM,
              status);
      MemorySegment address = out.get(ADDRESS, 0);
      return code != DriverResult.SUCCESS || Libc.isNull(address)
          ? Optional.empty()
          : Optional.of(address);
    }
  }

  private static DeviceUnavailableException tooOld(DriverFunction function) {
    return new DeviceUnavailableException(
        String.format(
            Locale.ROOT,
            "driver too old: function=%s, expected=a driver for CUDA %d.%d or newer",
            function.symbol(),
            function.version() / 1000,
            function.version() % 1000 / 10));
  }
}

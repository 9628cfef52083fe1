package io.gpuos.driver;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Optional;

/**
 * A shared library this process has loaded. Never unloaded: the CUDA libraries keep threads and
 * exit handlers that would run into unmapped code. Immutable and thread-safe.
 */
final class NativeLibrary implements SymbolLookup {

  private final MemorySegment handle;
  private final String path;

  private NativeLibrary(MemorySegment handle, String name) {
    this.handle = handle;
    String real = Libc.path(handle);
    this.path = real == null ? name : real;
  }

  /** Whether libraries can be loaded on this system at all. */
  static boolean isSupported() {
    return System.getProperty("os.name", "").equals("Linux");
  }

  /** A library, or why the loader refused it; exactly one of the two is present. */
  record Attempt(Optional<NativeLibrary> library, String reason) {}

  /**
   * Loads a library.
   *
   * @param name a path, or a bare file name for the loader to look up
   */
  static Attempt open(String name) {
    if (name.indexOf('/') >= 0) {
      Optional<String> defect = Surroundings.path(name).flatMap(ElfExtent::defect);
      if (defect.isPresent()) {
        return new Attempt(Optional.empty(), defect.get());
      }
    }
    return attempt(Libc.open(name), name);
  }

  /** Takes the library of this name that something else in this process has loaded, if any. */
  static Attempt openIfLoaded(String soname) {
    Libc.Opened opened = Libc.openIfLoaded(soname);
    return opened.handle() == null
        ? new Attempt(Optional.empty(), "not loaded in this process")
        : attempt(opened, soname);
  }

  private static Attempt attempt(Libc.Opened opened, String name) {
    return opened.handle() == null
        ? new Attempt(Optional.empty(), opened.error())
        : new Attempt(Optional.of(new NativeLibrary(opened.handle(), name)), null);
  }

  /** File it was loaded from, as far as the loader says; else the name it was asked for by. */
  String path() {
    return path;
  }

  /** Address of an exported symbol. */
  @Override
  public Optional<MemorySegment> find(String symbol) {
    return Optional.ofNullable(Libc.symbol(handle, symbol));
  }

  @Override
  public String toString() {
    return path;
  }
}

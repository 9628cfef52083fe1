package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The few C library functions that loading a library needs. {@code dlopen} is called directly, and
 * not through {@link java.lang.foreign.SymbolLookup#libraryLookup}, because only {@code dlerror}
 * knows why a library was refused.
 *
 * <p>Linux only, to be asked of {@link NativeLibrary#isSupported} before: the {@code RTLD_} numbers
 * are those of glibc's {@code dlfcn.h} (musl agrees). All methods may be called from any platform
 * thread.
 */
final class Libc {

  private static final int RTLD_NOW = 0x2;
  private static final int RTLD_NOLOAD = 0x4;
  private static final int RTLD_DI_LINKMAP = 2;

  /** Offset of {@code char *l_name} in {@code struct link_map} ({@code link.h}). */
  private static final long LINK_MAP_NAME = 8;

  private static final long MAX_STRING = 1 << 16;

  private static final MethodHandle DLOPEN = handle("dlopen", ADDRESS, ADDRESS, JAVA_INT);
  private static final MethodHandle DLSYM = handle("dlsym", ADDRESS, ADDRESS, ADDRESS);
  private static final MethodHandle DLERROR = handle("dlerror", ADDRESS);
  private static final MethodHandle DLINFO = handle("dlinfo", JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
  private static final MethodHandle GETEUID = handle("geteuid", JAVA_INT);

  private Libc() {}

  /**
   * Outcome of {@code dlopen}: a handle, or the text of {@code dlerror}. One of the two is null.
   */
  record Opened(MemorySegment handle, String error) {}

  /** Loads the library, all symbols bound now so that a broken one is refused here. */
  static Opened open(String path) {
    return open(path, RTLD_NOW);
  }

  /** A handle of a library that this process has loaded already; never loads one. */
  static Opened openIfLoaded(String soname) {
    return open(soname, RTLD_NOW | RTLD_NOLOAD);
  }

  private static Opened open(String path, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path);
      // Also links the call before dlopen runs: nothing may come between an error and its text.
      error();
      MemorySegment handle = (MemorySegment) DLOPEN.invokeExact(name, flags);
      return isNull(handle) ? new Opened(null, error()) : new Opened(handle, null);
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Address of a symbol, or null when the library does not export it. */
  static MemorySegment symbol(MemorySegment library, String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment found = (MemorySegment) DLSYM.invokeExact(library, arena.allocateFrom(name));
      return isNull(found) ? null : found;
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** File the loader took the library from, or null when it does not say. */
  static String path(MemorySegment library) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      if ((int) DLINFO.invokeExact(library, RTLD_DI_LINKMAP, out) != 0) {
        return null;
      }
      MemorySegment map = out.get(ADDRESS, 0).reinterpret(LINK_MAP_NAME + ADDRESS.byteSize());
      String path = string(map.get(ADDRESS, LINK_MAP_NAME));
      return path == null || path.isEmpty() ? null : path;
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Effective user id of this process. */
  static int effectiveUserId() {
    try {
      return (int) GETEUID.invokeExact();
    } catch (Throwable e) {
      throw rethrow(e);
    }
  }

  /** Reads a NUL-terminated string the native side owns; null for a null pointer. */
  static String string(MemorySegment pointer) {
    return isNull(pointer) ? null : pointer.reinterpret(MAX_STRING).getString(0);
  }

  static boolean isNull(MemorySegment pointer) {
    return pointer.address() == 0;
  }

  /** Lets method handles' {@code Throwable} through: downcalls throw nothing that is checked. */
  static RuntimeException rethrow(Throwable thrown) {
    switch (thrown) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(thrown);
    }
  }

  private static String error() throws Throwable {
    String text = string((MemorySegment) DLERROR.invokeExact());
    return text == null ? "no reason given by the loader" : text.strip();
  }

  private static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... arguments) {
    Linker linker = Linker.nativeLinker();
    MemorySegment address =
        linker
            .defaultLookup()
            .find(name)
            .orElseThrow(() -> new UnsatisfiedLinkError("no C library function: name=" + name));
    return linker.downcallHandle(address, FunctionDescriptor.of(result, arguments));
  }
}

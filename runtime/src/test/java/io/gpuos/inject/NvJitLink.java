package io.gpuos.inject;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** NVIDIA's linker as a library, which needs no GPU; to compare with. */
public final class NvJitLink {

  private static final int INPUT_CUBIN = 1; // NVJITLINK_INPUT_CUBIN, nvJitLink.h

  private static final SymbolLookup LIBRARY = SymbolLookup.libraryLookup(path(), Arena.global());

  private NvJitLink() {}

  private static Path path() {
    Path folder = Path.of(System.getProperty("gpuos.library.nvrtc"));
    return (Files.isDirectory(folder) ? folder : folder.getParent()).resolve("libnvJitLink.so.13");
  }

  /** The executable cubin that {@code objects} are linked to. */
  public static byte[] link(List<byte[]> objects, String architecture) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle = arena.allocate(ADDRESS);
      MemorySegment options = arena.allocate(ADDRESS);
      options.set(ADDRESS, 0, arena.allocateFrom("-arch=" + architecture));
      call("Create", handle, 1, options);
      MemorySegment state = handle.get(ADDRESS, 0);
      try {
        for (byte[] object : objects) {
          MemorySegment bytes = arena.allocate(object.length, Long.BYTES);
          MemorySegment.copy(object, 0, bytes, JAVA_BYTE, 0, object.length);
          call(
              "AddData",
              state,
              INPUT_CUBIN,
              bytes,
              (long) object.length,
              arena.allocateFrom("object"));
        }
        call("Complete", state);
        MemorySegment size = arena.allocate(JAVA_LONG);
        call("GetLinkedCubinSize", state, size);
        MemorySegment linked = arena.allocate(size.get(JAVA_LONG, 0));
        call("GetLinkedCubin", state, linked);
        return linked.toArray(JAVA_BYTE);
      } finally {
        call("Destroy", handle);
      }
    }
  }

  private static void call(String function, Object... arguments) {
    MemoryLayout[] layouts = new MemoryLayout[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      layouts[i] =
          switch (arguments[i]) {
            case Integer _ -> JAVA_INT;
            case Long _ -> JAVA_LONG;
            default -> ADDRESS;
          };
    }
    MemorySegment address = LIBRARY.findOrThrow("__nvJitLink%s_13_0".formatted(function));
    try {
      Object result =
          Linker.nativeLinker()
              .downcallHandle(address, FunctionDescriptor.of(JAVA_INT, layouts))
              .invokeWithArguments(arguments);
      if ((int) result != 0) {
        throw new IllegalStateException("nvJitLink%s: result=%s".formatted(function, result));
      }
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }
}

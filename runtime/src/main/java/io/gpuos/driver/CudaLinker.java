package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.error.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** The driver's linker: relocatable cubins in, one loadable image out. */
final class CudaLinker {

  /** {@code CUjit_option}: error log buffer and its size, cuda.h. */
  private static final int[] LOG_OPTIONS = {5, 6};

  private static final int LOG_BYTES = 16 * 1024;
  private static final int INPUT_CUBIN = 0; // CU_JIT_INPUT_CUBIN, cuda.h
  private static final int IMAGE_ALIGNMENT = 16;

  private CudaLinker() {}

  static byte[] link(CudaContext context, Map<String, byte[]> objects) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment log = arena.allocate(LOG_BYTES);
      MemorySegment values = arena.allocate(JAVA_LONG, LOG_OPTIONS.length);
      values.setAtIndex(JAVA_LONG, 0, log.address());
      values.setAtIndex(JAVA_LONG, 1, LOG_BYTES);
      MemorySegment out = arena.allocate(ADDRESS);
      context.call(
          DriverFunction.LINK_CREATE,
          LOG_OPTIONS.length,
          arena.allocateFrom(JAVA_INT, LOG_OPTIONS),
          values,
          out);
      long state = out.get(JAVA_LONG, 0);
      try {
        objects.forEach((name, cubin) -> add(context, arena, state, name, cubin));
        return complete(context, arena, state);
      } catch (DeviceException e) {
        String text = log.getString(0).strip();
        throw e.getClass() != DeviceException.class || text.isEmpty()
            ? e
            : new DeviceException(e.getMessage() + ", log=" + text, e);
      } finally {
        context.call(DriverFunction.LINK_DESTROY, state);
      }
    }
  }

  private static void add(CudaContext context, Arena arena, long state, String name, byte[] cubin) {
    MemorySegment code = arena.allocate(cubin.length, IMAGE_ALIGNMENT);
    MemorySegment.copy(cubin, 0, code, JAVA_BYTE, 0, cubin.length);
    context.call(
        DriverFunction.LINK_ADD_DATA,
        state,
        INPUT_CUBIN,
        code,
        (long) cubin.length,
        arena.allocateFrom(name),
        0,
        MemorySegment.NULL,
        MemorySegment.NULL);
  }

  /** The image belongs to the linker's state: copied before that goes. */
  private static byte[] complete(CudaContext context, Arena arena, long state) {
    MemorySegment image = arena.allocate(ADDRESS);
    MemorySegment size = arena.allocate(JAVA_LONG);
    context.call(DriverFunction.LINK_COMPLETE, state, image, size);
    return image.get(ADDRESS, 0).reinterpret(size.get(JAVA_LONG, 0)).toArray(JAVA_BYTE);
  }
}

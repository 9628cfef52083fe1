package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A kernel of a loaded module, void when the module is closed. Thread-safe. Errors as {@link Cuda}
 * lists them.
 */
public final class CudaFunction {

  // struct CUlaunchConfig, cuda.h: seven unsigned ints, 4 bytes of padding, two pointers, a count.
  private static final long CONFIG_BYTES = 56;
  private static final long CONFIG_STREAM = 32;
  private static final long CONFIG_ATTRIBUTES = 40;
  private static final long CONFIG_ATTRIBUTE_COUNT = 48;

  // struct CUlaunchAttribute, cuda.h: id, padding to 8, a union of 64 bytes.
  private static final long ATTRIBUTE_BYTES = 72;
  private static final long ATTRIBUTE_VALUE = 8;
  private static final int ATTRIBUTE_COOPERATIVE = 2; // CU_LAUNCH_ATTRIBUTE_COOPERATIVE

  private final CudaContext context;
  private final long handle;
  private final String name;

  CudaFunction(CudaContext context, long handle, String name) {
    this.context = context;
    this.handle = handle;
    this.name = name;
  }

  /** How a multiprocessor's fast memory is split. Codes: {@code CUfunc_cache}, cuda.h. */
  public enum CachePreference {
    NONE(0),
    SHARED(1),
    L1(2),
    EQUAL(3);

    private final int code;

    CachePreference(int code) {
      this.code = code;
    }
  }

  /** The name it was looked up by. */
  public String name() {
    return name;
  }

  /** One number of the kernel. */
  public int attribute(FunctionAttribute attribute) {
    return context.callInt(DriverFunction.FUNC_GET_ATTRIBUTE, attribute.code(), handle);
  }

  /** Sets one of the settable numbers for later launches. */
  public void setAttribute(FunctionAttribute attribute, int value) {
    context.call(DriverFunction.FUNC_SET_ATTRIBUTE, handle, attribute.code(), value);
  }

  /** States a wish for the split of fast memory; the shared-memory carve-out is the finer one. */
  public void setCachePreference(CachePreference preference) {
    context.call(DriverFunction.FUNC_SET_CACHE_CONFIG, handle, preference.code);
  }

  /**
   * Blocks of this kernel that fit on one multiprocessor at once.
   *
   * @param threads threads of a block
   * @param sharedBytes dynamic shared memory of a block
   */
  public int maxBlocksPerMultiprocessor(int threads, long sharedBytes) {
    return context.callInt(DriverFunction.OCCUPANCY, handle, threads, sharedBytes);
  }

  /**
   * Puts a launch on the stream and comes back at once.
   *
   * @param parameters one number for each parameter of the kernel, in order; the kernel takes as
   *     many low bytes as its parameter has, at most 8. Device addresses as they are, floats by
   *     {@link Float#floatToRawIntBits}.
   */
  public void launch(CudaStream stream, LaunchConfig config, long... parameters) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointers = pointers(arena, parameters);
      if (config.cooperative()) {
        launchCooperative(arena, stream, config, pointers);
      } else {
        context.call(
            DriverFunction.LAUNCH_KERNEL,
            handle,
            config.gridX(),
            config.gridY(),
            config.gridZ(),
            config.blockX(),
            config.blockY(),
            config.blockZ(),
            config.sharedBytes(),
            stream.handle(),
            pointers,
            MemorySegment.NULL);
      }
    }
  }

  /**
   * Puts a launch of a kernel with one parameter, a struct passed by value, on the stream and comes
   * back at once. The driver copies the struct.
   */
  public void launch(CudaStream stream, LaunchConfig config, MemorySegment parameter) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointers = arena.allocateFrom(ADDRESS, parameter);
      context.call(
          DriverFunction.LAUNCH_KERNEL,
          handle,
          config.gridX(),
          config.gridY(),
          config.gridZ(),
          config.blockX(),
          config.blockY(),
          config.blockZ(),
          config.sharedBytes(),
          stream.handle(),
          pointers,
          MemorySegment.NULL);
    }
  }

  /**
   * A launch of a kernel with one parameter, a struct passed by value, to be made often.
   *
   * @param bytes size of the struct
   */
  public PreparedLaunch prepare(LaunchConfig config, long bytes) {
    return new PreparedLaunch(
        context, context.handle(DriverFunction.LAUNCH_KERNEL), handle, config, bytes);
  }

  private void launchCooperative(
      Arena arena, CudaStream stream, LaunchConfig config, MemorySegment pointers) {
    MemorySegment attribute = arena.allocate(ATTRIBUTE_BYTES, Long.BYTES);
    attribute.set(JAVA_INT, 0, ATTRIBUTE_COOPERATIVE);
    attribute.set(JAVA_INT, ATTRIBUTE_VALUE, 1);
    MemorySegment struct = arena.allocate(CONFIG_BYTES, Long.BYTES);
    struct.setAtIndex(JAVA_INT, 0, config.gridX());
    struct.setAtIndex(JAVA_INT, 1, config.gridY());
    struct.setAtIndex(JAVA_INT, 2, config.gridZ());
    struct.setAtIndex(JAVA_INT, 3, config.blockX());
    struct.setAtIndex(JAVA_INT, 4, config.blockY());
    struct.setAtIndex(JAVA_INT, 5, config.blockZ());
    struct.setAtIndex(JAVA_INT, 6, config.sharedBytes());
    struct.set(JAVA_LONG, CONFIG_STREAM, stream.handle());
    struct.set(ADDRESS, CONFIG_ATTRIBUTES, attribute);
    struct.set(JAVA_INT, CONFIG_ATTRIBUTE_COUNT, 1);
    context.call(DriverFunction.LAUNCH_KERNEL_EX, struct, handle, pointers, MemorySegment.NULL);
  }

  /** {@code void **kernelParams}: one pointer to each parameter's value. */
  private static MemorySegment pointers(Arena arena, long[] parameters) {
    MemorySegment values = arena.allocate(JAVA_LONG, Math.max(parameters.length, 1));
    MemorySegment pointers = arena.allocate(ADDRESS, Math.max(parameters.length, 1));
    for (int i = 0; i < parameters.length; i++) {
      values.setAtIndex(JAVA_LONG, i, parameters[i]);
      pointers.setAtIndex(ADDRESS, i, values.asSlice((long) i * Long.BYTES));
    }
    return pointers;
  }

  @Override
  public String toString() {
    return name;
  }
}

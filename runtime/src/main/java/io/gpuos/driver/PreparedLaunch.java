package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.gpuos.error.InvalidInputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * A kernel with one parameter, a struct passed by value, and all that its launches have in common:
 * for whoever launches it often. {@link CudaFunction#prepare} makes it. Allocates nothing at a
 * launch. Not thread-safe; platform threads only. Errors as {@link Cuda} lists them.
 */
public final class PreparedLaunch implements AutoCloseable {

  private final CudaContext context;
  private final MethodHandle call;
  private final long function;
  private final LaunchConfig config;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment parameter;
  private final MemorySegment pointers;

  PreparedLaunch(
      CudaContext context, MethodHandle call, long function, LaunchConfig config, long bytes) {
    if (config.cooperative()) {
      throw new InvalidInputException("prepared launch: config=cooperative, expected=another");
    }
    this.context = context;
    this.call = call;
    this.function = function;
    this.config = config;
    this.parameter = arena.allocate(bytes, 16);
    this.pointers = arena.allocateFrom(ADDRESS, parameter);
  }

  /** The struct, to be filled before a launch; zero at first. The driver copies it. */
  public MemorySegment parameter() {
    return parameter;
  }

  /** Puts a launch on the stream and comes back at once. */
  public void launch(CudaStream stream) {
    if (Thread.currentThread().isVirtual()) {
      throw new InvalidInputException(
          "CUDA call from a virtual thread: call=cuLaunchKernel, thread=%s, expected=a platform thread"
              .formatted(Thread.currentThread()));
    }
    context.withCurrent(() -> launchCurrent(stream.handle()));
  }

  private void launchCurrent(long stream) {
    int code;
    try {
      code =
          (int)
              call.invokeExact(
                  function,
                  config.gridX(),
                  config.gridY(),
                  config.gridZ(),
                  config.blockX(),
                  config.blockY(),
                  config.blockZ(),
                  config.sharedBytes(),
                  stream,
                  pointers,
                  MemorySegment.NULL);
    } catch (Throwable e) {
      throw Libc.rethrow(e);
    }
    if (code != DriverResult.SUCCESS) {
      throw context.failure(code, DriverFunction.LAUNCH_KERNEL, function);
    }
  }

  /** Frees the parameter. Launches made are not disturbed. */
  @Override
  public void close() {
    arena.close();
  }
}

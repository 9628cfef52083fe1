package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.driver.FunctionAttribute;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.driver.Nvrtc;
import io.gpuos.driver.PinnedBuffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Somebody else in the process of a runtime, with the same context: makes calls that wait for
 * kernels, and notes how long each kind took at most. One thread.
 */
final class Neighbour implements AutoCloseable {

  private static final int SHARED_BYTES = 200 << 10;
  private static final int THREADS = 256;
  private static final long FREED_BYTES = 1 << 20;

  /** Writes all of its shared memory, reads it elsewhere, and adds up: the sum is known. */
  private static final String SOURCE =
      """
      extern __shared__ unsigned words[];

      extern "C" __global__ void neighbour(unsigned long long* sums, unsigned count) {
        for (unsigned k = threadIdx.x; k < count; k += blockDim.x) {
          words[k] = k + blockIdx.x;
        }
        __syncthreads();
        unsigned long long sum = 0;
        for (unsigned k = threadIdx.x; k < count; k += blockDim.x) {
          sum += words[count - 1 - k];
        }
        atomicAdd(&sums[blockIdx.x], sum);
      }
      """;

  private final CudaContext context;
  private final byte[] code;
  private final CudaModule module;
  private final CudaFunction kernel;
  private final CudaStream stream;
  private final PinnedBuffer sums;
  private final int blocks;
  private final long bytes;
  private final long device;
  private int launched;
  private final Map<String, Long> longest = new LinkedHashMap<>();

  /**
   * Makes each call once, so that what is loaded lazily is loaded.
   *
   * @param context of the runtime
   */
  Neighbour(CudaContext context) {
    this.context = context;
    this.blocks = context.device().attribute(DeviceAttribute.MULTIPROCESSOR_COUNT);
    this.bytes = (long) blocks * Long.BYTES;
    code = compile(context.device().architecture());
    module = context.loadModule(code);
    kernel = module.function("neighbour");
    kernel.setAttribute(FunctionAttribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, SHARED_BYTES);
    stream = context.newStream();
    sums = context.memory().allocatePinned(bytes);
    device = context.memory().allocate(bytes);
    sums.segment().fill((byte) 0);
    stream.copyToDevice(device, sums.segment().asSlice(0, bytes));
    stream.synchronize();
    call(1);
    longest.clear();
  }

  /** Machine code of the kernel. */
  static byte[] compile(String architecture) {
    return Nvrtc.open()
        .compile(
            SOURCE,
            "neighbour.cu",
            Map.of(),
            List.of("--gpu-architecture=" + architecture),
            Nvrtc.Target.CUBIN)
        .code();
  }

  /** The four calls in turn, so many times. */
  void call(int rounds) {
    for (int k = 0; k < rounds; k++) {
      long memory = context.memory().allocate(FREED_BYTES);
      time("cuMemFree", () -> context.memory().free(memory));
      time("cuCtxSynchronize", context::synchronize);
      CudaModule[] loaded = new CudaModule[1];
      time("cuModuleLoadData", () -> loaded[0] = context.loadModule(code));
      loaded[0].close();
      time("kernel of 200 KB shared memory, to its end", this::launch);
    }
  }

  private void launch() {
    LaunchConfig config = LaunchConfig.of(blocks, THREADS).withSharedBytes(SHARED_BYTES);
    kernel.launch(stream, config, device, SHARED_BYTES / Integer.BYTES);
    stream.synchronize();
    launched++;
  }

  private void time(String kind, Runnable call) {
    long begin = System.nanoTime();
    call.run();
    longest.merge(kind, System.nanoTime() - begin, Math::max);
  }

  /** The longest of each kind, in milliseconds. */
  Map<String, Double> longestMillis() {
    Map<String, Double> millis = new LinkedHashMap<>();
    longest.forEach((kind, nanos) -> millis.put(kind, nanos / 1e6));
    return millis;
  }

  /** Compares what all launches added up with what they had to. */
  void check() {
    MemorySegment host = sums.segment().asSlice(0, bytes);
    stream.copyToHost(host, device);
    stream.synchronize();
    long count = SHARED_BYTES / Integer.BYTES;
    long[] expected = new long[blocks];
    for (int block = 0; block < blocks; block++) {
      expected[block] = launched * (count * (count - 1) / 2 + count * block);
    }
    assertArrayEquals(
        expected, host.toArray(ValueLayout.JAVA_LONG), "sums of blocks, launches=" + launched);
  }

  @Override
  public void close() {
    context.memory().free(device);
    sums.close();
    stream.close();
    module.close();
  }
}

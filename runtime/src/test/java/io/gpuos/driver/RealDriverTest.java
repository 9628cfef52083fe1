package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.OutOfMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The bindings against the NVIDIA driver, where there is one; skipped by name elsewhere. */
class RealDriverTest {

  private static final String KERNEL =
      """
      extern "C" __device__ float offset = 0.5f;
      extern "C" __global__ void affine(float* x, float scale, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[i] = x[i] * scale + offset;
      }
      """;
  private static final int COUNT = 1000;

  private static CudaContext context() {
    Optional<Cuda> cuda = cuda();
    assumeTrue(cuda.isPresent(), "needs an NVIDIA GPU and driver");
    return cuda.get().device(0).retainPrimaryContext();
  }

  private static Optional<Cuda> cuda() {
    try {
      return Optional.of(Cuda.open());
    } catch (DeviceUnavailableException _) {
      return Optional.empty();
    }
  }

  private static byte[] compile(CudaContext context) {
    List<String> options = List.of("--gpu-architecture=" + context.device().architecture());
    return Nvrtc.open().compile(KERNEL, "affine.cu", Map.of(), options, Nvrtc.Target.CUBIN).code();
  }

  @Test
  void shouldSayWhyWhereThereIsNoDriver() {
    assumeTrue(cuda().isEmpty(), "this machine has a GPU");
    var e = assertThrows(DeviceUnavailableException.class, Cuda::open);
    assertTrue(
        e.getMessage().matches("(library|device) not usable: .*expected=.*"), e.getMessage());
  }

  @Test
  void shouldDescribeTheDevice() {
    try (CudaContext context = context()) {
      CudaDevice device = context.device();
      assertTrue(device.architecture().matches("sm_\\d{2,3}"), device.architecture());
      assertTrue(device.name().length() > 3, device.name());
      assertEquals(32, device.attribute(DeviceAttribute.WARP_SIZE));
      assertTrue(device.totalMemory() > 1L << 30);
      assertNotEquals(new UUID(0, 0), device.uuid());
      assertTrue(device.cuda().driverVersion() >= 12000);
      CudaMemory.Usage usage = context.memory().usage();
      assertTrue(usage.free() > 0 && usage.free() <= usage.total());
    }
  }

  @Test
  void shouldRunAKernelBothWays() {
    try (CudaContext context = context();
        CudaStream stream = context.newStream(context.streamPriorities().highest());
        CudaModule module = context.loadModule(compile(context));
        PinnedBuffer host = context.memory().allocatePinned(4 * COUNT);
        CudaEvent start = context.newTimingEvent();
        CudaEvent end = context.newTimingEvent()) {
      CudaFunction kernel = module.function("affine");
      kernel.setAttribute(FunctionAttribute.PREFERRED_SHARED_MEMORY_CARVEOUT, 100);
      assertTrue(kernel.attribute(FunctionAttribute.NUM_REGS) > 0);
      assertTrue(kernel.maxBlocksPerMultiprocessor(256, 0) > 0);
      assertEquals(4, module.global("offset").size());
      long memory = context.memory().allocate(4 * COUNT);
      fill(host.segment());
      LaunchConfig config = LaunchConfig.of(4, 256);
      int two = Float.floatToRawIntBits(2f);
      start.record(stream);
      stream.copyToDevice(memory, host.segment());
      kernel.launch(stream, config, memory, two, COUNT);
      kernel.launch(stream, config.asCooperative(), memory, two, COUNT);
      stream.copyToHost(host.segment(), memory);
      end.record(stream);
      end.synchronize();
      assertTrue(stream.isDone());
      assertTrue(end.millisSince(start) > 0);
      for (int i = 0; i < COUNT; i++) {
        assertEquals(4f * i + 1.5f, host.segment().getAtIndex(JAVA_FLOAT, i));
      }
      var attribute = context.device().cuda().pointerAttribute(PointerAttribute.RANGE_SIZE, memory);
      assertTrue(attribute.orElseThrow() >= 4 * COUNT);
      context.memory().free(memory);
    }
  }

  private static void fill(MemorySegment floats) {
    for (int i = 0; i < COUNT; i++) {
      floats.setAtIndex(JAVA_FLOAT, i, i);
    }
  }

  @Test
  void shouldOrderStreamsByValuesAndEvents() {
    try (CudaContext context = context();
        Arena arena = Arena.ofConfined();
        CudaStream first = context.newStream();
        CudaStream second = context.newStream();
        CudaEvent event = context.newEvent();
        PinnedBuffer word = context.memory().allocatePinned(16)) {
      word.segment().fill((byte) 0);
      long memory = context.memory().allocate(16);
      second.waitValue64(word.deviceAddress(), 7, CudaStream.Condition.AT_LEAST);
      second.fill32(memory, 0x01020304, 2);
      event.record(second);
      assertTrue(!second.isDone() && !event.isDone());
      first.writeValue64(word.deviceAddress(), 7);
      first.waitFor(event);
      first.fill8(memory + 8, (byte) -1, 8);
      first.synchronize();
      MemorySegment result = arena.allocate(16);
      context.memory().copyToHost(result, memory);
      assertEquals(0x0102030401020304L, result.get(JAVA_LONG, 0));
      assertEquals(-1, result.get(JAVA_LONG, 8));
      assertEquals(7, word.segment().get(JAVA_LONG, 0));
      context.memory().free(memory);
    }
  }

  @Test
  void shouldRefuseWhatCannotBe() {
    try (CudaContext context = context()) {
      CudaMemory memory = context.memory();
      assertThrows(OutOfMemoryException.class, () -> memory.allocate(1L << 50));
      var e = assertThrows(DeviceException.class, () -> context.loadModule(new byte[64]));
      assertTrue(e.getMessage().contains("call=cuModuleLoadDataEx(ptr"), e.getMessage());
      assertEquals(
          Optional.empty(),
          context.device().cuda().pointerAttribute(PointerAttribute.RANGE_SIZE, 4096));
    }
  }

  @Test
  void shouldServeAThreadWithoutAContext() throws InterruptedException {
    try (CudaContext context = context()) {
      context.makeCurrent();
      long[] address = new long[1];
      Thread thread = new Thread(() -> address[0] = context.memory().allocate(256));
      thread.start();
      thread.join();
      assertTrue(address[0] != 0);
      context.memory().free(address[0]);
    }
  }
}

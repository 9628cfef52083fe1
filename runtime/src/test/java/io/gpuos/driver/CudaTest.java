package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OutOfMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bindings against a driver written in Java: types, order of arguments, errors, contexts. */
class CudaTest {

  private final FakeDriver driver = new FakeDriver();

  private Cuda cuda() {
    return Cuda.of("fake", driver);
  }

  private CudaContext context() {
    return cuda().device(0).retainPrimaryContext();
  }

  @Test
  void shouldDescribeDevice() {
    CudaDevice device = cuda().device(0);
    assertEquals("Fake 70", device.name());
    assertEquals("sm_90", device.architecture());
    assertEquals(132, device.attribute(DeviceAttribute.MULTIPROCESSOR_COUNT));
    assertEquals(-70, device.attribute(DeviceAttribute.WARP_SIZE));
    assertEquals(141L << 30, device.totalMemory());
    assertEquals(UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), device.uuid());
    assertEquals("cuda:0", device.toString());
    assertEquals(13000, device.cuda().driverVersion());
  }

  @Test
  void shouldCallEveryFunctionOfTheTableWithItsTypes() {
    useEverything();
    Set<String> unused = new TreeSet<>();
    for (DriverFunction function : DriverFunction.values()) {
      unused.add(function.baseName());
    }
    unused.removeAll(driver.resolved.keySet());
    assertEquals(Set.of("cuGetProcAddress"), unused);
  }

  @Test
  void shouldAskForTheInterfaceTheTableNames() {
    useEverything();
    for (DriverFunction function : DriverFunction.values()) {
      if (function != DriverFunction.GET_PROC_ADDRESS) {
        assertEquals(function.version(), driver.resolved.get(function.baseName()), function.name());
      }
    }
  }

  @Test
  void shouldFallBackToExportedSymbolsOnOlderDrivers() {
    driver.missing.add("cuGetProcAddress_v2");
    useEverything();
    assertTrue(driver.resolved.isEmpty());
    assertTrue(driver.calls.contains("cuStreamWriteValue64_v2"));
  }

  /** One call of each function, with results looked at; the fake checks arguments by itself. */
  private void useEverything() {
    try (Arena arena = Arena.ofConfined();
        CudaContext context = context()) {
      useContext(context);
      try (CudaStream stream = context.newStream(-1)) {
        useMemory(context.memory(), arena);
        useStream(context, stream, arena);
        useEvents(context, stream);
        useGraph(stream);
        useModule(context, stream);
      }
      context.device().name();
      context.device().uuid();
      context.device().totalMemory();
      context.device().architecture();
      driver.failures.put("cuCtxSynchronize", 1);
      assertThrows(DeviceException.class, context::synchronize);
      context.makeCurrent();
    }
    assertEquals(0, driver.retained);
  }

  private static void useContext(CudaContext context) {
    context.synchronize();
    context.setLimit(ContextLimit.STACK_SIZE, 4096);
    assertEquals(1002, context.limit(ContextLimit.MALLOC_HEAP_SIZE));
    assertEquals(new CudaContext.PriorityRange(0, -5), context.streamPriorities());
  }

  private static void useMemory(CudaMemory memory, Arena arena) {
    assertEquals(new CudaMemory.Usage(7L << 32, 9L << 32), memory.usage());
    long a = memory.allocate(64);
    long b = memory.allocate(64);
    MemorySegment source = arena.allocateFrom(JAVA_INT, 1, 2, 3, 4);
    MemorySegment target = arena.allocate(16);
    memory.copyToDevice(a, source);
    memory.copy(b, a, 16);
    memory.copyToHost(target, b);
    assertEquals(-1, target.mismatch(source));
    memory.free(a);
    try (PinnedBuffer pinned = memory.allocatePinned(4096)) {
      assertEquals(pinned.segment().address(), pinned.deviceAddress());
      assertEquals(4096, pinned.size());
    }
  }

  private static void useStream(CudaContext context, CudaStream stream, Arena arena) {
    long a = context.memory().allocate(64);
    MemorySegment source = arena.allocateFrom(JAVA_INT, 5, 6, 7, 8);
    MemorySegment target = arena.allocate(16);
    stream.copyToDevice(a, source);
    stream.copy(a + 16, a, 16);
    stream.fill8(a, (byte) -1, 4);
    stream.fill32(a + 4, 0x01020304, 1);
    stream.copyToHost(target, a);
    assertEquals(-1, target.get(JAVA_INT, 0));
    assertEquals(0x01020304, target.get(JAVA_INT, 4));
    assertEquals(7, target.get(JAVA_INT, 8));
    stream.writeValue32(a, 77);
    stream.waitValue32(a, 77, CudaStream.Condition.EQUAL);
    stream.writeValue64(a + 8, 1L << 40);
    stream.waitValue64(a + 8, 1L << 39, CudaStream.Condition.AT_LEAST);
    stream.copyToHost(target, a);
    assertEquals(1L << 40, target.get(JAVA_LONG, 8));
    assertTrue(stream.isDone());
    assertTrue(stream.isCapturing());
    context.besideCaptures(() -> assertEquals(2, FakeDriver.captureMode.get()));
    assertEquals(0, FakeDriver.captureMode.get());
    stream.synchronize();
    Cuda cuda = context.device().cuda();
    assertEquals(Optional.of(2L), cuda.pointerAttribute(PointerAttribute.MEMORY_TYPE, a));
    assertEquals(Optional.of(a), cuda.pointerAttribute(PointerAttribute.DEVICE_POINTER, a));
  }

  private static void useGraph(CudaStream stream) {
    try (CudaGraph graph = stream.capture(() -> stream.fill8(0, (byte) 0, 0))) {
      assertEquals(3, graph.nodes());
      graph.launch(stream);
    }
  }

  @Test
  void shouldCaptureBetweenBeginAndEndAndLaunchWhatWasInstantiated() {
    try (CudaContext context = context();
        CudaStream stream = context.newStream()) {
      driver.calls.clear();
      try (CudaGraph graph = stream.capture(() -> stream.fill8(0, (byte) 0, 0))) {
        graph.launch(stream);
        graph.close();
      }
      assertEquals(
          List.of(
              "cuStreamBeginCapture_v2",
              "cuMemsetD8Async",
              "cuStreamEndCapture",
              "cuGraphInstantiateWithFlags",
              "cuGraphLaunch",
              "cuGraphExecDestroy",
              "cuGraphDestroy"),
          driver.calls);
    }
  }

  @Test
  void shouldLeaveNoCaptureBehindWhenItsBodyFails() {
    try (CudaContext context = context();
        CudaStream stream = context.newStream()) {
      driver.calls.clear();
      IllegalStateException failure = new IllegalStateException("body");
      Runnable body =
          () -> {
            throw failure;
          };
      assertSame(failure, assertThrows(IllegalStateException.class, () -> stream.capture(body)));
      assertEquals(
          List.of("cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphDestroy"), driver.calls);
    }
  }

  @Test
  void shouldDestroyAGraphThatCannotBeInstantiated() {
    try (CudaContext context = context();
        CudaStream stream = context.newStream()) {
      driver.failures.put("cuGraphInstantiateWithFlags", 1);
      assertThrows(DeviceException.class, () -> stream.capture(() -> {}));
      assertEquals("cuGraphDestroy", driver.calls.getLast());
    }
  }

  private static void useEvents(CudaContext context, CudaStream stream) {
    try (CudaEvent start = context.newTimingEvent();
        CudaEvent end = context.newTimingEvent()) {
      start.record(stream);
      end.record(stream);
      stream.waitFor(end);
      end.synchronize();
      assertTrue(end.isDone());
      assertEquals(1.5f, end.millisSince(start));
    }
  }

  private void useModule(CudaContext context, CudaStream stream) {
    Map<String, byte[]> objects = new LinkedHashMap<>();
    objects.put("a", new byte[] {1, 2});
    objects.put("b", new byte[] {3});
    assertArrayEquals(new byte[] {1, 2, 3}, context.link(objects));
    try (CudaModule module = context.loadModule("ptx text".getBytes(StandardCharsets.UTF_8))) {
      assertEquals("loaded ptx text", module.log());
      assertEquals(new CudaModule.Global(0xABCDEF00L, 24), module.global("table"));
      CudaFunction kernel = module.function("kernel");
      assertEquals(64, kernel.attribute(FunctionAttribute.NUM_REGS));
      kernel.setAttribute(FunctionAttribute.PREFERRED_SHARED_MEMORY_CARVEOUT, 100);
      kernel.setCachePreference(CudaFunction.CachePreference.SHARED);
      assertEquals(8 + 3, kernel.maxBlocksPerMultiprocessor(256, 3));
      LaunchConfig config = new LaunchConfig(2, 3, 4, 5, 6, 7, 8, false);
      kernel.launch(stream, config, 1L << 40, -9);
      kernel.launch(stream, config.asCooperative(), 1L << 41, 9);
      assertEquals("[2, 3, 4, 5, 6, 7, 8](1099511627776, -9)0", driver.launches.getFirst());
      assertEquals(
          "[2, 3, 4, 5, 6, 7, 8](2199023255552, 9) attribute 2=1 of 1", driver.launches.getLast());
    }
  }

  @Test
  void shouldWorkWhateverContextTheThreadHasAndPutItBack() {
    try (CudaContext context = context()) {
      driver.setCurrentContext(99);
      context.memory().allocate(64);
      assertEquals(99, driver.currentContext());
      context.withCurrent(() -> assertEquals(FakeDriver.CONTEXT, driver.currentContext()));
      assertEquals(99, driver.currentContext());
      context.makeCurrent();
      assertEquals(FakeDriver.CONTEXT, driver.currentContext());
    }
  }

  @Test
  void shouldPutContextBackWhenTheBodyThrows() {
    try (CudaContext context = context()) {
      driver.setCurrentContext(99);
      Runnable body =
          () -> {
            throw new IllegalStateException("mine");
          };
      assertThrows(IllegalStateException.class, () -> context.withCurrent(body));
      assertEquals(99, driver.currentContext());
    }
  }

  @Test
  void shouldRefuseVirtualThreads() throws InterruptedException {
    try (CudaContext context = context()) {
      AtomicReference<Throwable> thrown = new AtomicReference<>();
      Thread thread =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      context.synchronize();
                    } catch (RuntimeException e) {
                      thrown.set(e);
                    }
                  });
      thread.join();
      assertInstanceOf(InvalidInputException.class, thrown.get());
      assertTrue(thrown.get().getMessage().contains("platform thread"));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719})
  void shouldReportStickyErrorsAsFaults(int code) {
    try (CudaContext context = context()) {
      driver.failures.put("cuCtxSynchronize", code);
      var e = assertThrows(DeviceFaultException.class, context::synchronize);
      String text = "call=cuCtxSynchronize(), error=%d CUDA_ERROR_%d (text of %d)";
      assertTrue(e.getMessage().contains(text.formatted(code, code, code)), e.getMessage());
    }
  }

  @Test
  void shouldReportOutOfMemoryWithTheSize() {
    try (CudaContext context = context()) {
      driver.failures.put("cuMemAlloc_v2", 2);
      var e = assertThrows(OutOfMemoryException.class, () -> context.memory().allocate(123456));
      assertTrue(e.getMessage().contains("cuMemAlloc(ptr, 123456)"), e.getMessage());
    }
  }

  @Test
  void shouldReportOtherErrorsAsRefusals() {
    try (CudaContext context = context()) {
      driver.failures.put("cuMemAlloc_v2", 1);
      var e = assertThrows(DeviceException.class, () -> context.memory().allocate(0));
      assertEquals(DeviceException.class, e.getClass());
      assertTrue(e.getMessage().startsWith("CUDA call failed: call=cuMemAlloc(ptr, 0)"));
      assertFalse(e.getMessage().contains("\n"));
    }
  }

  @Test
  void shouldSayWhenTheDriverDoesNotKnowItsOwnError() {
    try (CudaContext context = context()) {
      driver.failures.put("cuCtxSynchronize", 12345);
      var e = assertThrows(DeviceException.class, context::synchronize);
      assertTrue(e.getMessage().contains("12345 unknown to this driver"), e.getMessage());
    }
  }

  @Test
  void shouldBeUnavailableWithoutDevices() {
    driver.failures.put("cuInit", 100);
    var e = assertThrows(DeviceUnavailableException.class, this::cuda);
    assertTrue(e.getMessage().contains("error=100 CUDA_ERROR_100"), e.getMessage());
    driver.devices = 2;
    Cuda cuda = cuda();
    assertEquals(2, cuda.devices().count());
    e = assertThrows(DeviceUnavailableException.class, () -> cuda.device(2));
    assertTrue(e.getMessage().contains("device=cuda:2, expected=0 to 1"), e.getMessage());
    assertThrows(DeviceUnavailableException.class, () -> cuda.device(-1));
  }

  @Test
  void shouldNameTheVersionAnOldDriverLacks() {
    driver.missing.add("cuStreamWriteValue64_v2");
    try (CudaContext context = context();
        CudaStream stream = context.newStream()) {
      var e = assertThrows(DeviceUnavailableException.class, () -> stream.writeValue64(8, 1));
      assertTrue(e.getMessage().contains("CUDA 11.7 or newer"), e.getMessage());
    }
  }

  @Test
  void shouldTellNotReadyFromFailed() {
    try (CudaContext context = context();
        CudaStream stream = context.newStream();
        CudaEvent event = context.newEvent()) {
      driver.ready = false;
      assertFalse(stream.isDone());
      assertFalse(event.isDone());
      driver.failures.put("cuStreamQuery", 700);
      assertThrows(DeviceFaultException.class, stream::isDone);
    }
  }

  @Test
  void shouldCarryTheLogOfARefusedModule() {
    try (CudaContext context = context()) {
      driver.failures.put("cuModuleLoadDataEx", 218);
      var e = assertThrows(DeviceException.class, () -> context.loadModule(new byte[3]));
      assertTrue(e.getMessage().endsWith("log=ptxas fatal : bad image"), e.getMessage());
    }
  }

  @Test
  void shouldNameTheSymbolAModuleLacks() {
    try (CudaContext context = context();
        CudaModule module = context.loadModule(new byte[3])) {
      var e = assertThrows(DeviceException.class, () -> module.function("other"));
      assertTrue(e.getMessage().endsWith("kernel=other"), e.getMessage());
      e = assertThrows(DeviceException.class, () -> module.global("none"));
      assertTrue(e.getMessage().endsWith("variable=none"), e.getMessage());
    }
  }

  @Test
  void shouldCloseQuietlyAfterAFaultAndOnlyOnce() {
    CudaContext context = context();
    CudaStream stream = context.newStream();
    PinnedBuffer pinned = context.memory().allocatePinned(64);
    driver.failures.put("cuStreamDestroy_v2", 719);
    stream.close();
    stream.close();
    assertEquals(1, driver.calls.stream().filter("cuStreamDestroy_v2"::equals).count());
    context.close();
    context.close();
    pinned.close();
    assertFalse(driver.calls.contains("cuMemHostUnregister"));
    assertThrows(ClosedException.class, context::synchronize);
    assertEquals(0, pinned.segment().get(JAVA_INT, 0));
  }

  @Test
  void shouldLeaveForeignStreamsAlone() {
    try (CudaContext context = context()) {
      try (CudaStream stream = context.foreignStream(0)) {
        stream.synchronize();
      }
      assertFalse(driver.calls.contains("cuStreamDestroy_v2"));
    }
  }

  @Test
  void shouldRefuseHeapMemoryAndBadShapes() {
    try (CudaContext context = context()) {
      MemorySegment heap = MemorySegment.ofArray(new int[4]);
      assertThrows(InvalidInputException.class, () -> context.memory().copyToDevice(8, heap));
      assertThrows(InvalidInputException.class, () -> LaunchConfig.of(0, 256));
      assertThrows(InvalidInputException.class, () -> LaunchConfig.of(1, 1).withSharedBytes(-1));
      assertThrows(
          InvalidInputException.class,
          () -> context.newEvent().millisSince(context.newTimingEvent()));
    }
  }

  @Test
  void shouldKnowNothingOfAForeignPointer() {
    Cuda cuda = cuda();
    driver.failures.put("cuPointerGetAttribute", 1);
    assertEquals(Optional.empty(), cuda.pointerAttribute(PointerAttribute.RANGE_SIZE, 16));
  }

  @Test
  void shouldHaveDistinctSymbols() {
    long symbols =
        Arrays.stream(DriverFunction.values()).map(DriverFunction::symbol).distinct().count();
    assertEquals(DriverFunction.values().length, symbols);
  }
}

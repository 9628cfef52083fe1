package io.gpuos.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.CudaHeader;
import io.gpuos.abi.ReplayRecord;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.device.OpenPhases;
import io.gpuos.device.StreamReplays;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.FakeGpu;
import io.gpuos.jit.CompileService;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Launches on streams, over a driver that the test plays. */
@Timeout(120)
class StreamKernelsTest {

  private static final long STREAM = 0x1000;
  private static final long OTHER = 0x2000;

  private final FakeGpu gpu = new FakeGpu();
  private CudaComputeDevice device;
  private StreamReplays streams;

  @BeforeEach
  void open() {
    CudaContext context = gpu.cuda().device(0).retainPrimaryContext();
    device =
        CudaComputeDevice.open(
            context,
            0,
            CompileService.open(0, CudaHeader.ABI_VERSION),
            DeviceSettings.defaults().withRingCapacity(64).withInjection(Injection.LIVE),
            new OpenPhases());
    streams = device.streams().orElseThrow();
  }

  @AfterEach
  void close() {
    gpu.leave();
    device.close();
  }

  private StreamReplays.Launches prepare(int segments, int bases) {
    return streams.prepare(new StreamReplays.Code(11, 12, 13, segments, bases, 0));
  }

  @Test
  void shouldHandOverTheProgramAndItsBindings() {
    StreamReplays.Launches launches = prepare(3, 5);
    for (int k = 0; k < 5; k++) {
      launches.bindings().setAtIndex(JAVA_LONG, k, 100 + k);
    }
    launches.launch(STREAM);
    FakeGpu.Replay replay = gpu.replays.getFirst();
    assertEquals("gpuos_replay_near", replay.kernel());
    assertEquals(3, replay.blocks());
    assertEquals(STREAM, replay.stream());
    assertEquals(11, replay.parameter()[ReplayRecord.SEGMENTS / 8]);
    assertEquals(12, replay.parameter()[ReplayRecord.AFTER / 8]);
    assertEquals(13, replay.parameter()[ReplayRecord.STATE / 8]);
    assertEquals(3, replay.parameter()[ReplayRecord.COUNT / 8]);
    assertEquals(104, replay.parameter()[ReplayRecord.BYTES / 8 + 4]);
    launches.close(() -> {});
  }

  @Test
  void shouldTakeTheKernelWithRoomForTheBindings() {
    assertTrue(streams.fits(ReplayRecord.WIDE_BINDINGS));
    assertFalse(streams.fits(ReplayRecord.WIDE_BINDINGS + 1));
    launchAndClose(prepare(1, ReplayRecord.NEAR_BINDINGS));
    launchAndClose(prepare(100_000, ReplayRecord.NEAR_BINDINGS + 1));
    assertEquals("gpuos_replay_near", gpu.replays.get(0).kernel());
    assertEquals("gpuos_replay_wide", gpu.replays.get(1).kernel());
    assertEquals(device.workers(), gpu.replays.get(1).blocks());
  }

  private void launchAndClose(StreamReplays.Launches launches) {
    launches.launch(STREAM);
    launches.close(() -> {});
  }

  @Test
  void shouldCopyBindingsThatDoNotFitBeforeTheLaunch() {
    int bases = ReplayRecord.WIDE_BINDINGS + 1;
    try (Arena arena = Arena.ofConfined()) {
      long room = arena.allocate(JAVA_LONG, bases).address();
      StreamReplays.Launches launches =
          streams.prepare(new StreamReplays.Code(11, 12, 13, 2, bases, room));
      launches.bindings().setAtIndex(JAVA_LONG, bases - 1, 77);
      launches.launch(STREAM);
      assertEquals("gpuos_replay_distant", gpu.replays.getFirst().kernel());
      assertEquals(room, gpu.replays.getFirst().parameter()[ReplayRecord.BINDINGS / 8]);
      long last = room + (bases - 1L) * Long.BYTES;
      assertEquals(77, MemorySegment.ofAddress(last).reinterpret(8).get(JAVA_LONG, 0));
      launches.close(() -> {});
    }
  }

  @Test
  void shouldOrderReplaysOnSeveralStreams() {
    StreamReplays.Launches launches = prepare(2, 3);
    gpu.eventsDone = false;
    launches.launch(STREAM);
    launches.launch(STREAM);
    assertFalse(gpu.callsSince("cuStreamCreateWithPriority").contains("cuStreamWaitEvent"));
    launches.launch(OTHER);
    assertTrue(gpu.callsSince("cuStreamCreateWithPriority").contains("cuStreamWaitEvent"));
    gpu.eventsDone = true;
    launches.close(() -> {});
  }

  @Test
  void shouldWaitForTheLaunchesSoFar() {
    StreamReplays.Launches launches = prepare(2, 3);
    launches.launch(STREAM);
    launches.await();
    assertEquals(List.of("cuEventSynchronize"), gpu.callsSince("cuEventRecord"));
    launches.close(() -> {});
  }

  @Test
  void shouldKeepMemoryUntilTheLastReplayIsComplete() {
    AtomicInteger released = new AtomicInteger();
    StreamReplays.Launches launches = prepare(2, 3);
    launches.launch(STREAM);
    gpu.eventsDone = false;
    launches.close(released::incrementAndGet);
    prepare(1, 3).close(() -> {});
    assertEquals(0, released.get());
    gpu.eventsDone = true;
    prepare(1, 3).close(() -> {});
    assertEquals(1, released.get());
  }

  @Test
  void shouldKeepMemoryOfCapturedReplaysForEver() {
    AtomicInteger released = new AtomicInteger();
    StreamReplays.Launches launches = prepare(2, 3);
    launches.launch(OTHER);
    gpu.eventsDone = false;
    gpu.capturing.add(STREAM);
    launches.launch(STREAM);
    assertEquals(List.of("cuLaunchKernel"), gpu.callsSince("cuStreamIsCapturing"));
    gpu.eventsDone = true;
    launches.close(released::incrementAndGet);
    prepare(1, 3).close(() -> {});
    assertEquals(0, released.get());
    assertFalse(gpu.spoiled, "an event was asked for during a capture");
  }
}

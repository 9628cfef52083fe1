package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.abi.ReplayRecord;
import io.gpuos.abi.SegmentRecord;
import io.gpuos.device.NodeTime;
import io.gpuos.device.StreamReplays;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaEvent;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.driver.PreparedLaunch;
import io.gpuos.error.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * The kernels that replay a program on a stream of somebody else. Compiled and loaded when the
 * first program is prepared, into an image of their own that stays: they call the code of operators
 * by its address, as the workers do. Thread-safe.
 */
final class StreamKernels implements StreamReplays, AutoCloseable {

  private final CudaContext context;
  private final WorkerMemory memory;
  private final int workers;
  private final Supplier<CudaModule> load;

  /** Null until the first program; guarded by the monitor. */
  private CudaModule module;

  /** Programs that were closed before their last replay was complete. */
  private final List<Retired> retired = new ArrayList<>();

  private record Retired(CudaEvent event, Runnable release) {}

  /**
   * @param load loads the kernels
   * @param workers blocks that a replay has at most
   */
  StreamKernels(CudaContext context, WorkerMemory memory, Supplier<CudaModule> load, int workers) {
    this.context = context;
    this.memory = memory;
    this.load = load;
    this.workers = workers;
  }

  private synchronized CudaFunction function(String name) {
    if (module == null) {
      module = load.get();
    }
    CudaFunction function = module.function(name);
    if (WorkerKernel.registers(function) < WorkerKernel.REGISTERS) {
      throw new DeviceException(
          String.format(
              Locale.ROOT,
              "registers of a kernel: kernel=%s, registers=%d, expected=%d, as operators may need; this is a defect",
              name,
              WorkerKernel.registers(function),
              WorkerKernel.REGISTERS));
    }
    return function;
  }

  @Override
  public boolean fits(int bases) {
    return bases <= ReplayRecord.WIDE_BINDINGS;
  }

  @Override
  public Launches prepare(Code code) {
    sweep();
    return context.withCurrent(() -> new Prepared(code));
  }

  private LaunchConfig config(Code code) {
    return LaunchConfig.of(Math.min(code.count(), workers), WorkerKernel.BLOCK_THREADS)
        .withSharedBytes(CudaHeader.SCRATCH_BYTES);
  }

  private PreparedLaunch launchOf(Code code) {
    LaunchConfig config = config(code);
    if (!fits(code.bases())) {
      return function("gpuos_replay_distant").prepare(config, ReplayRecord.BYTES);
    }
    boolean few = code.bases() <= ReplayRecord.NEAR_BINDINGS;
    int room = few ? ReplayRecord.NEAR_BINDINGS : ReplayRecord.WIDE_BINDINGS;
    return function(few ? "gpuos_replay_near" : "gpuos_replay_wide")
        .prepare(config, ReplayRecord.BYTES + (long) room * Long.BYTES);
  }

  @Override
  public List<NodeTime> trace(Code code, long nodes, int count, long[] addresses) {
    return context.withCurrent(() -> traced(code, nodes, count, addresses));
  }

  private List<NodeTime> traced(Code code, long nodes, int count, long[] addresses) {
    long words =
        (long) code.count() * ReplayRecord.SEGMENT_TIMES + (long) count * ReplayRecord.NODE_TIMES;
    long room = context.memory().allocate((words + addresses.length) * Long.BYTES);
    long bindings = room + words * Long.BYTES;
    try (Arena confined = Arena.ofConfined();
        CudaStream stream = context.newStream();
        PreparedLaunch launch =
            function("gpuos_replay_traced").prepare(config(code), ReplayRecord.BYTES)) {
      MemorySegment parameter = launch.parameter();
      describe(parameter, code);
      put(parameter, ReplayRecord.BINDINGS, bindings);
      put(parameter, ReplayRecord.TIMES, room);
      put(parameter, ReplayRecord.NODES, nodes);
      stream.copyToDevice(bindings, confined.allocateFrom(ValueLayout.JAVA_LONG, addresses));
      launch.launch(stream);
      MemorySegment times = confined.allocate(ValueLayout.JAVA_LONG, words);
      stream.copyToHost(times, room);
      stream.synchronize();
      return new ReplayTimes(times, code.count()).of(nodes, count, segmentOf(code, count));
    } finally {
      context.memory().free(room);
    }
  }

  /** The segment of each node. */
  private int[] segmentOf(Code code, int nodes) {
    int[] segmentOf = new int[nodes];
    try (Arena confined = Arena.ofConfined()) {
      MemorySegment records =
          confined.allocate((long) code.count() * SegmentRecord.BYTES, Long.BYTES);
      context.memory().copyToHost(records, code.segments());
      int node = 0;
      for (int s = 0; s < code.count(); s++) {
        long at = (long) s * SegmentRecord.BYTES + SegmentRecord.COUNT;
        int end = node + records.get(ValueLayout.JAVA_INT, at);
        Arrays.fill(segmentOf, node, end, s);
        node = end;
      }
    }
    return segmentOf;
  }

  private void describe(MemorySegment parameter, Code code) {
    put(parameter, ReplayRecord.SEGMENTS, code.segments());
    put(parameter, ReplayRecord.AFTER, code.after());
    put(parameter, ReplayRecord.STATE, code.state());
    put(parameter, ReplayRecord.ENTRIES, memory.entry(0));
    put(parameter, ReplayRecord.SPACE_PAGES, memory.spacePages());
    put(parameter, ReplayRecord.BINDINGS, code.bindings());
    parameter.set(ValueLayout.JAVA_INT, ReplayRecord.COUNT, code.count());
  }

  private static void put(MemorySegment parameter, int offset, long value) {
    parameter.set(ValueLayout.JAVA_LONG, offset, value);
  }

  /** Lets go of what is complete by now. */
  private void sweep() {
    context.besideCaptures(this::releaseComplete);
  }

  private void releaseComplete() {
    List<Retired> complete = new ArrayList<>();
    synchronized (retired) {
      retired.removeIf(one -> one.event.isDone() && complete.add(one));
    }
    for (Retired one : complete) {
      one.event.close();
      one.release.run();
    }
  }

  /** Forgets what is not complete: its memory goes with the device. */
  @Override
  public void close() {
    synchronized (retired) {
      retired.forEach(one -> one.event.close());
      retired.clear();
    }
    unload();
  }

  private synchronized void unload() {
    if (module != null) {
      module.close();
    }
  }

  /** One program's launches. */
  private final class Prepared implements Launches {

    private final Code code;
    private final PreparedLaunch launch;
    private final MemorySegment bindings;
    private final Arena arena = Arena.ofShared();

    /** Behind the last launch that was not captured. */
    private final CudaEvent event = context.newEvent();

    private CudaStream stream;
    private boolean captured;

    Prepared(Code code) {
      this.code = code;
      this.launch = launchOf(code);
      MemorySegment parameter = launch.parameter();
      describe(parameter, code);
      this.bindings =
          fits(code.bases())
              ? parameter.asSlice(ReplayRecord.BYTES, (long) code.bases() * Long.BYTES)
              : arena.allocate((long) code.bases() * Long.BYTES, Long.BYTES);
    }

    @Override
    public MemorySegment bindings() {
      return bindings;
    }

    @Override
    public void launch(long handle) {
      boolean other = stream == null || stream.handle() != handle;
      CudaStream target = other ? context.foreignStream(handle) : stream;
      boolean capturing = target.isCapturing();
      // Asking for an event would spoil a capture.
      if (other && stream != null && !capturing && !event.isDone()) {
        target.waitFor(event);
      }
      if (code.bindings() != 0) {
        // From pageable memory: the driver has taken it when this returns.
        target.copyToDevice(code.bindings(), bindings);
      }
      launch.launch(target);
      if (capturing) {
        captured = true;
      } else {
        event.record(target);
        stream = target;
      }
    }

    @Override
    public void await() {
      event.synchronize();
    }

    @Override
    public void close(Runnable release) {
      launch.close();
      arena.close();
      if (captured) {
        event.close();
      } else {
        synchronized (retired) {
          retired.add(new Retired(event, release));
        }
      }
      sweep();
    }
  }
}

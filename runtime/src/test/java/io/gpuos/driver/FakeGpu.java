package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.abi.LaunchRecord;
import io.gpuos.abi.ReplayRecord;
import io.gpuos.abi.StateRecord;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A driver whose worker kernel, once launched, is resident until the test says otherwise, and does
 * nothing but what the test writes to its memory. Calls that would wait for a resident kernel come
 * back, and are noted.
 */
public final class FakeGpu extends FakeDriver {

  private static final long WORKER = 0xF00D_0000_0002L;
  private static final List<String> KERNELS =
      List.of("gpuos_worker", "gpuos_replay_near", "gpuos_replay_wide", "gpuos_replay_distant");

  /**
   * Bytes between two variables that tell an operator's address, and where functions seem to be.
   */
  private static final int STRIDE = 112;

  private static final long CODE = 0x7F00_0000_0000L;
  private static final Pattern TOLD = Pattern.compile("gpuos_told_([0-9a-f]{16})");

  /** Functions that were called and would have waited for the resident kernel. */
  public final Set<String> waited = new ConcurrentSkipListSet<>();

  /** Whether variables of modules do not lie as they were linked. */
  public volatile boolean scattered;

  /** Whether variables of modules hold something else than they were linked with. */
  public volatile boolean garbled;

  /** Launches of other kernels, in order. */
  public final List<Replay> replays = Collections.synchronizedList(new ArrayList<>());

  /** Streams that are being captured. */
  public final Set<Long> capturing = ConcurrentHashMap.newKeySet();

  /** Whether a capture was spoiled by asking for an event. */
  public volatile boolean spoiled;

  /** Whether events are reached. */
  public volatile boolean eventsDone = true;

  private final Set<String> linking = new TreeSet<>();
  private final Map<String, Long> told = new ConcurrentHashMap<>();
  private final AtomicLong functions = new AtomicLong();
  private final AtomicInteger modules = new AtomicInteger();
  private final List<MemorySegment> kept = new ArrayList<>();
  private volatile List<String> linked = List.of();

  private final AtomicLong streams = new AtomicLong();
  private volatile long workerStream;
  private volatile long state;
  private volatile boolean resident;
  private volatile int sticky;

  /** A driver that calls this GPU. */
  public Cuda cuda() {
    return Cuda.of("fake", this);
  }

  /** Whether a worker kernel has been launched and has not left. */
  public boolean resident() {
    return resident;
  }

  /** The worker kernel ends. */
  public void leave() {
    resident = false;
  }

  /** The worker kernel dies; every call on the context fails with {@code code} from now on. */
  public void die(int code) {
    sticky = code;
    resident = false;
  }

  /**
   * A launch of another kernel than the worker.
   *
   * @param parameter the words of its only parameter
   */
  public record Replay(String kernel, int blocks, long stream, long[] parameter) {}

  private static Replay replay(long function, int blocks, long stream, MemorySegment parameter) {
    int number = (int) (function - WORKER);
    long bindings =
        switch (number) {
          case 1 -> ReplayRecord.NEAR_BINDINGS;
          case 2 -> ReplayRecord.WIDE_BINDINGS;
          default -> 0;
        };
    long bytes = ReplayRecord.BYTES + bindings * Long.BYTES;
    return new Replay(
        KERNELS.get(number), blocks, stream, parameter.reinterpret(bytes).toArray(JAVA_LONG));
  }

  @Override
  public int cuStreamIsCapturing(long stream, MemorySegment out) {
    out.reinterpret(4).set(JAVA_INT, 0, capturing.contains(stream) ? 1 : 0);
    return inContext("cuStreamIsCapturing");
  }

  @Override
  public int cuEventQuery(long event) {
    int result = inContext("cuEventQuery");
    if (!capturing.isEmpty() && captureMode.get() != 2) {
      spoiled = true;
    }
    return eventsDone ? result : 600;
  }

  @Override
  public int cuEventRecord(long event, long stream) {
    return inContext("cuEventRecord");
  }

  @Override
  public int cuStreamWaitEvent(long stream, long event, int flags) {
    return inContext("cuStreamWaitEvent");
  }

  /** How often the context is held. */
  public int retained() {
    return retained;
  }

  /** A worker notes that it begins a task. */
  public void begin(int worker, long sequence) {
    MemorySegment.ofAddress(state)
        .reinterpret(StateRecord.BYTES)
        .set(JAVA_LONG, StateRecord.BEGUN + (long) worker * Long.BYTES, sequence);
  }

  /** Modules that are loaded. */
  public int modules() {
    return modules.get();
  }

  /** Functions of the driver that were called since the last call of {@code function}. */
  public List<String> callsSince(String function) {
    synchronized (calls) {
      return List.copyOf(calls.subList(calls.lastIndexOf(function) + 1, calls.size()));
    }
  }

  /** Address of the function of the operator with that key, in the module loaded last. */
  public long function(String key) {
    return MemorySegment.ofAddress(told.get("gpuos_told_" + key)).reinterpret(16).get(JAVA_LONG, 8);
  }

  @Override
  int inContext(String function) {
    int result = super.inContext(function);
    return sticky != 0 ? sticky : result;
  }

  @Override
  int onStream(String function, long stream) {
    return inContext(function);
  }

  /** As {@link #inContext}, for a call that waits until no kernel runs. */
  private int whenIdle(String function, int result) {
    if (resident) {
      waited.add(function);
    }
    return result;
  }

  @Override
  public int cuStreamCreateWithPriority(MemorySegment out, int flags, int priority) {
    return giveLong(
        inContext("cuStreamCreateWithPriority"), out, STREAM + 16 * streams.incrementAndGet());
  }

  @Override
  public int cuStreamQuery(long stream) {
    int result = inContext("cuStreamQuery");
    return result == 0 && resident && stream == workerStream ? 600 : result;
  }

  @Override
  public int cuStreamSynchronize(long stream) {
    int result = inContext("cuStreamSynchronize");
    return stream == workerStream ? whenIdle("cuStreamSynchronize", result) : result;
  }

  @Override
  public int cuCtxSynchronize() {
    return whenIdle("cuCtxSynchronize", super.cuCtxSynchronize());
  }

  @Override
  public int cuMemFree_v2(long address) {
    return whenIdle("cuMemFree_v2", super.cuMemFree_v2(address));
  }

  @Override
  public int cuMemHostUnregister(MemorySegment address) {
    return whenIdle("cuMemHostUnregister", super.cuMemHostUnregister(address));
  }

  @Override
  public int cuModuleLoadDataEx(
      MemorySegment out,
      MemorySegment image,
      int count,
      MemorySegment options,
      MemorySegment values) {
    giveLong(0, out, MODULE);
    modules.incrementAndGet();
    layOut();
    return whenIdle("cuModuleLoadDataEx", inContext("cuModuleLoadDataEx"));
  }

  /** Gives the variables of the image linked last their memory and values. */
  private void layOut() {
    MemorySegment memory = Arena.ofAuto().allocate(2L * STRIDE * (linked.size() + 1), 16);
    kept.add(memory);
    for (int k = 0; k < linked.size(); k++) {
      String name = linked.get(k);
      long at = scattered && k % 2 == 1 ? STRIDE * (2L * linked.size() - k) : (long) STRIDE * k;
      long key = Long.parseUnsignedLong(name.substring(name.length() - 16), 16);
      memory.set(JAVA_LONG, at, garbled ? ~key : key);
      memory.set(JAVA_LONG, at + 8, CODE + 256 * functions.incrementAndGet());
      told.put(name, memory.address() + at);
    }
  }

  @Override
  public int cuLinkAddData_v2(
      long link,
      int type,
      MemorySegment data,
      long bytes,
      MemorySegment name,
      int count,
      MemorySegment options,
      MemorySegment values) {
    byte[] object = data.reinterpret(bytes).toArray(JAVA_BYTE);
    Matcher names = TOLD.matcher(new String(object, StandardCharsets.ISO_8859_1));
    while (names.find()) {
      linking.add(names.group());
    }
    return super.cuLinkAddData_v2(link, type, data, bytes, name, count, options, values);
  }

  /** As the driver's linker does, says in the image's tables where variables are. */
  @Override
  public int cuLinkComplete(long link, MemorySegment image, MemorySegment bytes) {
    linked = List.copyOf(linking);
    linking.clear();
    byte[] elf = FakeImage.of(linked, STRIDE);
    MemorySegment all = Arena.ofAuto().allocateFrom(JAVA_BYTE, elf);
    kept.add(all);
    giveLong(0, bytes, elf.length);
    return giveLong(inContext("cuLinkComplete"), image, all.address());
  }

  @Override
  public int cuModuleGetGlobal_v2(
      MemorySegment out, MemorySegment bytes, long module, MemorySegment name) {
    Long address = told.get(text(name));
    if (address == null) {
      return 500; // CUDA_ERROR_NOT_FOUND
    }
    giveLong(0, bytes, 16);
    return giveLong(inContext("cuModuleGetGlobal_v2"), out, address);
  }

  @Override
  public int cuModuleUnload(long module) {
    modules.decrementAndGet();
    return whenIdle("cuModuleUnload", super.cuModuleUnload(module));
  }

  @Override
  public int cuDevicePrimaryCtxRelease_v2(int device) {
    return whenIdle("cuDevicePrimaryCtxRelease_v2", super.cuDevicePrimaryCtxRelease_v2(device));
  }

  @Override
  public int cuModuleGetFunction(MemorySegment out, long module, MemorySegment name) {
    int number = KERNELS.indexOf(text(name));
    return number < 0
        ? 500 // CUDA_ERROR_NOT_FOUND
        : giveLong(inContext("cuModuleGetFunction"), out, WORKER + number);
  }

  @Override
  public int cuFuncSetAttribute(long function, int attribute, int value) {
    return inContext("cuFuncSetAttribute");
  }

  @Override
  public int cuLaunchKernel(
      long function,
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int shared,
      long stream,
      MemorySegment parameters,
      MemorySegment extra) {
    MemorySegment first = parameters.reinterpret(8).get(ADDRESS, 0);
    int result = inContext("cuLaunchKernel");
    if (result == 0 && function == WORKER) {
      state = first.reinterpret(128).get(JAVA_LONG, LaunchRecord.STATE);
      workerStream = stream;
      resident = true;
    } else if (result == 0) {
      replays.add(replay(function, gridX, stream, first));
    }
    return result;
  }
}

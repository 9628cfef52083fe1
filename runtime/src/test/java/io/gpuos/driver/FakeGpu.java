package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.abi.LaunchRecord;
import io.gpuos.abi.StateRecord;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A driver whose worker kernel, once launched, is resident until the test says otherwise, and does
 * nothing but what the test writes to its memory. Calls that would wait for a resident kernel come
 * back, and are noted.
 */
public final class FakeGpu extends FakeDriver {

  private static final long WORKER = 0xF00D_0000_0002L;
  private static final long TELL = 0xF00D_0000_0003L;

  /** Functions that were called and would have waited for the resident kernel. */
  public final Set<String> waited = new ConcurrentSkipListSet<>();

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
    return whenIdle("cuModuleLoadDataEx", inContext("cuModuleLoadDataEx"));
  }

  @Override
  public int cuModuleUnload(long module) {
    return whenIdle("cuModuleUnload", super.cuModuleUnload(module));
  }

  @Override
  public int cuDevicePrimaryCtxRelease_v2(int device) {
    return whenIdle("cuDevicePrimaryCtxRelease_v2", super.cuDevicePrimaryCtxRelease_v2(device));
  }

  @Override
  public int cuModuleGetFunction(MemorySegment out, long module, MemorySegment name) {
    long function = text(name).equals("gpuos_worker") ? WORKER : TELL;
    return giveLong(inContext("cuModuleGetFunction"), out, function);
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
      // Tells where an operator lies; any address serves, since nobody calls it.
      long target = first.reinterpret(8).get(JAVA_LONG, 0);
      MemorySegment.ofAddress(target).reinterpret(8).set(JAVA_LONG, 0, 0x1000);
    }
    return result;
  }
}

package io.gpuos.device.cuda;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.queue.Watchdog;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Which tasks the blocks of the resident kernel have begun, copied from device memory while it
 * runs. One thread at a time, the keeper's.
 */
final class BegunTasks implements Watchdog.Workers, AutoCloseable {

  private final CudaStream stream;
  private final PinnedBuffer copy;
  private final long address;
  private final int count;
  private boolean asked;

  /**
   * @param address device address of the words, one for each worker
   */
  BegunTasks(CudaContext context, long address, int count) {
    this.address = address;
    this.count = count;
    this.stream = context.newStream();
    try {
      this.copy = context.memory().allocatePinned((long) count * Long.BYTES);
    } catch (RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  @Override
  public int count() {
    return count;
  }

  /** Asks for a copy first, and is answered when that has come. */
  @Override
  public boolean begun(long[] sequences) {
    if (!asked) {
      stream.copyToHost(copy.segment(), address);
      asked = true;
      return false;
    }
    if (!stream.isDone()) {
      return false;
    }
    asked = false;
    MemorySegment.copy(copy.segment(), ValueLayout.JAVA_LONG, 0, sequences, 0, count);
    return true;
  }

  @Override
  public String name(int worker) {
    return Integer.toString(worker);
  }

  @Override
  public String remedy() {
    return "go on in a new process without this operator";
  }

  @Override
  public void close() {
    stream.close();
    copy.close();
  }
}

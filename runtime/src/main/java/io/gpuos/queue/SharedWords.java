package io.gpuos.queue;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Words of host memory that two sides share. Each accessor's name carries its memory order. Offsets
 * are in bytes, naturally aligned. Thread-safe as far as the orders say; one writer a word.
 */
public final class SharedWords {

  private static final VarHandle LONG = JAVA_LONG.varHandle();
  private static final VarHandle INT = JAVA_INT.varHandle();

  private final MemorySegment memory;

  /** Wraps {@code memory}, which must stay alive as long as either side uses it. */
  public SharedWords(MemorySegment memory) {
    this.memory = memory;
  }

  public long address() {
    return memory.address();
  }

  public long bytes() {
    return memory.byteSize();
  }

  public long longPlain(long offset) {
    return (long) LONG.get(memory, offset);
  }

  public int intPlain(long offset) {
    return (int) INT.get(memory, offset);
  }

  public void putLongPlain(long offset, long value) {
    LONG.set(memory, offset, value);
  }

  public void putIntPlain(long offset, int value) {
    INT.set(memory, offset, value);
  }

  public long longAcquire(long offset) {
    return (long) LONG.getAcquire(memory, offset);
  }

  /** Read that takes part in the total order of fenced accesses. */
  public long longVolatile(long offset) {
    return (long) LONG.getVolatile(memory, offset);
  }

  public void putLongRelease(long offset, long value) {
    LONG.setRelease(memory, offset, value);
  }

  public void putIntRelease(long offset, int value) {
    INT.setRelease(memory, offset, value);
  }

  /** Release store followed by a full fence: no later load of this thread moves before it. */
  public void putLongFenced(long offset, long value) {
    LONG.setVolatile(memory, offset, value);
  }

  /** Adds and returns the value before; fully ordered. */
  public long addLong(long offset, long delta) {
    return (long) LONG.getAndAdd(memory, offset, delta);
  }

  /** Replaces {@code expected} by {@code value}; fully ordered. */
  public boolean compareAndSetLong(long offset, long expected, long value) {
    return LONG.compareAndSet(memory, offset, expected, value);
  }
}

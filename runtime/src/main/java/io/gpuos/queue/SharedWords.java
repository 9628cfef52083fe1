package io.gpuos.queue;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Words of host memory that two sides share. Each accessor's name carries its memory order. Offsets
 * are in bytes, naturally aligned. Thread-safe as far as the orders say; one writer a word.
 */
public final class SharedWords {

  private static final VarHandle LONG = JAVA_LONG.varHandle();
  private static final VarHandle INT = JAVA_INT.varHandle();
  private static final VarHandle SHORT = JAVA_SHORT.varHandle();

  /**
   * All of memory. A constant whose bounds and lifetime the compiler knows, so that an access is
   * one instruction; through the wrapped segment it would be a dozen, on the path of every task.
   */
  private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private final long base;

  /** Keeps what owns the memory from being collected. */
  private final MemorySegment memory;

  /**
   * Wraps {@code memory}, which belongs to the garbage collector: late callers may still look at it
   * after the device is closed.
   */
  public SharedWords(MemorySegment memory) {
    this.memory = memory;
    this.base = memory.address();
  }

  /** Native address of offset 0. */
  public long address() {
    return base;
  }

  /** Size in bytes; accesses beyond it are not checked. */
  public long bytes() {
    return memory.byteSize();
  }

  public long longPlain(long offset) {
    return (long) LONG.get(ALL, base + offset);
  }

  public int intPlain(long offset) {
    return (int) INT.get(ALL, base + offset);
  }

  public short shortPlain(long offset) {
    return (short) SHORT.get(ALL, base + offset);
  }

  public void putLongPlain(long offset, long value) {
    LONG.set(ALL, base + offset, value);
  }

  public void putIntPlain(long offset, int value) {
    INT.set(ALL, base + offset, value);
  }

  public long longAcquire(long offset) {
    return (long) LONG.getAcquire(ALL, base + offset);
  }

  /** Read that takes part in the total order of fenced accesses. */
  public long longVolatile(long offset) {
    return (long) LONG.getVolatile(ALL, base + offset);
  }

  public void putLongRelease(long offset, long value) {
    LONG.setRelease(ALL, base + offset, value);
  }

  public void putIntRelease(long offset, int value) {
    INT.setRelease(ALL, base + offset, value);
  }

  /** Release store followed by a full fence: no later load of this thread moves before it. */
  public void putLongFenced(long offset, long value) {
    LONG.setVolatile(ALL, base + offset, value);
  }

  /** Adds and returns the value before; fully ordered. */
  public long addLong(long offset, long delta) {
    return (long) LONG.getAndAdd(ALL, base + offset, delta);
  }

  /** Replaces {@code expected} by {@code value}; fully ordered. */
  public boolean compareAndSetLong(long offset, long expected, long value) {
    return LONG.compareAndSet(ALL, base + offset, expected, value);
  }
}

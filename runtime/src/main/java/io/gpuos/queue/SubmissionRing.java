package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import io.gpuos.error.ClosedException;
import io.gpuos.error.RingFullException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * The host's side of the submission ring. Any number of threads submit; results equal sequential
 * execution in sequence order.
 *
 * <p>A submission enters the ordering section (one compare-and-set), takes its sequences, registers
 * what it reads and writes, and leaves; then it writes its records and publishes them by their
 * stamps. Nothing on that path allocates, logs or calls the driver. A full ring is back-pressure:
 * {@link #trySubmit} says no, {@link #submit} waits a bounded time; nothing is ever dropped.
 */
public final class SubmissionRing {

  /** Returned by {@link #trySubmit} when the ring has no room. No sequence can be mistaken for it. */
  public static final boolean REFUSED = false;

  private static final VarHandle SECTION;

  static {
    try {
      SECTION = MethodHandles.lookup().findVarHandle(SubmissionRing.class, "section", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final RingMemory memory;
  private final SharedWords records;
  private final Lease lease;
  private final Completions completions;
  private final long fullWaitNanos;

  @SuppressWarnings("unused") // through SECTION: 0 open, 1 taken
  private int section;

  // Guarded by the ordering section; tail is also read outside it.
  private volatile long tail;
  private long completedThrough;
  private final Dependencies dependencies = new Dependencies();
  private volatile boolean closed;

  /**
   * @param memory laid out and shared with the workers
   * @param lease wakes the workers
   * @param completions of the same ring
   * @param fullWait how long {@link #submit} waits for room
   */
  public SubmissionRing(
      RingMemory memory, Lease lease, Completions completions, Duration fullWait) {
    this.memory = memory;
    this.records = memory.records();
    this.lease = lease;
    this.completions = completions;
    this.fullWaitNanos = fullWait.toNanos();
    this.tail = memory.firstSequence();
    this.completedThrough = memory.firstSequence() - 1;
  }

  /** The next sequence to be taken. */
  public long tail() {
    return tail;
  }

  /** Whether some submitted task is not complete. */
  public boolean outstanding() {
    return tail - 1 - completions.through() > 0;
  }

  /** Most tiles one submission may have, over all its invocations. */
  public int maxTiles() {
    return memory.capacity() / 2;
  }

  /**
   * Submits {@code invocation}, waiting for room if the ring is full.
   *
   * @return sequence of its last tile
   * @throws RingFullException if there is no room within the configured wait
   * @throws ClosedException if the ring is closed
   */
  public long submit(Invocation invocation) {
    int tiles = invocation.tiles;
    if (!enterWithRoom(tiles)) {
      awaitRoom(tiles);
    }
    return submitEntered(invocation, tiles);
  }

  /**
   * Submits {@code invocation} if the ring has room; otherwise changes nothing.
   *
   * @return whether it was submitted
   * @throws ClosedException if the ring is closed
   */
  public boolean trySubmit(Invocation invocation) {
    int tiles = invocation.tiles;
    if (!enterWithRoom(tiles)) {
      return REFUSED;
    }
    submitEntered(invocation, tiles);
    return true;
  }

  /**
   * Submits several invocations as one: no other thread's task comes between them.
   *
   * @param tiles sum of the invocations' tiles
   * @return sequence of the last tile of the last one
   */
  public long submit(Invocation[] invocations, int tiles) {
    if (!enterWithRoom(tiles)) {
      awaitRoom(tiles);
    }
    return submitEntered(invocations);
  }

  /** {@link #submit(Invocation[], int)} if the ring has room; otherwise changes nothing. */
  public boolean trySubmit(Invocation[] invocations, int tiles) {
    if (!enterWithRoom(tiles)) {
      return REFUSED;
    }
    submitEntered(invocations);
    return true;
  }

  /** Called inside the ordering section, which it leaves before it writes the records. */
  private long submitEntered(Invocation invocation, int tiles) {
    long first = tail;
    int after0;
    int after1;
    try {
      register(invocation, first, first + tiles - 1);
      // Distances for the first tile; each further tile is one further away from them.
      after0 = dependencies.after0(first);
      after1 = dependencies.after1(first);
      tail = first + tiles;
    } finally {
      leave();
    }
    publish(invocation, first, after0, after1);
    lease.wake();
    return first + tiles - 1;
  }

  /** Called inside the ordering section, which it keeps until all records are written. */
  private long submitEntered(Invocation[] invocations) {
    try {
      for (Invocation invocation : invocations) {
        long first = tail;
        register(invocation, first, first + invocation.tiles - 1);
        tail = first + invocation.tiles;
        publish(invocation, first, dependencies.after0(first), dependencies.after1(first));
      }
      return tail - 1;
    } finally {
      leave();
      lease.wake();
    }
  }

  /** Writes the records of claimed sequences {@code first} and following. */
  private void publish(Invocation invocation, long first, int after0, int after1) {
    int tiles = invocation.tiles;
    int written = 0;
    try {
      for (; written < tiles; written++) {
        write(invocation, written, first + written, after0, after1, written == tiles - 1);
      }
    } finally {
      if (written < tiles) {
        // This thread is failing between claim and publish: no later task may wait for it for ever.
        bury(invocation, written, first, after0, after1);
      }
    }
  }

  private void register(Invocation invocation, long first, long last) {
    long completed = completedThrough;
    dependencies.reset(completed);
    for (Access access : invocation.reads) {
      for (Region region : access.regions(completed)) {
        if (region.written) {
          dependencies.add(region.writeFirst, region.writeLast);
        }
      }
    }
    for (Access access : invocation.writes) {
      for (Region region : access.regions(completed)) {
        if (region.written) {
          dependencies.add(region.writeFirst, region.writeLast);
        }
        if (region.read) {
          dependencies.add(region.readFirst, region.readLast);
        }
      }
    }
    for (Access access : invocation.reads) {
      for (Region region : access.regions(completed)) {
        region.noteRead(first, last);
      }
    }
    for (Access access : invocation.writes) {
      for (Region region : access.regions(completed)) {
        region.noteWrite(first, last);
      }
    }
  }

  /** Writes one record: each sector's words before its stamp, the sequence last. */
  private void write(
      Invocation invocation, int tile, long sequence, int after0, int after1, boolean fenced) {
    long slot = memory.slot(sequence);
    long[] operands = invocation.operands;
    for (int k = 0; k < operands.length; k++) {
      records.putLongPlain(slot + TaskRecord.operand(k), invocation.operand(k, tile));
    }
    if (invocation.sectors >= 3) {
      records.putIntPlain(slot + TaskRecord.FIRST, invocation.first(tile));
    }
    int sectors = stamp(slot, sequence, tile, invocation.sectors, after0, after1);
    records.putIntPlain(slot + TaskRecord.LOGICAL_OPERATOR, invocation.operator);
    records.putIntPlain(slot + TaskRecord.SPACE, invocation.space);
    records.putIntPlain(slot + TaskRecord.COUNT, invocation.count(tile));
    records.putIntPlain(
        slot + TaskRecord.FLAGS, invocation.flags | sectors << TaskRecord.SECTORS_SHIFT);
    if (fenced) {
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
    } else {
      records.putLongRelease(slot + TaskRecord.SEQUENCE, sequence);
    }
  }

  /**
   * Writes what a tile waits for, and the stamps of the sectors after the first.
   *
   * @param needed sectors after the first that hold operands
   * @param after0 for the first tile; each further tile is one further away
   * @return sectors after the first that are in use
   */
  private int stamp(long slot, long sequence, int tile, int needed, int after0, int after1) {
    int sectors = Math.max(needed, after1 != 0 ? 2 : after0 != 0 ? 1 : 0);
    int distance = tile * 0x10001;
    if (sectors >= 1) {
      records.putIntPlain(slot + TaskRecord.AFTER_0, after0 == 0 ? 0 : after0 + distance);
      records.putIntRelease(slot + TaskRecord.STAMP_1, (int) sequence);
    }
    if (sectors >= 2) {
      records.putIntPlain(slot + TaskRecord.AFTER_1, after1 == 0 ? 0 : after1 + distance);
      records.putIntRelease(slot + TaskRecord.STAMP_2, (int) sequence);
    }
    if (sectors >= 3) {
      records.putIntRelease(slot + TaskRecord.STAMP_3, (int) sequence);
    }
    return sectors;
  }

  /**
   * Publishes records that do nothing for the tiles from {@code tile} on, so that what was claimed
   * is also completed. They still wait for what the tiles would have waited for: later tasks rely
   * on them for the order behind those.
   */
  private void bury(Invocation invocation, int tile, long first, int after0, int after1) {
    for (int k = tile; k < invocation.tiles; k++) {
      long slot = memory.slot(first + k);
      int sectors = stamp(slot, first + k, k, 0, after0, after1);
      records.putIntPlain(slot + TaskRecord.LOGICAL_OPERATOR, TaskRecord.OPERATOR_NOTHING);
      records.putIntPlain(slot + TaskRecord.COUNT, 0);
      records.putIntPlain(
          slot + TaskRecord.FLAGS, TaskRecord.FLAG_LINEAR | sectors << TaskRecord.SECTORS_SHIFT);
      records.putLongFenced(slot + TaskRecord.SEQUENCE, first + k);
    }
    lease.wake();
  }

  // ---- ordering section -----------------------------------------------------------------------

  private void enter() {
    int spins = 0;
    while (!SECTION.weakCompareAndSetAcquire(this, 0, 1)) {
      // The section is a few dozen nanoseconds long; only a descheduled holder makes it longer.
      if (++spins < 200) {
        Thread.onSpinWait();
      } else {
        Thread.yield();
      }
    }
  }

  private void leave() {
    SECTION.setRelease(this, 0);
  }

  /** Enters if {@code tiles} records fit; otherwise stays outside and returns false. */
  private boolean enterWithRoom(int tiles) {
    if (tiles > maxTiles()) {
      throw new IllegalArgumentException(
          "too many tiles: tiles=" + tiles + ", expected=at most " + maxTiles());
    }
    enter();
    if (closed) {
      leave();
      completions.throwIfFailed();
      throw new ClosedException("runtime closed: expected=an open runtime; open a new one");
    }
    long last = tail + tiles - 1;
    if (last - completedThrough > memory.capacity()) {
      completedThrough = completions.through();
      if (last - completedThrough > memory.capacity()) {
        leave();
        return false;
      }
    }
    return true;
  }

  private void awaitRoom(int tiles) {
    long deadline = System.nanoTime() + fullWaitNanos;
    for (int rounds = 0; !enterWithRoom(tiles); rounds++) {
      completions.throwIfFailed();
      lease.wake();
      if (rounds < 1000) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(this, 20_000);
      }
      if (System.nanoTime() - deadline > 0) {
        throw new RingFullException(
            "ring full: capacity=%d, waited_ms=%d, expected=room for %d; wait for results or open the runtime with a larger ring"
                .formatted(memory.capacity(), fullWaitNanos / 1_000_000, tiles));
      }
    }
  }

  // ---- memory that leaves or enters the tasks' world -------------------------------------------

  /**
   * Waits until no submitted task uses {@code access} in conflict with a host read, or with a host
   * write if {@code forWrite}.
   *
   * @return false if the deadline passed first
   */
  public boolean awaitAccess(Access access, boolean forWrite, long deadlineNanos) {
    long last;
    enter();
    try {
      completedThrough = completions.through();
      last = completedThrough;
      for (Region region : access.regions(completedThrough)) {
        if (region.written && region.writeLast - last > 0) {
          last = region.writeLast;
        }
        if (forWrite && region.read && region.readLast - last > 0) {
          last = region.readLast;
        }
      }
    } finally {
      leave();
    }
    return awaitThroughConflicts(last, deadlineNanos);
  }

  private boolean awaitThroughConflicts(long last, long deadlineNanos) {
    long from = completions.through() + 1;
    return from - last > 0 || completions.await(from, last, deadlineNanos);
  }

  /** A sequence before which nothing was submitted; always complete. */
  public long beforeAll() {
    return memory.firstSequence() - 1;
  }

  /** The tasks that use any byte of {@code map} and are not complete yet. */
  public Uses uses(RegionMap map) {
    enter();
    try {
      return map.uses(completions.through());
    } finally {
      leave();
    }
  }

  /** A history for memory that the tasks {@code uses} may still be using. */
  public RegionMap reuse(long bytes, Uses uses) {
    RegionMap map = new RegionMap(bytes);
    Uses remaining = uses.after(completions.through());
    if (remaining.any()) {
      map.inherit(remaining);
    }
    return map;
  }

  /** Waits until everything submitted so far is complete; false if the deadline passed first. */
  public boolean awaitAll(long deadlineNanos) {
    return awaitThroughConflicts(tail - 1, deadlineNanos);
  }

  /** Refuses every later submission. Tasks already submitted are still completed. */
  public void close() {
    enter();
    closed = true;
    leave();
  }
}

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

  /**
   * Returned by {@link #trySubmit} when the ring has no room. No sequence can be mistaken for it.
   */
  public static final boolean REFUSED = false;

  /** Invocations that {@link #submitAll} submits in one stay in the ordering section. */
  private static final int GROUP = 32;

  private static final VarHandle SECTION;
  private static final VarHandle TAIL;

  static {
    try {
      SECTION = MethodHandles.lookup().findVarHandle(SubmissionRing.class, "section", int.class);
      TAIL = MethodHandles.lookup().findVarHandle(SubmissionRing.class, "tail", long.class);
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

  // Guarded by the ordering section. Read outside it through TAIL, and written with release, which
  // unlike a volatile write costs no fence.
  private long tail;

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
    return (long) TAIL.getAcquire(this);
  }

  /** Whether some submitted task is not complete. */
  public boolean outstanding() {
    return tail() - 1 - completions.through() > 0;
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
      TAIL.setRelease(this, first + tiles);
    } finally {
      leave();
    }
    publish(invocation, first, after0, after1, true);
    lease.wake();
    return first + tiles - 1;
  }

  /** Called inside the ordering section, which it keeps until all records are written. */
  private long submitEntered(Invocation[] invocations) {
    try {
      return submitRange(invocations, 0, invocations.length);
    } finally {
      leave();
      lease.wake();
    }
  }

  /** Inside the ordering section. The last record is published with a fence. */
  private long submitRange(Invocation[] invocations, int from, int to) {
    for (int k = from; k < to; k++) {
      Invocation invocation = invocations[k];
      long first = tail;
      register(invocation, first, first + invocation.tiles - 1);
      TAIL.setRelease(this, first + invocation.tiles);
      int after0 = dependencies.after0(first);
      publish(invocation, first, after0, dependencies.after1(first), k == to - 1);
    }
    return tail - 1;
  }

  /**
   * Submits many invocations in order, a few dozen at a time: cheaper than one by one, because a
   * group shares the ordering section and the fence. Tasks of other threads may come between
   * groups.
   *
   * @return sequence of the last tile of the last one
   * @throws RingFullException if there is no room within the configured wait; what was submitted
   *     before stays submitted
   */
  public long submitAll(Invocation[] invocations) {
    long last = beforeAll();
    for (int from = 0; from < invocations.length; ) {
      int to = from;
      int tiles = 0;
      do {
        tiles += invocations[to++].tiles;
      } while (to < invocations.length
          && to - from < GROUP
          && tiles + invocations[to].tiles <= maxTiles());
      if (!enterWithRoom(tiles)) {
        awaitRoom(tiles);
      }
      try {
        last = submitRange(invocations, from, to);
      } finally {
        leave();
      }
      lease.wake();
      from = to;
    }
    return last;
  }

  /** Writes the records of claimed sequences {@code first} and following. */
  private void publish(Invocation invocation, long first, int after0, int after1, boolean fenced) {
    int tiles = invocation.tiles;
    int written = 0;
    try {
      write(invocation, invocation.image, 0, first, after0, after1, fenced && tiles == 1);
      written = 1;
      if (tiles > 1) {
        long[] image = invocation.image.clone();
        for (; written < tiles; written++) {
          invocation.moveTo(written, image);
          boolean last = written == tiles - 1;
          write(invocation, image, written, first + written, after0, after1, fenced && last);
        }
      }
    } finally {
      if (written < tiles) {
        // This thread is failing between claim and publish: no later task may wait for it.
        bury(first + written, first + tiles - 1);
      }
    }
  }

  private void register(Invocation invocation, long first, long last) {
    dependencies.reset(completedThrough);
    if (!invocation.isResolved()) {
      invocation.resolve(completedThrough);
    }
    if (!invocation.simple) {
      registerRegions(invocation, first, last);
      return;
    }
    RegionMap[] maps = invocation.maps;
    int[] resolved = invocation.resolved;
    int reads = invocation.reads.length;
    for (int k = 0; k < reads; k++) {
      maps[k].dependRead(resolved[2 * k], dependencies);
    }
    for (int k = reads; k < maps.length; k++) {
      maps[k].dependWrite(resolved[2 * k], dependencies);
    }
    for (int k = 0; k < reads; k++) {
      maps[k].noteRead(resolved[2 * k], first, last);
    }
    for (int k = reads; k < maps.length; k++) {
      maps[k].noteWrite(resolved[2 * k], first, last);
    }
  }

  /** The same for operands of several regions, or none. */
  private void registerRegions(Invocation invocation, long first, long last) {
    long completed = completedThrough;
    for (Access access : invocation.reads) {
      for (int offset : access.offsets(completed)) {
        access.map().dependRead(offset, dependencies);
      }
    }
    for (Access access : invocation.writes) {
      for (int offset : access.offsets(completed)) {
        access.map().dependWrite(offset, dependencies);
      }
    }
    for (Access access : invocation.reads) {
      for (int offset : access.offsets(completed)) {
        access.map().noteRead(offset, first, last);
      }
    }
    for (Access access : invocation.writes) {
      for (int offset : access.offsets(completed)) {
        access.map().noteWrite(offset, first, last);
      }
    }
  }

  /**
   * Writes one record: each sector's words before its stamp, the sequence last.
   *
   * @param image the tile's record, without stamps and dependencies
   * @param after0 dependencies of the first tile; this one is {@code tile} further away from them
   * @param fenced whether a full fence follows the publication
   */
  private void write(
      Invocation invocation,
      long[] image,
      int tile,
      long sequence,
      int after0,
      int after1,
      boolean fenced) {
    long slot = memory.slot(sequence);
    long stamp = sequence & 0xffffffffL;
    int sectors = invocation.sectors;
    if (after0 != 0) {
      sectors = Math.max(sectors, after1 != 0 ? 2 : 1);
    }
    if (sectors >= 1) {
      if (sectors >= 2) {
        if (sectors >= 3) {
          putOperands(slot + TaskRecord.STAMP_3, image, 13);
          long position = (long) invocation.first(tile) << 32;
          records.putLongRelease(slot + TaskRecord.STAMP_3, position | stamp);
        }
        putOperands(slot + TaskRecord.STAMP_2, image, 9);
        records.putLongRelease(slot + TaskRecord.STAMP_2, shifted(after1, tile) << 32 | stamp);
      }
      putOperands(slot + TaskRecord.STAMP_1, image, 5);
      records.putLongRelease(slot + TaskRecord.STAMP_1, shifted(after0, tile) << 32 | stamp);
    }
    long flags = (long) sectors << TaskRecord.SECTORS_SHIFT + 32;
    records.putLongPlain(slot + TaskRecord.LOGICAL_OPERATOR, image[1]);
    records.putLongPlain(slot + TaskRecord.COUNT, image[2] | flags);
    records.putLongPlain(slot + TaskRecord.operand(0), image[3]);
    if (fenced) {
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
    } else {
      records.putLongRelease(slot + TaskRecord.SEQUENCE, sequence);
    }
  }

  /** The three operands of a sector, which follow its stamp; none if only dependencies need it. */
  private void putOperands(long sector, long[] image, int word) {
    if (word >= image.length) {
      return;
    }
    records.putLongPlain(sector + 8, image[word]);
    records.putLongPlain(sector + 16, image[word + 1]);
    records.putLongPlain(sector + 24, image[word + 2]);
  }

  private static long shifted(int after, int tile) {
    return after == 0 ? 0 : Integer.toUnsignedLong(after + tile * 0x10001);
  }

  /** Publishes records that do nothing, so that what was claimed is also completed. */
  private void bury(long first, long last) {
    for (long sequence = first; sequence - last <= 0; sequence++) {
      long slot = memory.slot(sequence);
      records.putIntPlain(slot + TaskRecord.LOGICAL_OPERATOR, TaskRecord.OPERATOR_NOTHING);
      records.putIntPlain(slot + TaskRecord.COUNT, 0);
      records.putIntPlain(slot + TaskRecord.FLAGS, TaskRecord.FLAG_LINEAR);
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
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
      RegionMap map = access.map();
      for (int offset : access.offsets(completedThrough)) {
        last = later(last, map.state[offset + RegionMap.WRITE_LAST]);
        if (forWrite) {
          last = later(last, map.state[offset + RegionMap.READ_LAST]);
        }
      }
    } finally {
      leave();
    }
    return awaitThroughConflicts(last, deadlineNanos);
  }

  private static long later(long a, long b) {
    return a - b > 0 ? a : b;
  }

  private boolean awaitThroughConflicts(long last, long deadlineNanos) {
    long from = completions.through() + 1;
    return from - last > 0 || completions.await(from, last, deadlineNanos);
  }

  /** A sequence before which nothing was submitted: the last use of fresh memory. */
  public long beforeAll() {
    return memory.firstSequence() - 1;
  }

  /** Last sequence that used any byte of {@code map}. */
  public long lastUse(RegionMap map) {
    enter();
    try {
      return map.lastUse();
    } finally {
      leave();
    }
  }

  /** A history for {@code bytes} bytes that tasks up to {@code lastUse} may still be using. */
  public RegionMap history(long bytes, long lastUse) {
    return new RegionMap(bytes, lastUse);
  }

  /** Waits until everything submitted so far is complete; false if the deadline passed first. */
  public boolean awaitAll(long deadlineNanos) {
    return awaitThroughConflicts(tail() - 1, deadlineNanos);
  }

  /** Refuses every later submission. Tasks already submitted are still completed. */
  public void close() {
    enter();
    closed = true;
    leave();
  }
}

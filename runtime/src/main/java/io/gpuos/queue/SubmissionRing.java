package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import io.gpuos.error.ClosedException;
import io.gpuos.error.RingFullException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

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

  /** Invocations of a batch that {@link #submitAll} submits in one stay in the section. */
  private static final int GROUP = 32;

  /** Invocations of an analysed batch between two looks whether the workers are awake. */
  private static final int WAKE_EVERY = 256;

  /**
   * Image of a record without a task: {@link TaskRecord#OPERATOR_NOTHING}, linear, no positions.
   */
  private static final long[] NOTHING = nothing();

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

  private static long[] nothing() {
    long[] image = new long[TaskRecord.BYTES / Long.BYTES];
    image[TaskRecord.COUNT / Long.BYTES] = (long) TaskRecord.FLAG_LINEAR << 32;
    return image;
  }

  private final RingMemory memory;
  private final RecordWriter writer;
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

  // A batch whose accesses are not registered yet, see settle(); guarded by the section.
  private AnalysedBatch unregistered;
  private long unregisteredFirst;

  private volatile boolean closed;

  /** Segments of the programs that may be submitted; for messages. */
  private final Set<Segments> programs = ConcurrentHashMap.newKeySet();

  /**
   * @param memory laid out and shared with the workers
   * @param lease wakes the workers
   * @param completions of the same ring
   * @param fullWait how long {@link #submit} waits for room
   */
  public SubmissionRing(
      RingMemory memory, Lease lease, Completions completions, Duration fullWait) {
    this.memory = memory;
    this.writer = new RecordWriter(memory);
    this.lease = lease;
    this.completions = completions;
    this.fullWaitNanos = fullWait.toNanos();
    this.tail = memory.firstSequence();
    this.completedThrough = memory.firstSequence() - 1;
    // Not close(): whoever reports the failure may be inside the section.
    completions.whenFailed(() -> closed = true);
  }

  /** The next sequence to be taken. */
  public long tail() {
    return (long) TAIL.getAcquire(this);
  }

  /**
   * Sequence of the last task so far. Unlike {@link #tail}, once nobody is between finding an
   * invocation open and taking its sequences: whatever refers to something unreachable is at most
   * this old.
   */
  public long lastSequence() {
    enter();
    long last = tail - 1;
    leave();
    return last;
  }

  /** Makes the operators of these segments known to messages, until {@link #forget}. */
  public void know(Segments segments) {
    programs.add(segments);
  }

  /** The program is not submitted any more. */
  public void forget(Segments segments) {
    programs.remove(segments);
  }

  /** Logical operators of the segment whose nodes begin at {@code address}; empty if unknown. */
  int[] operatorsAt(long address) {
    for (Segments segments : programs) {
      int[] operators = segments.operatorsAt(address);
      if (operators != null) {
        return operators;
      }
    }
    return new int[0];
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
   * @throws ClosedException if the ring or the invocation is closed
   * @throws io.gpuos.error.DeviceFaultException if the device has failed
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
   * @throws ClosedException if the ring or the invocation is closed
   */
  public boolean trySubmit(Invocation invocation) {
    int tiles = invocation.tiles;
    if (!enterWithRoom(tiles)) {
      return false;
    }
    submitEntered(invocation, tiles);
    return true;
  }

  /**
   * Submits several invocations as one: no other thread's task comes between them.
   *
   * @param tiles sum of the invocations' tiles
   * @return sequence of the last tile of the last one
   * @throws ClosedException if the ring or an invocation is closed
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
      return false;
    }
    submitEntered(invocations);
    return true;
  }

  /**
   * {@link #submit(Invocation[], int)} if the ring has room; otherwise, or if there are more than
   * {@link #maxTiles}, changes nothing.
   *
   * @return sequence of the last tile of the last one; {@link #beforeAll} if nothing was submitted
   */
  public long submitIfRoom(Invocation[] invocations, int tiles) {
    if (tiles > maxTiles() || !enterWithRoom(tiles)) {
      return beforeAll();
    }
    return submitEntered(invocations);
  }

  /** Called inside the ordering section, which it leaves before it writes the records. */
  private long submitEntered(Invocation invocation, int tiles) {
    long first = tail;
    int after0;
    int after1;
    try {
      requireOpen(invocation.closed);
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
      for (Invocation invocation : invocations) {
        requireOpen(invocation.closed);
      }
      return submitRange(invocations, 0, invocations.length);
    } finally {
      leave();
      lease.wake();
    }
  }

  /**
   * Submits a batch whose inner dependencies are known. While nothing else is outstanding, that is
   * all there is to know: nothing is registered, and each task costs little more than its record.
   * Otherwise as {@link #submitAll}.
   *
   * @return sequence of the last tile of the last invocation
   * @throws ClosedException if the ring or the batch is closed; what was submitted before stays
   *     submitted
   */
  public long submit(AnalysedBatch batch) {
    if (batch.records > memory.capacity()) {
      return submitAll(batch);
    }
    enterOpen();
    long first = tail;
    completedThrough = completions.through();
    if (batch.closed || first - 1 - completedThrough > 0) {
      leave();
      return submitAll(batch);
    }
    unregistered = batch;
    unregisteredFirst = first;
    TAIL.setRelease(this, first + batch.records);
    leave();
    publish(batch, first);
    return first + batch.records - 1;
  }

  /**
   * Submits a replay of a program as one: no other thread's task comes between its segments. What
   * it reads and writes is registered for all of them together.
   *
   * @return sequence of the last segment; one long complete if there is none
   * @throws RingFullException if there is no room within the configured wait
   * @throws ClosedException if the ring or the batch is closed
   */
  public long submit(SegmentBatch batch) {
    int count = batch.segments.count;
    if (count == 0) {
      return beforeAll();
    }
    if (!enterWithRoom(count)) {
      awaitRoom(count);
    }
    long first = tail;
    int after0;
    int after1;
    try {
      requireOpen(batch.closed);
      completedThrough = completions.through();
      register(batch, first, first + count - 1);
      after0 = dependencies.after0(first);
      after1 = dependencies.after1(first);
      TAIL.setRelease(this, first + count);
    } finally {
      leave();
    }
    publish(batch, first, after0, after1);
    return first + count - 1;
  }

  /** Writes first: a read of what the same tasks write is then no reason to wait for the hull. */
  private void register(SegmentBatch batch, long first, long last) {
    long completed = completedThrough;
    dependencies.reset(completed);
    for (Access access : batch.writes) {
      for (int offset : access.offsets(completed)) {
        access.map().write(offset, first, last, completed, dependencies);
      }
    }
    for (Access access : batch.reads) {
      for (int offset : access.offsets(completed)) {
        access.map().read(offset, first, last, completed, dependencies);
      }
    }
  }

  private void publish(SegmentBatch batch, long first, int after0, int after1) {
    int count = batch.segments.count;
    int written = 0;
    try {
      while (written < count) {
        int end = Math.min(written + WAKE_EVERY, count);
        for (; written < end; written++) {
          writer.writeSegment(batch, written, first, after0, after1, true, written == end - 1);
        }
        lease.wake();
      }
    } finally {
      if (written < count) {
        // As bury() does.
        for (; written < count; written++) {
          writer.writeSegment(batch, written, first, after0, after1, false, true);
        }
        lease.wake();
      }
    }
  }

  private void publish(AnalysedBatch batch, long first) {
    int records = batch.records;
    int written = 0;
    try {
      while (written < records) {
        int end = Math.min(written + WAKE_EVERY, records);
        for (; written < end; written++) {
          int at = written * batch.stride;
          writer.writeImage(
              batch.images, at, first + written, batch.images[at + 1], written == end - 1);
        }
        // Between groups, so that parked workers start while the rest is being written.
        lease.wake();
      }
    } finally {
      if (written < records) {
        for (; written < records; written++) {
          // Nothing to run, but the same tasks to wait for, see bury().
          writer.writeImage(batch.images, written * batch.stride, first + written, 0, true);
        }
        lease.wake();
      }
    }
  }

  /**
   * Registers what an analysed batch reads and writes, if it is still running: its submission left
   * that for whoever comes next, which under a submit-and-wait rhythm is nobody.
   */
  private void settle() {
    AnalysedBatch batch = unregistered;
    if (batch == null) {
      return;
    }
    completedThrough = completions.through();
    long first = unregisteredFirst;
    if (first + batch.records - 1 - completedThrough > 0) {
      for (Invocation invocation : batch.invocations) {
        register(invocation, first, first + invocation.tiles - 1);
        first += invocation.tiles;
      }
    }
    // Last: should registering fail, whoever comes next tries again, which does no harm.
    unregistered = null;
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
   * Submits a batch in order, a few dozen invocations at a time: cheaper than one by one, because a
   * group shares the ordering section and the fence. Tasks of other threads may come between
   * groups.
   *
   * @return sequence of the last tile of the last one
   * @throws RingFullException if there is no room within the configured wait; what was submitted
   *     before stays submitted
   */
  private long submitAll(AnalysedBatch batch) {
    Invocation[] invocations = batch.invocations;
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
        requireOpen(batch.closed);
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
      writer.write(invocation, invocation.image, 0, first, after0, after1, fenced && tiles == 1);
      written = 1;
      if (tiles > 1) {
        long[][] images = invocation.tileImages();
        for (; written < tiles; written++) {
          boolean last = written == tiles - 1;
          writer.write(
              invocation,
              images[written],
              written,
              first + written,
              after0,
              after1,
              fenced && last);
        }
      }
    } finally {
      if (written < tiles) {
        // This thread is failing between claim and publish: no later task may wait for it for ever.
        bury(invocation, written, first, after0, after1);
      }
    }
  }

  /** Notes what the tasks {@code first..last} read and write, and collects what they wait for. */
  private void register(Invocation invocation, long first, long last) {
    long completed = completedThrough;
    dependencies.reset(completed);
    if (!invocation.isResolved()) {
      invocation.resolve(completed);
    }
    RegionMap[] maps = invocation.maps;
    int[] resolved = invocation.resolved;
    int reads = invocation.reads.length;
    if (!invocation.simple) {
      registerRegions(invocation, first, last, completed);
      return;
    }
    for (int k = 0; k < reads; k++) {
      maps[k].read(resolved[2 * k], first, last, completed, dependencies);
    }
    for (int k = reads; k < maps.length; k++) {
      maps[k].write(resolved[2 * k], first, last, completed, dependencies);
    }
  }

  /** The same for operands of several regions, or none. */
  private void registerRegions(Invocation invocation, long first, long last, long completed) {
    for (Access access : invocation.reads) {
      for (int offset : access.offsets(completed)) {
        access.map().read(offset, first, last, completed, dependencies);
      }
    }
    for (Access access : invocation.writes) {
      for (int offset : access.offsets(completed)) {
        access.map().write(offset, first, last, completed, dependencies);
      }
    }
  }

  /**
   * Publishes records that do nothing for the tiles from {@code tile} on, so that what was claimed
   * is also completed. They still wait for what the tiles would have waited for: later tasks rely
   * on them for the order behind those.
   */
  private void bury(Invocation invocation, int tile, long first, int after0, int after1) {
    for (int k = tile; k < invocation.tiles; k++) {
      writer.write(invocation, NOTHING, k, first + k, after0, after1, true);
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
    enterOpen();
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

  /** Enters, with everything registered that was submitted. */
  private void enterOpen() {
    enter();
    if (closed) {
      leave();
      completions.throwIfFailed();
      throw new ClosedException("runtime closed: ring=closed, expected=an open runtime");
    }
    try {
      settle();
    } catch (Throwable failure) {
      leave();
      throw failure;
    }
  }

  private void awaitRoom(int tiles) {
    long deadline = System.nanoTime() + fullWaitNanos;
    try (Naps naps = new Naps()) {
      for (int rounds = 0; !enterWithRoom(tiles); rounds++) {
        completions.throwIfFailed();
        lease.wake();
        if (rounds < 1000) {
          Thread.onSpinWait();
        } else {
          naps.nap(this, 20_000);
        }
        if (System.nanoTime() - deadline > 0) {
          throw new RingFullException(
              String.format(
                  Locale.ROOT,
                  "ring full: capacity=%d, waited_ms=%d, expected=room for %d; wait for results or open the runtime with a larger ring",
                  memory.capacity(),
                  fullWaitNanos / 1_000_000,
                  tiles));
        }
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
    Uses uses = Uses.NONE;
    enter();
    try {
      settle();
      completedThrough = completions.through();
      for (int offset : access.offsets(completedThrough)) {
        uses = access.map().usesOf(offset, forWrite, completedThrough, uses);
      }
    } finally {
      leave();
    }
    return !uses.any() || completions.await(uses.first(), uses.last(), deadlineNanos);
  }

  /** A sequence before which nothing was submitted; always complete. */
  public long beforeAll() {
    return memory.firstSequence() - 1;
  }

  /** The tasks that use any byte of {@code map} and are not complete yet. */
  public Uses uses(RegionMap map) {
    enter();
    try {
      settle();
      return map.uses(completions.through());
    } finally {
      leave();
    }
  }

  /** A history for {@code bytes} bytes that the tasks {@code uses} may still be using. */
  public RegionMap reuse(long bytes, Uses uses) {
    RegionMap map = new RegionMap(bytes, beforeAll());
    Uses remaining = uses.after(completions.through());
    if (remaining.any()) {
      map.inherit(remaining);
    }
    return map;
  }

  /** Waits until everything submitted so far is complete; false if the deadline passed first. */
  public boolean awaitAll(long deadlineNanos) {
    long from = completions.through() + 1;
    long last = tail() - 1;
    return from - last > 0 || completions.await(from, last, deadlineNanos);
  }

  /**
   * Refuses every later submission of {@code invocations} by themselves; batches that hold them
   * have their own end. Whoever submits meanwhile has registered its tasks when this returns, or is
   * refused: the memory that the invocations name may then be given back.
   */
  public void close(Invocation[] invocations) {
    enter();
    for (Invocation invocation : invocations) {
      invocation.closed = true;
    }
    leave();
  }

  /** Refuses every later submission of {@code batch}; as {@link #close(Invocation[])}. */
  public void close(AnalysedBatch batch) {
    enter();
    batch.closed = true;
    leave();
  }

  /** Refuses every later submission of {@code batch}; as {@link #close(Invocation[])}. */
  public void close(SegmentBatch batch) {
    enter();
    batch.closed = true;
    leave();
  }

  /** Inside the ordering section, which decides between a submission and an end. */
  private static void requireOpen(boolean ended) {
    if (ended) {
      throw new ClosedException(
          "call or batch closed: submitted=after close, expected=an open one");
    }
  }

  /** Refuses every later submission. Tasks already submitted are still completed. */
  public void close() {
    enter();
    closed = true;
    leave();
  }
}

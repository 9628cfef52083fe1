package io.gpuos.queue;

import java.util.Arrays;

/**
 * Access history of one allocation: disjoint regions in address order that cover it. Regions are
 * split where a view begins or ends, so that any view is a union of whole regions, and views that
 * do not overlap never share one. Guarded by the ring's ordering section.
 *
 * <p>A region's history is four longs of {@link #state}, at an offset that never changes while the
 * {@link #version} stays the same: the closed ranges of sequences of its last write and of the
 * reads since. Ranges, because one operation may be several tiles and a write must wait for every
 * reader. A region without reads since its last write has a last read that is not after the last
 * write. Neighbours in memory are neighbours in the array, which is what makes registering a task
 * cheap.
 */
public final class RegionMap {

  static final int WRITE_FIRST = 0;
  static final int WRITE_LAST = 1;
  static final int READ_FIRST = 2;
  static final int READ_LAST = 3;

  /** Longs of state a region has. */
  private static final int STATE = 4;

  /** With more regions than this, a quiet map is folded back into one; doubles with each fold. */
  private static final int FOLD_ABOVE = 4096;

  private final long bytes;
  private final long past;
  private long[] begins = new long[1];
  private int[] offsets = new int[1];
  private int count = 1;
  private int foldAbove = FOLD_ABOVE;

  /** Histories; see {@link #resolve} for the offsets. */
  long[] state = new long[STATE];

  /** Changes whenever what {@link #resolve} returned before may no longer hold. */
  int version;

  /**
   * History of an allocation.
   *
   * @param bytes its size, at least 1
   * @param past a sequence whose task, and those before it, may still use the memory; later
   *     accesses wait for it
   */
  public RegionMap(long bytes, long past) {
    this.bytes = bytes;
    this.past = past;
    Arrays.fill(state, past);
  }

  /** Size of the allocation in bytes. */
  public long bytes() {
    return bytes;
  }

  /** Number of regions. */
  int regions() {
    return count;
  }

  /**
   * Offsets in {@link #state} of the regions that make up {@code [begin, end)}, splitting where
   * needed. Valid while {@link #version} stays the same.
   *
   * @param completedThrough everything up to this sequence is complete
   */
  int[] resolve(long begin, long end, long completedThrough) {
    if (begin == end) {
      return new int[0];
    }
    if (count > foldAbove) {
      foldIfQuiet(completedThrough);
    }
    int first = splitAt(begin);
    int last = end == bytes ? count : splitAt(end);
    return Arrays.copyOfRange(offsets, first, last);
  }

  /**
   * Makes {@code position} a region boundary; returns the index of the region that begins there.
   */
  private int splitAt(long position) {
    int found = Arrays.binarySearch(begins, 0, count, position);
    if (found >= 0) {
      return found;
    }
    int index = -found - 1;
    insert(index, position, offsets[index - 1]);
    version++;
    return index;
  }

  /** Inserts a region with the same history as that at {@code from}. */
  private void insert(int index, long begin, int from) {
    if (count == begins.length) {
      begins = Arrays.copyOf(begins, 2 * count);
      offsets = Arrays.copyOf(offsets, 2 * count);
      state = Arrays.copyOf(state, 2 * count * STATE);
    }
    System.arraycopy(begins, index, begins, index + 1, count - index);
    System.arraycopy(offsets, index, offsets, index + 1, count - index);
    int offset = count * STATE;
    System.arraycopy(state, from, state, offset, STATE);
    begins[index] = begin;
    offsets[index] = offset;
    count++;
  }

  private void foldIfQuiet(long completedThrough) {
    if (lastUse() - completedThrough > 0) {
      return;
    }
    begins[0] = 0;
    offsets[0] = 0;
    count = 1;
    Arrays.fill(state, 0, STATE, past);
    foldAbove *= 2;
    version++;
  }

  /** Last sequence that read or wrote any byte; the past if none did. */
  long lastUse() {
    long last = past;
    for (int k = 0; k < count * STATE; k += STATE) {
      last = later(last, later(state[k + WRITE_LAST], state[k + READ_LAST]));
    }
    return last;
  }

  private static long later(long a, long b) {
    return a - b > 0 ? a : b;
  }

  /** Adds the tasks a reader of the region at {@code offset} waits for. */
  void dependRead(int offset, Dependencies dependencies) {
    dependencies.add(state[offset + WRITE_FIRST], state[offset + WRITE_LAST]);
  }

  /** Adds the tasks a writer of the region at {@code offset} waits for. */
  void dependWrite(int offset, Dependencies dependencies) {
    long writeLast = state[offset + WRITE_LAST];
    dependencies.add(state[offset + WRITE_FIRST], writeLast);
    long readLast = state[offset + READ_LAST];
    if (readLast - writeLast > 0) {
      dependencies.add(state[offset + READ_FIRST], readLast);
    }
  }

  /** The tasks {@code first..last} read the region at {@code offset}. */
  void noteRead(int offset, long first, long last) {
    if (state[offset + READ_LAST] - state[offset + WRITE_LAST] <= 0) {
      state[offset + READ_FIRST] = first;
    }
    state[offset + READ_LAST] = last;
  }

  /** The tasks {@code first..last} write the region at {@code offset}. */
  void noteWrite(int offset, long first, long last) {
    state[offset + WRITE_FIRST] = first;
    state[offset + WRITE_LAST] = last;
    state[offset + READ_LAST] = last;
  }
}

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

  /** With more regions than this, a quiet map is folded back into one; doubles with each try. */
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

  /** Looks at every region, so it is tried again only after the map has doubled. */
  private void foldIfQuiet(long completedThrough) {
    foldAbove = 2 * count;
    if (uses(completedThrough).any()) {
      return;
    }
    begins[0] = 0;
    offsets[0] = 0;
    count = 1;
    Arrays.fill(state, 0, STATE, past);
    version++;
  }

  /** The tasks after {@code completedThrough} that read or write any byte. */
  Uses uses(long completedThrough) {
    Uses uses = Uses.NONE;
    for (int k = 0; k < count * STATE; k += STATE) {
      uses = usesOf(k, true, completedThrough, uses);
    }
    return uses.after(completedThrough);
  }

  /**
   * {@code uses} and those of the region at {@code offset} that are not complete.
   *
   * @param reads whether its readers count, or its writers alone
   */
  Uses usesOf(int offset, boolean reads, long completedThrough, Uses uses) {
    Uses all = uses;
    long writeLast = state[offset + WRITE_LAST];
    if (writeLast - completedThrough > 0) {
      all = all.and(state[offset + WRITE_FIRST], writeLast);
    }
    long readLast = state[offset + READ_LAST];
    if (reads && readLast - completedThrough > 0 && readLast - writeLast > 0) {
      all = all.and(state[offset + READ_FIRST], readLast);
    }
    return all.after(completedThrough);
  }

  /** Makes every later access wait for the tasks {@code uses}: memory given anew. */
  void inherit(Uses uses) {
    for (int k = 0; k < count * STATE; k += STATE) {
      state[k + WRITE_FIRST] = uses.first();
      state[k + WRITE_LAST] = uses.last();
      state[k + READ_LAST] = uses.last();
    }
  }

  /**
   * The tasks {@code first..last} read the region at {@code offset}: adds what they wait for, and
   * notes them.
   */
  void read(int offset, long first, long last, long completedThrough, Dependencies dependencies) {
    long[] words = state;
    long writeLast = words[offset + WRITE_LAST];
    if (writeLast - completedThrough > 0) {
      addBefore(first, words[offset + WRITE_FIRST], writeLast, dependencies);
    }
    if (words[offset + READ_LAST] - writeLast <= 0) {
      words[offset + READ_FIRST] = first;
    }
    words[offset + READ_LAST] = last;
  }

  /** The tasks {@code first..last} write the region at {@code offset}; as {@link #read}. */
  void write(int offset, long first, long last, long completedThrough, Dependencies dependencies) {
    long[] words = state;
    long writeLast = words[offset + WRITE_LAST];
    if (writeLast - completedThrough > 0) {
      addBefore(first, words[offset + WRITE_FIRST], writeLast, dependencies);
    }
    long readLast = words[offset + READ_LAST];
    if (readLast - completedThrough > 0 && readLast - writeLast > 0) {
      addBefore(first, words[offset + READ_FIRST], readLast, dependencies);
    }
    words[offset + WRITE_FIRST] = first;
    words[offset + WRITE_LAST] = last;
    words[offset + READ_LAST] = last;
  }

  /**
   * Adds the tasks {@code from..to} that come before {@code first}: another operand of the same
   * tasks may have noted them here already.
   */
  private static void addBefore(long first, long from, long to, Dependencies dependencies) {
    long end = to - first >= 0 ? first - 1 : to;
    if (end - from >= 0) {
      dependencies.add(from, end);
    }
  }
}

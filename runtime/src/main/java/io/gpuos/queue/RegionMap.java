package io.gpuos.queue;

import java.util.ArrayList;
import java.util.List;

/**
 * Access history of one allocation: disjoint regions in address order that cover it. Regions are
 * split where a view begins or ends, so that any view is a union of whole regions, and views that
 * do not overlap never share one. Guarded by the ring's ordering section.
 */
public final class RegionMap {

  /** With more regions than this, a quiet map is folded back into one. */
  private static final int FOLD_ABOVE = 4096;

  private final long bytes;
  private final List<Region> regions = new ArrayList<>(1);

  /** History of a fresh allocation of {@code bytes} bytes, at least 1. */
  public RegionMap(long bytes) {
    this.bytes = bytes;
    regions.add(new Region(0, bytes));
  }

  /** Size of the allocation in bytes. */
  public long bytes() {
    return bytes;
  }

  /**
   * The regions that make up {@code [begin, end)}, splitting where needed.
   *
   * @param completedThrough everything up to this sequence is complete
   */
  Region[] resolve(long begin, long end, long completedThrough) {
    if (regions.size() > FOLD_ABOVE) {
      foldIfQuiet(completedThrough);
    }
    int first = splitAt(begin);
    int last = end == bytes ? regions.size() : splitAt(end);
    return regions.subList(first, last).toArray(Region[]::new);
  }

  /** Makes {@code offset} a region boundary; returns the index of the region that begins there. */
  private int splitAt(long offset) {
    int index = indexOf(offset);
    Region region = regions.get(index);
    if (region.begin == offset) {
      return index;
    }
    region.stale = true;
    regions.set(index, region.part(region.begin, offset));
    regions.add(index + 1, region.part(offset, region.end));
    return index + 1;
  }

  private int indexOf(long offset) {
    int low = 0;
    int high = regions.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (regions.get(middle).begin <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private void foldIfQuiet(long completedThrough) {
    for (Region region : regions) {
      if (region.written && region.writeLast - completedThrough > 0
          || region.read && region.readLast - completedThrough > 0) {
        return;
      }
    }
    for (Region region : regions) {
      region.stale = true;
    }
    regions.clear();
    regions.add(new Region(0, bytes));
  }

  /** The tasks after {@code completedThrough} that read or write any byte. */
  Uses uses(long completedThrough) {
    Uses uses = Uses.NONE;
    for (Region region : regions) {
      if (region.written && region.writeLast - completedThrough > 0) {
        uses = uses.and(region.writeFirst, region.writeLast);
      }
      if (region.read && region.readLast - completedThrough > 0) {
        uses = uses.and(region.readFirst, region.readLast);
      }
    }
    return uses.after(completedThrough);
  }

  /** Makes every later access wait for {@code uses}: memory given anew. */
  void inherit(Uses uses) {
    for (Region region : regions) {
      region.noteWrite(uses.first(), uses.last());
    }
  }
}

package io.gpuos.queue;

/**
 * The bytes one tensor touches, resolved to regions once and again only after a split. Held by the
 * tensor, so that registering a task looks nothing up. Guarded by the ring's ordering section.
 */
public final class Access {

  private final RegionMap map;
  private final long begin;
  private final long end;
  private Region[] regions;

  /**
   * @param map history of the allocation
   * @param begin first byte touched, from the allocation's start
   * @param end one past the last byte touched; equal to {@code begin} if none is
   */
  public Access(RegionMap map, long begin, long end) {
    if (begin < 0 || end < begin || end > map.bytes()) {
      throw new IllegalArgumentException(
          "access outside its allocation: begin=" + begin + ", end=" + end + ", expected=within "
              + map.bytes() + " bytes");
    }
    this.map = map;
    this.begin = begin;
    this.end = end;
  }

  /** Current regions; allocates only when a new view has split one of them. */
  Region[] regions(long completedThrough) {
    Region[] current = regions;
    if (current == null || isStale(current)) {
      current = begin == end ? new Region[0] : map.resolve(begin, end, completedThrough);
      regions = current;
    }
    return current;
  }

  private static boolean isStale(Region[] regions) {
    for (Region region : regions) {
      if (region.stale) {
        return true;
      }
    }
    return false;
  }
}

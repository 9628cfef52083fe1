package io.gpuos.queue;

import java.util.Locale;

/**
 * The bytes one tensor touches, resolved to regions once and again only after a split. Immutable
 * but for that memo, which the ring's ordering section guards.
 */
public final class Access {

  private final RegionMap map;
  private final long begin;
  private final long end;
  private int[] offsets;
  private int version;

  /**
   * @param map history of the allocation
   * @param begin first byte touched, from the allocation's start
   * @param end one past the last byte touched; equal to {@code begin} if none is
   */
  public Access(RegionMap map, long begin, long end) {
    if (begin < 0 || end < begin || end > map.bytes()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "access outside its allocation: begin=%d, end=%d, expected=within %d bytes",
              begin,
              end,
              map.bytes()));
    }
    this.map = map;
    this.begin = begin;
    this.end = end;
  }

  /** The same bytes of another history. */
  Access in(RegionMap other) {
    return new Access(other, begin, end);
  }

  RegionMap map() {
    return map;
  }

  /** Offsets of the regions in the map's state; allocates only when a split made it necessary. */
  int[] offsets(long completedThrough) {
    if (offsets == null || version != map.version) {
      offsets = map.resolve(begin, end, completedThrough);
      version = map.version;
    }
    return offsets;
  }
}

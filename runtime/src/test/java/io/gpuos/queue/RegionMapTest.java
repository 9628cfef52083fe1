package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class RegionMapTest {

  private static RegionMap map(long bytes) {
    return new RegionMap(bytes, 0);
  }

  private static void write(RegionMap map, int offset, long first, long last) {
    map.write(offset, first, last, 0, new Dependencies());
  }

  private static void read(RegionMap map, int offset, long first, long last) {
    map.read(offset, first, last, 0, new Dependencies());
  }

  @Test
  void shouldStartAsOneRegion() {
    assertEquals(1, map(100).resolve(0, 100, 0).length);
  }

  @Test
  void shouldSplitWhereAViewBeginsAndEnds() {
    RegionMap map = map(100);
    int[] middle = map.resolve(20, 50, 0);
    assertEquals(1, middle.length);
    int[] all = map.resolve(0, 100, 0);
    assertEquals(3, all.length);
    assertEquals(middle[0], all[1]);
    int[] across = map.resolve(30, 60, 0);
    assertEquals(2, across.length);
    assertEquals(5, map.regions());
  }

  @Test
  void shouldChangeItsVersionOnlyWithASplit() {
    RegionMap map = map(100);
    map.resolve(20, 50, 0);
    int version = map.version;
    map.resolve(20, 50, 0);
    map.resolve(0, 100, 0);
    assertEquals(version, map.version);
    map.resolve(21, 50, 0);
    assertTrue(map.version != version);
  }

  @Test
  void shouldGiveBothPartsTheHistoryOfTheWhole() {
    RegionMap map = map(100);
    int whole = map.resolve(0, 100, 0)[0];
    write(map, whole, 3, 4);
    read(map, whole, 5, 6);
    read(map, whole, 7, 9);
    for (int part : map.resolve(0, 100, 0)) {
      assertEquals(new Uses(true, 3, 9), map.usesOf(part, true, 0, Uses.NONE));
    }
    for (int part : new int[] {map.resolve(0, 40, 0)[0], map.resolve(40, 100, 0)[0]}) {
      assertEquals(new Uses(true, 3, 4), map.usesOf(part, false, 0, Uses.NONE));
      assertEquals(new Uses(true, 3, 9), map.usesOf(part, true, 0, Uses.NONE));
    }
  }

  @Test
  void shouldForgetReadersAtAWrite() {
    RegionMap map = map(8);
    int region = map.resolve(0, 8, 0)[0];
    read(map, region, 1, 1);
    write(map, region, 2, 2);
    assertEquals(new Uses(true, 2, 2), map.uses(0));
    read(map, region, 4, 4);
    assertEquals(new Uses(true, 4, 4), map.uses(3));
  }

  @Test
  void shouldNotOrderATaskBehindItself() {
    RegionMap map = map(8);
    int region = map.resolve(0, 8, 0)[0];
    Dependencies dependencies = new Dependencies();
    dependencies.reset(0);
    map.read(region, 5, 6, 0, dependencies);
    map.write(region, 5, 6, 0, dependencies);
    assertEquals(0, dependencies.count());
    map.read(region, 7, 7, 0, dependencies);
    map.write(region, 7, 7, 0, dependencies);
    assertEquals(1, dependencies.count());
    assertEquals(2 << 16 | 1, dependencies.after0(7));
  }

  @Test
  void shouldLookAgainOnlyAfterASplit() {
    RegionMap map = map(100);
    Access whole = new Access(map, 0, 100);
    int[] before = whole.offsets(0);
    assertSame(before, whole.offsets(0));
    new Access(map, 10, 20).offsets(0);
    assertEquals(3, whole.offsets(0).length);
    assertSame(whole.offsets(0), whole.offsets(0));
  }

  @Test
  void shouldTouchNothingWithAnEmptyAccess() {
    RegionMap map = map(100);
    assertEquals(0, new Access(map, 30, 30).offsets(0).length);
    assertEquals(1, map.regions());
  }

  @Test
  void shouldRefuseAnAccessOutsideItsAllocation() {
    RegionMap map = map(100);
    assertThrows(IllegalArgumentException.class, () -> new Access(map, -1, 4));
    assertThrows(IllegalArgumentException.class, () -> new Access(map, 4, 3));
    assertThrows(IllegalArgumentException.class, () -> new Access(map, 0, 101));
  }

  @Test
  void shouldFoldAQuietMapOfManyRegions() {
    RegionMap map = map(100_000);
    Access whole = new Access(map, 0, 100_000);
    for (int k = 0; k < 5_000; k++) {
      map.resolve(10 * k, 10 * k + 5, 0);
    }
    assertTrue(map.regions() < 8_200, "regions=" + map.regions());
    assertEquals(map.regions(), whole.offsets(0).length);
  }

  @Test
  void shouldNotFoldWhileATaskUsesAnyByte() {
    RegionMap map = map(100_000);
    write(map, map.resolve(99_990, 99_995, 0)[0], 7, 7);
    for (int k = 0; k < 5_000; k++) {
      map.resolve(10 * k, 10 * k + 5, 6);
    }
    int[] used = map.resolve(99_990, 99_995, 6);
    assertEquals(new Uses(true, 7, 7), map.usesOf(used[0], true, 6, Uses.NONE));
    assertTrue(map.regions() > 10_000);
  }

  @Test
  void shouldKnowAllItsUsersThatAreNotComplete() {
    RegionMap map = map(100);
    assertEquals(Uses.NONE, map.uses(0));
    write(map, map.resolve(0, 10, 0)[0], 5, 6);
    read(map, map.resolve(10, 20, 0)[0], 2, 3);
    read(map, map.resolve(20, 30, 0)[0], 9, 9);
    assertEquals(new Uses(true, 2, 9), map.uses(0));
    assertEquals(new Uses(true, 5, 9), map.uses(3));
    assertEquals(new Uses(true, 6, 9), map.uses(5));
    assertEquals(new Uses(true, 9, 9), map.uses(8));
    assertEquals(Uses.NONE, map.uses(9));
  }

  @Test
  void shouldJoinUsesAlsoAcrossTheWrap() {
    Uses before = new Uses(true, -3, -2);
    Uses after = new Uses(true, 4, 5);
    assertEquals(new Uses(true, -3, 5), before.and(after));
    assertEquals(new Uses(true, -3, 5), after.and(before));
    assertEquals(before, before.and(Uses.NONE));
    assertEquals(before, Uses.NONE.and(before));
    assertEquals(new Uses(true, 0, 5), before.and(after).after(-1));
  }
}

package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class RegionMapTest {

  private static List<List<Long>> bounds(Region[] regions) {
    return Arrays.stream(regions).map(r -> List.of(r.begin, r.end)).toList();
  }

  @Test
  void shouldStartAsOneRegion() {
    assertEquals(List.of(List.of(0L, 100L)), bounds(new RegionMap(100).resolve(0, 100, 0)));
  }

  @Test
  void shouldSplitWhereAViewBeginsAndEnds() {
    RegionMap map = new RegionMap(100);
    assertEquals(List.of(List.of(20L, 50L)), bounds(map.resolve(20, 50, 0)));
    assertEquals(
        List.of(List.of(0L, 20L), List.of(20L, 50L), List.of(50L, 100L)),
        bounds(map.resolve(0, 100, 0)));
    assertEquals(List.of(List.of(30L, 50L), List.of(50L, 60L)), bounds(map.resolve(30, 60, 0)));
  }

  @Test
  void shouldGiveBothPartsTheHistoryOfTheWhole() {
    RegionMap map = new RegionMap(100);
    Region whole = map.resolve(0, 100, 0)[0];
    whole.noteWrite(3, 4);
    whole.noteRead(5, 6);
    whole.noteRead(7, 9);
    for (Region part : List.of(map.resolve(0, 40, 0)[0], map.resolve(40, 100, 0)[0])) {
      assertTrue(part.written && part.read);
      assertEquals(List.of(3L, 4L), List.of(part.writeFirst, part.writeLast));
      assertEquals(List.of(5L, 9L), List.of(part.readFirst, part.readLast));
    }
    assertTrue(whole.stale);
  }

  @Test
  void shouldForgetReadersAtAWrite() {
    Region region = new Region(0, 8);
    region.noteRead(1, 1);
    region.noteWrite(2, 2);
    assertFalse(region.read);
    region.noteRead(4, 4);
    assertEquals(4, region.readFirst);
  }

  @Test
  void shouldLookAgainOnlyAfterASplit() {
    RegionMap map = new RegionMap(100);
    Access whole = new Access(map, 0, 100);
    Region[] before = whole.regions(0);
    assertSame(before, whole.regions(0));
    new Access(map, 10, 20).regions(0);
    assertEquals(3, whole.regions(0).length);
    assertSame(whole.regions(0), whole.regions(0));
  }

  @Test
  void shouldTouchNothingWithAnEmptyAccess() {
    RegionMap map = new RegionMap(100);
    assertEquals(0, new Access(map, 30, 30).regions(0).length);
    assertEquals(1, map.resolve(0, 100, 0).length);
  }

  @Test
  void shouldRefuseAnAccessOutsideItsAllocation() {
    RegionMap map = new RegionMap(100);
    assertThrows(IllegalArgumentException.class, () -> new Access(map, -1, 4));
    assertThrows(IllegalArgumentException.class, () -> new Access(map, 4, 3));
    assertThrows(IllegalArgumentException.class, () -> new Access(map, 0, 101));
  }

  @Test
  void shouldFoldAQuietMapOfManyRegions() {
    RegionMap map = new RegionMap(100_000);
    Access whole = new Access(map, 0, 100_000);
    for (int k = 0; k < 5_000; k++) {
      map.resolve(10 * k, 10 * k + 5, 0);
    }
    // The last look is one that folds first, then splits.
    map.resolve(1, 2, 0);
    assertTrue(whole.regions(0).length < 4_200, "regions=" + whole.regions(0).length);
  }

  @Test
  void shouldNotFoldWhileATaskUsesAnyByte() {
    RegionMap map = new RegionMap(100_000);
    map.resolve(99_990, 99_995, 0)[0].noteWrite(7, 7);
    for (int k = 0; k < 5_000; k++) {
      map.resolve(10 * k, 10 * k + 5, 6);
    }
    assertEquals(7, map.resolve(99_990, 99_995, 6)[0].writeLast);
    assertTrue(map.resolve(0, 100_000, 6).length > 5_000);
  }

  @Test
  void shouldKnowAllItsUsersThatAreNotComplete() {
    RegionMap map = new RegionMap(100);
    assertEquals(Uses.NONE, map.uses(0));
    map.resolve(0, 10, 0)[0].noteWrite(5, 6);
    map.resolve(10, 20, 0)[0].noteRead(2, 3);
    map.resolve(20, 30, 0)[0].noteRead(9, 9);
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

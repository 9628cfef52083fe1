package io.gpuos.schedule;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Which tasks share a segment, and that nothing ever runs before what it waits for. */
class PlacementTest {

  private static final int MOST = 1000;

  /** Eight workers, a hand-over as long as three small tasks. */
  private static final CostModel COSTS = new CostModel(8, 300, 25, 250, 900, 200_000);

  private static Work small(Integer... after) {
    return new Work(1, 300, List.of(after));
  }

  private static List<Segment> place(List<Work> works) {
    List<Segment> segments = Placement.of(works, COSTS, MOST);
    PlacementValidator.validate(works, segments);
    return segments;
  }

  private static Segment segment(List<Integer> works, Integer... after) {
    return new Segment(
        works.stream().map(work -> new Segment.Task(work, 0)).toList(), List.of(after));
  }

  @Test
  void shouldKeepAChainTogether() {
    assertEquals(List.of(segment(List.of(0, 1, 2))), place(List.of(small(), small(0), small(1))));
  }

  @Test
  void shouldSpreadIndependentChains() {
    List<Segment> segments = place(List.of(small(), small(), small(0), small(1)));
    assertEquals(List.of(segment(List.of(0, 2)), segment(List.of(1, 3))), segments);
  }

  @Test
  void shouldSpreadTilesAndGatherThemAgain() {
    List<Segment> segments = place(List.of(small(), new Work(4, 5_000, List.of(0)), small(1)));
    assertEquals(6, segments.size());
    assertEquals(List.of(1, 2, 3, 4), segments.getLast().after());
  }

  @Test
  void shouldEndASegmentSoThatWorkersCanLeave() {
    List<Work> works = new ArrayList<>();
    IntStream.range(0, 1000).forEach(n -> works.add(n == 0 ? small() : small(n - 1)));
    for (Segment segment : place(works)) {
      assertTrue(segment.tasks().size() <= 667, segment.tasks().size() + " tasks of 300 ns");
    }
  }

  @Test
  void shouldJoinSegmentsWhereTheRingHasNoRoom() {
    List<Work> works = IntStream.range(0, 40).mapToObj(_ -> new Work(1, 9_000, List.of())).toList();
    List<Segment> segments = Placement.of(works, COSTS, 3);
    PlacementValidator.validate(works, segments);
    assertEquals(3, segments.size());
  }

  @Test
  void shouldOrderAnyGraph() {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      List<Work> works = new ArrayList<>();
      int count = 1 + random.nextInt(60);
      for (int w = 0; w < count; w++) {
        TreeSet<Integer> after = new TreeSet<>();
        for (int k = random.nextInt(4); k > 0 && w > 0; k--) {
          after.add(Math.max(0, w - 1 - random.nextInt(8)));
        }
        int tiles = random.nextInt(4) == 0 ? 1 + random.nextInt(20) : 1;
        works.add(new Work(tiles, 1 + random.nextInt(3_000), List.copyOf(after)));
      }
      int most = random.nextBoolean() ? MOST : 1 + random.nextInt(5);
      List<Segment> segments = Placement.of(works, COSTS, most);
      PlacementValidator.validate(works, segments);
      assertTrue(segments.size() <= most, "seed " + seed);
    }
  }

  @Test
  void shouldRefuseATaskBeforeWhatItWaitsFor() {
    List<Work> works = List.of(small(), small(0));
    refused(works, List.of(segment(List.of(1, 0))));
    refused(works, List.of(segment(List.of(0)), segment(List.of(1))));
    refused(works, List.of(segment(List.of(1), 1), segment(List.of(0))));
  }

  @Test
  void shouldRefuseTasksThatAreMissingOrTwice() {
    refused(List.of(small(), small()), List.of(segment(List.of(0))));
    refused(List.of(small()), List.of(segment(List.of(0, 0))));
  }

  private static void refused(List<Work> works, List<Segment> segments) {
    assertThrows(IllegalStateException.class, () -> PlacementValidator.validate(works, segments));
  }
}

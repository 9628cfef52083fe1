package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DependenciesTest {

  private final Dependencies dependencies = new Dependencies();

  @Test
  void shouldEncodeNothingAsZero() {
    dependencies.reset(0);
    assertEquals(0, dependencies.after0(10));
    assertEquals(0, dependencies.after1(10));
  }

  @Test
  void shouldEncodeDistancesFarAboveNear() {
    dependencies.reset(0);
    dependencies.add(3, 5);
    dependencies.add(8, 8);
    assertEquals(7 << 16 | 5, dependencies.after0(10));
    assertEquals(2 << 16 | 2, dependencies.after1(10));
  }

  @Test
  void shouldLeaveOutWhatIsComplete() {
    dependencies.reset(5);
    dependencies.add(1, 5);
    assertEquals(0, dependencies.count());
    dependencies.add(1, 7);
    assertEquals(4 << 16 | 3, dependencies.after0(10));
  }

  @Test
  void shouldJoinNeighboursAndOverlaps() {
    dependencies.reset(0);
    dependencies.add(3, 4);
    dependencies.add(5, 6);
    dependencies.add(2, 3);
    assertEquals(1, dependencies.count());
    assertEquals(8 << 16 | 4, dependencies.after0(10));
  }

  @Test
  void shouldGrowTheRangeThatGrowsLeast() {
    dependencies.reset(0);
    dependencies.add(10, 11);
    dependencies.add(100, 101);
    dependencies.add(90, 92);
    assertEquals(190 << 16 | 189, dependencies.after0(200));
    assertEquals(110 << 16 | 99, dependencies.after1(200));
  }

  @Test
  void shouldReachAsFarAsTheLargestRing() {
    dependencies.reset(0);
    dependencies.add(1, 1);
    assertEquals(32_767 << 16 | 32_767, dependencies.after0(32_768));
  }

  /** Whatever is added in whatever order, each range added lies within the two that are kept. */
  @ParameterizedTest
  @ValueSource(longs = {1L << 31, 1L << 32, Long.MIN_VALUE, 0})
  void shouldNeverLoseATask(long wrap) {
    Random random = new Random(wrap + 17);
    for (int round = 0; round < 2_000; round++) {
      long sequence = wrap + random.nextInt(400) - 100;
      long completed = sequence - 1 - random.nextInt(300);
      dependencies.reset(completed);
      List<long[]> added = new ArrayList<>();
      for (int k = random.nextInt(8); k > 0; k--) {
        long last = sequence - 1 - random.nextInt(350);
        long first = last - random.nextInt(20);
        dependencies.add(first, last);
        added.add(new long[] {first, last});
      }
      for (long[] range : added) {
        for (long task = range[0]; task - range[1] <= 0; task++) {
          assertTrue(
              task - completed <= 0
                  || holds(dependencies.after0(sequence), sequence - task)
                  || holds(dependencies.after1(sequence), sequence - task),
              "sequence=" + sequence + ", task=" + task);
        }
      }
      // Nor is a task waited for that is complete, or not before this one.
      for (int after : new int[] {dependencies.after0(sequence), dependencies.after1(sequence)}) {
        assertTrue(after == 0 || (after & 0xffff) >= 1 && after >>> 16 < sequence - completed);
      }
    }
  }

  private static boolean holds(int after, long distance) {
    return after != 0 && distance >= (after & 0xffff) && distance <= after >>> 16;
  }
}

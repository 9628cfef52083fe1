package io.gpuos.schedule;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * Proves segments before they may run: every task is in one of them, they wait for earlier ones
 * only, and whatever a task needs comes before it in its own segment, or in one that its segment
 * waits for, be it through others. Shares no code with {@link Placement}.
 */
public final class PlacementValidator {

  private PlacementValidator() {}

  /**
   * @throws IllegalStateException naming the work and the rule that is broken: an error of this
   *     library
   */
  public static void validate(List<Work> works, List<Segment> segments) {
    List<BitSet> complete = completeBefore(segments);
    int[][] segmentOf = new int[works.size()][];
    int[][] positionOf = new int[works.size()][];
    for (int w = 0; w < works.size(); w++) {
      segmentOf[w] = new int[works.get(w).tiles()];
      positionOf[w] = new int[works.get(w).tiles()];
    }
    int placed = 0;
    for (int s = 0; s < segments.size(); s++) {
      List<Segment.Task> tasks = segments.get(s).tasks();
      for (int k = 0; k < tasks.size(); k++) {
        Segment.Task task = tasks.get(k);
        check(positionOf[task.work()][task.tile()] == 0, "task placed twice", task.work());
        segmentOf[task.work()][task.tile()] = s;
        positionOf[task.work()][task.tile()] = ++placed;
      }
    }
    for (int w = 0; w < works.size(); w++) {
      for (int tile = 0; tile < works.get(w).tiles(); tile++) {
        check(positionOf[w][tile] != 0, "task not placed", w);
        for (int before : works.get(w).after()) {
          for (int other = 0; other < works.get(before).tiles(); other++) {
            int own = segmentOf[w][tile];
            int needed = segmentOf[before][other];
            boolean ordered =
                own == needed
                    ? positionOf[before][other] < positionOf[w][tile]
                    : complete.get(own).get(needed);
            check(ordered, "task before what it waits for", w);
          }
        }
      }
    }
  }

  /** For each segment the ones that are complete when it starts. */
  private static List<BitSet> completeBefore(List<Segment> segments) {
    List<BitSet> complete = new ArrayList<>();
    for (int s = 0; s < segments.size(); s++) {
      BitSet before = new BitSet();
      for (int after : segments.get(s).after()) {
        check(after >= 0 && after < s, "segment waits for itself or a later one", s);
        before.set(after);
        before.or(complete.get(after));
      }
      complete.add(before);
    }
    return complete;
  }

  private static void check(boolean holds, String rule, int index) {
    if (!holds) {
      throw new IllegalStateException(
          String.format(
              Locale.ROOT,
              "%s: index=%d, expected=a placement that keeps the rules of PlacementValidator",
              rule,
              index));
    }
  }
}

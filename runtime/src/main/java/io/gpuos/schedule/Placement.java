package io.gpuos.schedule;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Puts the tasks of a program into segments. Plays a run through with estimated times: each task,
 * in order, goes to the worker that could start it first, where what another worker has made comes
 * later than what the worker made itself. So a chain of small tasks stays together, and independent
 * or large ones spread. (List scheduling by earliest start, with communication costs as in T. Hwang
 * et al., 1989: "Scheduling precedence graphs in systems with interprocessor communication times".)
 * The tasks of a worker are then cut into segments: before a task that waits for more than its
 * segment has waited for, and after one that another worker waits for.
 *
 * <p>Segments wait for earlier ones only. Workers may therefore take them in order, whichever
 * worker takes which, and any number of workers runs them all.
 */
public final class Placement {

  /** What has been decided about a work. */
  private static final class State {
    private final int[] worker;
    private final long[] start;
    private long finish;

    /** The worker of all tiles; -1 if there are several. */
    private int only = -1;

    State(int tiles) {
      worker = new int[tiles];
      start = new long[tiles];
    }
  }

  private record Placed(int work, int tile, int worker, long start) {}

  /** A segment that is being filled. */
  private static final class Open {
    private final List<Segment.Task> tasks = new ArrayList<>();
    private final BitSet after;
    private long nanos;
    private boolean closed;

    Open(BitSet after) {
      this.after = after;
    }
  }

  private final List<Work> works;
  private final CostModel costs;
  private final State[] states;
  private final long[] free;

  private Placement(List<Work> works, CostModel costs) {
    this.works = works;
    this.costs = costs;
    this.states = new State[works.size()];
    this.free = new long[costs.workers()];
  }

  /**
   * The segments of {@code works}, each task in exactly one.
   *
   * @param most segments there may be, at least 1
   */
  public static List<Segment> of(List<Work> works, CostModel costs, int most) {
    Placement placement = new Placement(works, costs);
    for (int w = 0; w < works.size(); w++) {
      placement.place(w);
    }
    return coarser(placement.segments(), most);
  }

  // ---- who runs what, and when
  // -------------------------------------------------------------------

  private void place(int index) {
    Work work = works.get(index);
    State state = new State(work.tiles());
    states[index] = state;
    for (int tile = 0; tile < work.tiles(); tile++) {
      int best = leastBusy();
      long start = start(work, best);
      for (int before : work.after()) {
        int candidate = states[before].only;
        if (candidate >= 0 && start(work, candidate) <= start) {
          best = candidate;
          start = start(work, candidate);
        }
      }
      state.worker[tile] = best;
      state.start[tile] = start;
      free[best] = start + work.nanos();
      state.finish = Math.max(state.finish, free[best]);
      state.only = tile == 0 || state.only == best ? best : -1;
    }
  }

  private int leastBusy() {
    int least = 0;
    for (int w = 1; w < free.length; w++) {
      least = free[w] < free[least] ? w : least;
    }
    return least;
  }

  private long start(Work work, int worker) {
    long start = free[worker];
    for (int before : work.after()) {
      State state = states[before];
      long way = state.only == worker ? 0 : costs.handOverNanos();
      start = Math.max(start, state.finish + way);
    }
    return start;
  }

  // ---- segments
  // ----------------------------------------------------------------------------------

  private List<Segment> segments() {
    List<Open> segments = new ArrayList<>();
    int[][] segmentOf = new int[works.size()][];
    int[] open = new int[free.length];
    Arrays.fill(open, -1);
    BitSet shared = sharedWorks();
    for (Placed task : inOrder()) {
      Work work = works.get(task.work());
      BitSet needed = segmentsOf(work, segmentOf);
      int current = open[task.worker()];
      if (current < 0 || !fits(segments.get(current), current, needed)) {
        current = segments.size();
        segments.add(new Open(needed));
        open[task.worker()] = current;
      }
      Open segment = segments.get(current);
      segment.tasks.add(new Segment.Task(task.work(), task.tile()));
      segment.nanos += work.nanos();
      segment.closed = shared.get(task.work()) || segment.nanos >= costs.segmentNanos();
      if (segmentOf[task.work()] == null) {
        segmentOf[task.work()] = new int[work.tiles()];
      }
      segmentOf[task.work()][task.tile()] = current;
    }
    return segments.stream()
        .map(segment -> new Segment(segment.tasks, segment.after.stream().boxed().toList()))
        .toList();
  }

  /** All tasks as they start; whatever a task waits for has started before it. */
  private List<Placed> inOrder() {
    List<Placed> tasks = new ArrayList<>();
    for (int w = 0; w < states.length; w++) {
      for (int tile = 0; tile < states[w].worker.length; tile++) {
        tasks.add(new Placed(w, tile, states[w].worker[tile], states[w].start[tile]));
      }
    }
    tasks.sort(Comparator.comparingLong(Placed::start));
    return tasks;
  }

  /** Works that a task of another worker waits for. */
  private BitSet sharedWorks() {
    BitSet shared = new BitSet();
    for (int w = 0; w < works.size(); w++) {
      for (int before : works.get(w).after()) {
        if (states[before].only < 0 || states[before].only != states[w].only) {
          shared.set(before);
        }
      }
    }
    return shared;
  }

  private static BitSet segmentsOf(Work work, int[][] segmentOf) {
    BitSet segments = new BitSet();
    for (int before : work.after()) {
      Arrays.stream(segmentOf[before]).forEach(segments::set);
    }
    return segments;
  }

  /** Whether a task that needs these segments can go on with {@code segment}. */
  private static boolean fits(Open segment, int index, BitSet needed) {
    if (segment.closed) {
      return false;
    }
    BitSet missing = (BitSet) needed.clone();
    missing.andNot(segment.after);
    missing.clear(index);
    return missing.isEmpty();
  }

  /** Neighbours joined until there are no more than {@code most}. */
  private static List<Segment> coarser(List<Segment> segments, int most) {
    if (segments.size() <= most) {
      return segments;
    }
    int group = Math.ceilDiv(segments.size(), most);
    List<Segment> joined = new ArrayList<>();
    for (int from = 0; from < segments.size(); from += group) {
      List<Segment> members = segments.subList(from, Math.min(segments.size(), from + group));
      int self = joined.size();
      joined.add(
          new Segment(
              members.stream().flatMap(member -> member.tasks().stream()).toList(),
              members.stream()
                  .flatMap(member -> member.after().stream())
                  .map(before -> before / group)
                  .filter(before -> before != self)
                  .distinct()
                  .sorted()
                  .toList()));
    }
    return joined;
  }
}

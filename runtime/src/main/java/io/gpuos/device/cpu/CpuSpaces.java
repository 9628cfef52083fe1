package io.gpuos.device.cpu;

import io.gpuos.device.SpaceNumber;
import io.gpuos.layout.IterationSpace;
import io.gpuos.queue.Completions;
import io.gpuos.queue.SubmissionRing;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * The iteration spaces of the CPU device by number. A number is used again when its {@link
 * SpaceNumber} is unreachable, so that no later task names it, and the tasks submitted until that
 * was noticed are complete. Thread-safe; workers look spaces up without a lock, and the ring has
 * published what they look up with the record that names it.
 */
final class CpuSpaces {

  /** Whoever has the number; the space it stands for is kept as long as somebody does. */
  private static final class Holder extends WeakReference<SpaceNumber> {
    private final IterationSpace space;
    private final int number;

    Holder(SpaceNumber number, IterationSpace space, ReferenceQueue<SpaceNumber> dead) {
      super(number, dead);
      this.space = space;
      this.number = number.value();
    }
  }

  /**
   * A number nobody has any more.
   *
   * @param last sequence of the last task that may name it
   */
  private record Retired(int number, long last) {}

  private final Map<IterationSpace, Holder> holders = new HashMap<>();
  private final ReferenceQueue<SpaceNumber> dead = new ReferenceQueue<>();
  private final Deque<Retired> retired = new ArrayDeque<>();
  private final Deque<Integer> free = new ArrayDeque<>();
  private volatile IterationSpace[] spaces = new IterationSpace[64];
  private SubmissionRing ring;
  private Completions completions;
  private int count;

  /** Before the first space. */
  void connect(SubmissionRing ringOfTasks, Completions completionsOfRing) {
    ring = ringOfTasks;
    completions = completionsOfRing;
  }

  /** The number of a space; the same for an equal one while anybody has it. */
  synchronized SpaceNumber intern(IterationSpace space) {
    Holder holder = holders.get(space);
    SpaceNumber known = holder == null ? null : holder.get();
    if (known != null) {
      return known;
    }
    reclaim();
    SpaceNumber fresh = new SpaceNumber(free.isEmpty() ? count++ : free.poll());
    holders.put(space, new Holder(fresh, space, dead));
    put(fresh.value(), space);
    return fresh;
  }

  private void put(int number, IterationSpace space) {
    IterationSpace[] grown =
        number < spaces.length ? spaces : Arrays.copyOf(spaces, Math.max(number + 1, number * 2));
    grown[number] = space;
    spaces = grown;
  }

  private void reclaim() {
    for (Object lost = dead.poll(); lost != null; lost = dead.poll()) {
      Holder holder = (Holder) lost;
      // Somebody may have asked for an equal space between the loss and now.
      holders.remove(holder.space, holder);
      retired.add(new Retired(holder.number, ring.lastSequence()));
    }
    long completed = completions.through();
    while (!retired.isEmpty() && retired.peek().last - completed <= 0) {
      int number = retired.poll().number;
      put(number, null);
      free.add(number);
    }
  }

  /** The space a record names. */
  IterationSpace get(int number) {
    return spaces[number];
  }

  /** Numbers given out so far, each counted once however often it was used. */
  synchronized int numbers() {
    return count;
  }
}

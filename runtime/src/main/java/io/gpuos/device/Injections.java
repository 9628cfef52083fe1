package io.gpuos.device;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** How operators came into the running workers lately. Thread-safe. */
public final class Injections {

  private static final int KEPT = 4096;

  /**
   * One operator that was brought in, from its machine code in host memory to the moment from which
   * tasks can name it.
   *
   * @param loadMicros checking, linking and placing the code, or having the driver load it
   * @param turnMicros turning the alias
   */
  public record Injection(double loadMicros, double turnMicros) {}

  private final Deque<Injection> kept = new ArrayDeque<>();
  private long count;

  /** Nothing yet. */
  public Injections() {}

  /** Notes one. */
  public synchronized void add(Injection injection) {
    if (kept.size() == KEPT) {
      kept.removeFirst();
    }
    kept.addLast(injection);
    count++;
  }

  /** The last ones, oldest first. */
  public synchronized List<Injection> latest() {
    return List.copyOf(kept);
  }

  /** How many there were in all. */
  public synchronized long count() {
    return count;
  }
}

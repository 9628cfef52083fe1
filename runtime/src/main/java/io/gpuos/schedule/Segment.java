package io.gpuos.schedule;

import java.util.List;

/**
 * Tasks that one worker runs one after the other. It waits once, before the first, and tells once,
 * after the last.
 *
 * @param tasks in order, at least one
 * @param after earlier segments that have to be complete before, ascending
 */
public record Segment(List<Task> tasks, List<Integer> after) {

  /** A tile of a work. */
  public record Task(int work, int tile) {}

  public Segment {
    tasks = List.copyOf(tasks);
    after = List.copyOf(after);
  }
}

package io.gpuos.schedule;

import java.util.List;

/**
 * One kernel of a program, for placing.
 *
 * @param tiles tasks it consists of, which may run at the same time
 * @param nanos estimated time of one, at least 1
 * @param after earlier works that have to be complete before; each once
 */
public record Work(int tiles, long nanos, List<Integer> after) {
  public Work {
    after = List.copyOf(after);
  }
}

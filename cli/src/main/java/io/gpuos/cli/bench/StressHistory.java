package io.gpuos.cli.bench;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Which generations of an operator a task may have run, by when it was submitted and when it was
 * seen complete. One thread changes the operator, any may ask. Thread-safe.
 */
final class StressHistory {

  /** Numbers of all generations that were current, and perhaps that of one being made so. */
  private final List<Integer> numbers = new ArrayList<>();

  /** Place of the last one that is certainly current. */
  private int settled;

  StressHistory(int first) {
    numbers.add(first);
  }

  /** Before {@code number} becomes current: from now on tasks may run it. */
  synchronized void begin(int number) {
    numbers.add(number);
  }

  /** After it did: what is submitted from now on runs nothing older. */
  synchronized void settle() {
    settled = numbers.size() - 1;
  }

  /** A place to give to {@link #since}, taken before a task is submitted. */
  synchronized int mark() {
    return settled;
  }

  /** Numbers of the generations that tasks may have run that were submitted after that mark. */
  synchronized BitSet since(int mark) {
    BitSet allowed = new BitSet();
    numbers.subList(mark, numbers.size()).forEach(allowed::set);
    return allowed;
  }
}

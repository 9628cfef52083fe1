package io.gpuos.inject;

import io.gpuos.error.OutOfMemoryException;
import io.gpuos.error.TransitionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The logical operators of a device: which generations each has, and which one its alias names.
 *
 * <p>An operator has two slots. One holds the current generation, which the alias names; the other
 * the one before, for {@link #rollback}, or nothing. Publishing puts a new generation into the
 * other slot and turns the alias to it, one word that workers read once a task: tasks that have
 * read it finish on the generation they found, later ones take the new.
 *
 * <p>The generation left behind is <em>drained</em> when no task can run it any more. Every task
 * that may have read the old alias was submitted before the alias was turned, so that is the case
 * when all tasks submitted until then are complete; whether workers are parked makes no difference.
 * Until it is drained, an operator is in transition: it can be turned back, but its other slot is
 * not free for a further generation.
 *
 * <p>Thread-safe. Nothing here is on the way of a task.
 *
 * @param <C> what the device calls code: an address, an object
 */
public final class OperatorTable<C> {

  /** Turns aliases. */
  @FunctionalInterface
  public interface Aliases<C> {
    /**
     * Makes every task whose record is published after the return run {@code code}. One word; if it
     * throws, nothing has changed.
     */
    void turn(int operator, C code);
  }

  /** What the table asks of the device's tasks. */
  public interface Progress {
    /** Sequence of the last task submitted so far. */
    long submitted();

    /** Every task up to and including this sequence is complete. */
    long completedThrough();

    /**
     * Waits until every task up to and including {@code sequence} is complete.
     *
     * @param deadlineNanos as {@link System#nanoTime}
     * @return false if the deadline passed first
     */
    boolean awaitThrough(long sequence, long deadlineNanos);
  }

  /**
   * One version of an operator.
   *
   * @param number 1 for the first of its operator
   * @param code what workers run
   * @param origin how it came to be, for people: "interpreted", "compiled", ...
   */
  public record Generation<C>(int number, C code, String origin) {}

  /**
   * An operator as it stands.
   *
   * @param number its index in the table
   * @param name for messages
   * @param current what the alias names
   * @param previous what it named before, still loaded; empty if nothing, or after a rollback
   * @param drained whether no task can run the generation that was left last
   */
  public record State<C>(
      int number,
      String name,
      Generation<C> current,
      Optional<Generation<C>> previous,
      boolean drained) {}

  /** Guarded by itself; what is volatile is also read without, for messages. */
  private static final class Logical<C> {
    final String name;
    volatile Generation<C> current;
    Generation<C> previous;
    int generations = 1;

    /** Whether a generation was ever left. */
    volatile boolean left;

    /** If so, tasks up to this one may run the generation left last. */
    volatile long lastOfOld;

    Logical(String name, Generation<C> first) {
      this.name = name;
      this.current = first;
    }

    void leave(long lastSubmitted) {
      lastOfOld = lastSubmitted;
      left = true;
    }
  }

  /** Characters of an origin that a message shows. */
  private static final int MAX_ORIGIN = 100;

  private final int capacity;
  private final Aliases<C> aliases;
  private final Progress progress;
  private final long transitionNanos;

  /** By number, from 1 without gaps; 0 stands for the operator that does nothing. Only grows. */
  private final Map<Integer, Logical<C>> operators = new ConcurrentHashMap<>();

  /**
   * @param capacity operators there is room for, with the one that does nothing
   * @param transitionNanos how long {@link #publish} waits for an earlier transition
   */
  public OperatorTable(int capacity, Aliases<C> aliases, Progress progress, long transitionNanos) {
    this.capacity = capacity;
    this.aliases = aliases;
    this.progress = progress;
    this.transitionNanos = transitionNanos;
  }

  /**
   * Adds a logical operator.
   *
   * @return its number, which tasks submitted from now on may name
   * @throws OutOfMemoryException if the table is full
   */
  public synchronized int add(String name, C code, String origin) {
    int number = operators.size() + 1;
    if (number == capacity) {
      throw new OutOfMemoryException(
          String.format(
              Locale.ROOT,
              "operators exhausted: operator=%s, operators=%d, expected=fewer different operators; open a new runtime",
              name,
              capacity - 1));
    }
    aliases.turn(number, code);
    Generation<C> first = new Generation<>(1, code, origin);
    operators.put(number, new Logical<>(name, first));
    return number;
  }

  /**
   * Publishes another generation: tasks submitted after the return run {@code code}.
   *
   * @return the new generation
   * @throws TransitionException if an earlier transition is not drained in time; nothing has
   *     changed
   */
  public Generation<C> publish(int operator, C code, String origin) {
    Logical<C> logical = logical(operator);
    long deadline = System.nanoTime() + transitionNanos;
    while (awaitDrained(operator, deadline)) {
      synchronized (logical) {
        // Another thread may have begun a transition since.
        if (drained(logical)) {
          return turn(operator, logical, code, origin);
        }
      }
    }
    throw inTransition(operator);
  }

  /**
   * Waits, as {@link #publish} does, until it could go on at once.
   *
   * @throws TransitionException if an earlier transition is not drained in time
   */
  public void awaitTransition(int operator) {
    if (!awaitDrained(operator, System.nanoTime() + transitionNanos)) {
      throw inTransition(operator);
    }
  }

  private TransitionException inTransition(int operator) {
    State<C> state = state(operator);
    return new TransitionException(
        String.format(
            Locale.ROOT,
            "operator in transition: operator=%s, generation=%d, waited_ms=%d, expected=tasks of the generation before it complete; wait for them, or roll back",
            state.name(),
            state.current().number(),
            transitionNanos / 1_000_000));
  }

  private Generation<C> turn(int operator, Logical<C> logical, C code, String origin) {
    aliases.turn(operator, code);
    Generation<C> next = new Generation<>(++logical.generations, code, origin);
    logical.previous = logical.current;
    logical.current = next;
    logical.leave(progress.submitted());
    return next;
  }

  /** Inside the operator's monitor, where it must be right. */
  private boolean drained(Logical<C> logical) {
    return !logical.left || progress.completedThrough() - logical.lastOfOld >= 0;
  }

  /**
   * Publishes the previous generation again, at any time: both slots hold what they held. The one
   * rolled back is forgotten.
   *
   * @return the generation that is current now
   * @throws TransitionException if there is no previous generation
   */
  public Generation<C> rollback(int operator) {
    Logical<C> logical = logical(operator);
    synchronized (logical) {
      Generation<C> previous = logical.previous;
      if (previous == null) {
        throw new TransitionException(
            String.format(
                Locale.ROOT,
                "nothing to roll back to: operator=%s, generation=%d, expected=a generation before it",
                logical.name,
                logical.current.number()));
      }
      aliases.turn(operator, previous.code());
      logical.current = previous;
      logical.previous = null;
      logical.leave(progress.submitted());
      return previous;
    }
  }

  /**
   * Waits until no task can run the generation that {@code operator} left last.
   *
   * @param deadlineNanos as {@link System#nanoTime}
   * @return false if the deadline passed first
   */
  public boolean awaitDrained(int operator, long deadlineNanos) {
    Logical<C> logical = logical(operator);
    boolean left;
    long last;
    synchronized (logical) {
      left = logical.left;
      last = logical.lastOfOld;
    }
    // Not inside the monitor: a rollback must not wait for this.
    return !left || progress.awaitThrough(last, deadlineNanos);
  }

  /** The operator as it stands. */
  public State<C> state(int operator) {
    Logical<C> logical = logical(operator);
    synchronized (logical) {
      boolean drained = drained(logical);
      return new State<>(
          operator, logical.name, logical.current, Optional.ofNullable(logical.previous), drained);
    }
  }

  /**
   * What messages call operator {@code number}, whatever the number: its name and, once there has
   * been more than one, the generation. Takes no lock, so it is right to ask when something hangs.
   */
  public String describe(int number) {
    Logical<C> logical = operators.get(number);
    if (logical == null) {
      return number == 0 ? "nothing" : "#" + number;
    }
    Generation<C> current = logical.current;
    if (current.number() == 1) {
      return logical.name;
    }
    String before = drained(logical) ? "" : " or the one before it";
    return "%s (generation %s%s: %s)"
        .formatted(
            logical.name, Integer.toString(current.number()), before, shortened(current.origin()));
  }

  private static String shortened(String origin) {
    return origin.length() <= MAX_ORIGIN ? origin : origin.substring(0, MAX_ORIGIN) + "...";
  }

  /** Number of logical operators. */
  public int size() {
    return operators.size();
  }

  /** Every operator as it stands, by number. */
  public List<State<C>> states() {
    int count = size();
    List<State<C>> states = new ArrayList<>(count);
    for (int operator = 1; operator <= count; operator++) {
      states.add(state(operator));
    }
    return states;
  }

  private Logical<C> logical(int operator) {
    Logical<C> logical = operators.get(operator);
    if (logical == null) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "no such operator: operator=%d, expected=1 to %d",
              operator,
              operators.size()));
    }
    return logical;
  }
}

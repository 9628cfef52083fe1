package io.gpuos.inject;

import io.gpuos.error.GpuosException;
import io.gpuos.error.TransitionException;
import io.gpuos.ir.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;

/**
 * An operator that can be replaced while tasks use it: a name, a body, and a logical operator of
 * the {@link OperatorTable} for each {@link Variant} it was used with so far. The variants change
 * generation together; none of their logical operators is shared with anything else.
 *
 * <p>Publishing compiles the new body for every variant first, waits for an earlier transition, and
 * then turns all aliases; if one does not compile, none is turned. A variant that is used for the
 * first time while there is a generation to roll back to brings in that one too, so that {@link
 * #rollback} compiles nothing and waits for nothing.
 *
 * <p>Thread-safe. Publishing and first uses of variants exclude each other; a rollback waits for
 * neither, but for aliases that are being turned.
 *
 * @param <B> what generations are made of
 * @param <C> what the device calls code
 */
public final class NamedOperator<B extends NamedOperator.Body, C> {

  /** What one generation computes. Immutable. */
  @FunctionalInterface
  public interface Body {
    /**
     * The kernel for a variant. Kernels of all bodies of an operator for one variant have the same
     * operands and are of the same form.
     *
     * @throws GpuosException if the body has no meaning for these types, or another result type
     */
    Kernel kernel(Variant variant);
  }

  /** Makes code of kernels. Thread-safe. */
  @FunctionalInterface
  public interface CodeSource<C> {
    /**
     * Compiles {@code kernel} and brings it to where workers can run it; no task does yet.
     *
     * @param name of the operator, for messages
     * @throws GpuosException if it is refused
     */
    C code(String name, Kernel kernel);
  }

  /**
   * A generation of all variants.
   *
   * @param number 1 for the first; never used twice
   * @param origin how it came to be, for people
   */
  public record Generation<B>(int number, B body, String origin) {}

  /** One variant. */
  private static final class Instance {
    final Variant variant;
    final int number;

    /** The kernel that tasks were first written for. */
    final Kernel first;

    /** Why this variant has no previous generation while the operator has one; null if it has. */
    GpuosException noWayBack;

    Instance(Variant variant, int number, Kernel first) {
      this.variant = variant;
      this.number = number;
      this.first = first;
    }
  }

  private final String name;
  private final OperatorTable<C> table;
  private final CodeSource<C> source;

  /** Held while something is compiled for this operator. Before this object's monitor. */
  private final ReentrantLock changing = new ReentrantLock();

  /** Added to with {@link #changing} and the monitor held. */
  private final Map<Variant, Instance> instances = new ConcurrentHashMap<>();

  // Guarded by this, as is every turn of an alias.
  private Generation<B> current;
  private Generation<B> previous;
  private int generations = 1;

  /**
   * @param source of code for {@code table}
   */
  public NamedOperator(
      String name, B first, String origin, OperatorTable<C> table, CodeSource<C> source) {
    this.name = name;
    this.table = table;
    this.source = source;
    this.current = new Generation<>(1, first, origin);
  }

  /** The generation that tasks submitted now run. */
  public synchronized Generation<B> current() {
    return current;
  }

  /** The generation that {@link #rollback} would publish again. */
  public synchronized Optional<Generation<B>> previous() {
    return Optional.ofNullable(previous);
  }

  /**
   * Number of the logical operator for a variant, which stays the same for good; compiles at the
   * first call.
   *
   * @throws GpuosException if the current body cannot be compiled for it
   */
  public int number(Variant variant) {
    Instance known = instances.get(variant);
    if (known != null) {
      return known.number;
    }
    changing.lock();
    try {
      while (true) {
        known = instances.get(variant);
        if (known != null) {
          return known.number;
        }
        Optional<Instance> added = tryAdd(variant);
        if (added.isPresent()) {
          return added.get().number;
        }
      }
    } finally {
      changing.unlock();
    }
  }

  /** Compiles without the monitor; empty if the operator was rolled back meanwhile. */
  private Optional<Instance> tryAdd(Variant variant) {
    Generation<B> now;
    Generation<B> before;
    synchronized (this) {
      now = current;
      before = previous;
    }
    Kernel kernel = now.body().kernel(variant);
    C code = source.code(name, kernel);
    C codeBefore = null;
    GpuosException noWayBack = null;
    if (before != null) {
      try {
        codeBefore = source.code(name, sameTasks(before.body().kernel(variant), kernel));
      } catch (GpuosException refused) {
        noWayBack = refused;
      }
    }
    synchronized (this) {
      if (current != now || previous != before) {
        return Optional.empty();
      }
      Instance instance = new Instance(variant, add(now, code, before, codeBefore), kernel);
      instance.noWayBack = noWayBack;
      instances.put(variant, instance);
      return Optional.of(instance);
    }
  }

  private int add(Generation<B> now, C code, Generation<B> before, C codeBefore) {
    if (codeBefore == null) {
      return table.add(name, code, now.origin());
    }
    int number = table.add(name, codeBefore, before.origin());
    table.publish(number, code, now.origin());
    return number;
  }

  /**
   * Compiles {@code body} for a variant and changes nothing, so that an error shows first. A device
   * that keeps its code need not compile it again.
   *
   * @throws GpuosException if it is refused
   */
  public void check(B body, Variant variant) {
    C _ = source.code(name, body.kernel(variant));
  }

  /**
   * Publishes another generation: tasks submitted after the return run {@code body}, in every
   * variant.
   *
   * @return the generation's number
   * @throws GpuosException if the body cannot be compiled for a variant in use; nothing has changed
   * @throws TransitionException if an earlier transition is not drained in time; nothing has
   *     changed
   */
  public int publish(B body, String origin) {
    changing.lock();
    try {
      List<Instance> all = List.copyOf(instances.values());
      List<C> codes = new ArrayList<>();
      for (Instance instance : all) {
        Kernel kernel = sameTasks(body.kernel(instance.variant), instance.first);
        codes.add(source.code(name, kernel));
      }
      while (true) {
        all.forEach(instance -> table.awaitTransition(instance.number));
        synchronized (this) {
          // Somebody may have rolled back since.
          if (drained()) {
            turn(all, codes, origin);
            previous = current;
            current = new Generation<>(++generations, body, origin);
            return current.number();
          }
        }
      }
    } finally {
      changing.unlock();
    }
  }

  /** The last line of defence: a task of other operands would read and write anywhere. */
  private Kernel sameTasks(Kernel kernel, Kernel as) {
    if (kernel.getClass() != as.getClass() || !kernel.operands().equals(as.operands())) {
      throw new IllegalStateException(
          "kernel of other tasks: operator=%s, operands=%s, expected=%s"
              .formatted(name, kernel.operands(), as.operands()));
    }
    return kernel;
  }

  private void turn(List<Instance> all, List<C> codes, String origin) {
    int turned = 0;
    try {
      for (; turned < all.size(); turned++) {
        table.publish(all.get(turned).number, codes.get(turned), origin);
      }
    } catch (GpuosException failure) {
      for (Instance instance : all.subList(0, turned)) {
        table.rollback(instance.number);
        instance.noWayBack = failure;
      }
      throw failure;
    }
    all.forEach(instance -> instance.noWayBack = null);
  }

  /**
   * Publishes the previous generation again, at any time. The one rolled back is forgotten.
   *
   * @return the number of the generation that is current now
   * @throws TransitionException if there is no previous generation, or a variant in use has none
   *     because that generation has no meaning for its types; nothing has changed
   */
  public synchronized int rollback() {
    if (previous == null) {
      throw new TransitionException(
          String.format(
              Locale.ROOT,
              "nothing to roll back to: operator=%s, generation=%d, expected=a generation before it",
              name,
              current.number()));
    }
    for (Instance instance : instances.values()) {
      if (instance.noWayBack != null) {
        throw new TransitionException(
            String.format(
                Locale.ROOT,
                "no way back: operator=%s, generation=%d, types=%s, expected=types that generation %d takes: %s",
                name,
                current.number(),
                instance.variant,
                previous.number(),
                instance.noWayBack.getMessage()));
      }
    }
    instances.values().forEach(instance -> table.rollback(instance.number));
    current = previous;
    previous = null;
    return current.number();
  }

  /** The variants used so far, and the number of each one's logical operator. */
  public Map<Variant, Integer> variants() {
    return instances.values().stream()
        .collect(Collectors.toUnmodifiableMap(i -> i.variant, i -> i.number));
  }

  /** Whether no task can run the generation that was left last. */
  public boolean drained() {
    return instances.values().stream().allMatch(i -> table.state(i.number).drained());
  }

  /**
   * Waits until no task can run the generation that was left last.
   *
   * @param deadlineNanos as {@link System#nanoTime}
   * @return false if the deadline passed first
   */
  public boolean awaitDrained(long deadlineNanos) {
    return instances.values().stream().allMatch(i -> table.awaitDrained(i.number, deadlineNanos));
  }

  /** The logical operators of all variants, as they stand. */
  public List<OperatorTable.State<C>> states() {
    return instances.values().stream().map(instance -> table.state(instance.number)).toList();
  }
}

package io.gpuos.layout;

import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiPredicate;
import java.util.function.ToIntFunction;

/**
 * Keeps one instance of each value in use, so that values can be compared by identity. Instances
 * are held weakly: a value nobody refers to is forgotten, so a program that sees ever new shapes
 * does not grow. Thread-safe; a look-up that hits takes no lock.
 *
 * @param <T> an immutable type; its own {@code equals} is not used, and may stay identity
 */
final class Interner<T> {

  private final ConcurrentHashMap<Object, Entry<T>> entries = new ConcurrentHashMap<>();
  private final ReferenceQueue<T> dead = new ReferenceQueue<>();
  private final ToIntFunction<T> hash;
  private final BiPredicate<T, T> equal;

  /** An empty interner; {@code hash} and {@code equal} compare content. */
  Interner(ToIntFunction<T> hash, BiPredicate<T, T> equal) {
    this.hash = hash;
    this.equal = equal;
  }

  /** The one instance equal to {@code candidate}; {@code candidate} itself if there was none. */
  T intern(T candidate) {
    forgetDead();
    Entry<T> entry = new Entry<>(candidate, this);
    while (true) {
      Entry<T> present = entries.putIfAbsent(entry, entry);
      if (present == null) {
        return candidate;
      }
      T value = present.get();
      if (value != null) {
        return value;
      }
      entries.remove(present, present);
    }
  }

  /** Number of values held, dead ones included until the next {@link #intern}. */
  int size() {
    forgetDead();
    return entries.size();
  }

  private void forgetDead() {
    for (Object entry = dead.poll(); entry != null; entry = dead.poll()) {
      entries.remove(entry, entry);
    }
  }

  /** A key equal to another by its value while alive, and to itself alone once it is dead. */
  private static final class Entry<T> extends WeakReference<T> {
    private final int hash;
    private final BiPredicate<T, T> equal;

    Entry(T value, Interner<T> owner) {
      super(value, owner.dead);
      this.hash = owner.hash.applyAsInt(value);
      this.equal = owner.equal;
    }

    @Override
    public int hashCode() {
      return hash;
    }

    @Override
    @SuppressWarnings("unchecked") // an interner holds entries of its own type only
    public boolean equals(Object other) {
      if (this == other) {
        return true;
      }
      if (!(other instanceof Entry<?> that) || hash != that.hash) {
        return false;
      }
      T mine = get();
      T theirs = (T) that.get();
      return mine != null && theirs != null && equal.test(mine, theirs);
    }
  }
}

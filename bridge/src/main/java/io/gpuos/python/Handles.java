package io.gpuos.python;

import io.gpuos.error.ClosedException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Numbers for objects that C holds. A number is never used again, so a stale one is noticed. */
final class Handles<T> {

  private final String what;
  private final Map<Long, T> objects = new ConcurrentHashMap<>();
  private final AtomicLong next = new AtomicLong(1);

  /**
   * @param what for messages: what the objects are
   */
  Handles(String what) {
    this.what = what;
  }

  long add(T object) {
    long handle = next.getAndIncrement();
    objects.put(handle, object);
    return handle;
  }

  /**
   * @throws ClosedException if there is none of that number, or no longer
   */
  T get(long handle) {
    return require(handle, objects.get(handle));
  }

  /** Those that C holds now. */
  List<T> all() {
    return List.copyOf(objects.values());
  }

  /** Takes it out; the number means nothing from now on. */
  T remove(long handle) {
    return require(handle, objects.remove(handle));
  }

  private T require(long handle, T object) {
    if (object == null) {
      throw new ClosedException(what + " closed: handle=" + handle + ", expected=one that is open");
    }
    return object;
  }
}

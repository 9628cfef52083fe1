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

  /**
   * One absence of the workers, for which the driver loaded an image. All are moments as of {@link
   * System#nanoTime}.
   *
   * @param askedNanos the workers were asked to leave
   * @param leftNanos none of them was resident any more
   * @param loadedNanos the driver had loaded the image
   * @param turnedNanos all aliases named functions of the new image
   * @param releasedNanos the workers were launched again if there was work for them; before that,
   *     old images were unloaded if too many waited for it
   */
  public record Pause(
      long askedNanos, long leftNanos, long loadedNanos, long turnedNanos, long releasedNanos) {}

  /**
   * An operator that was made interpreted, and whose compiled generation could not be published: it
   * goes on interpreted, with the same results.
   *
   * @param operator its name
   * @param reason one line
   */
  public record Failure(String operator, String reason) {}

  private final Deque<Injection> kept = new ArrayDeque<>();
  private final Deque<Pause> pauses = new ArrayDeque<>();
  private final Deque<Failure> failures = new ArrayDeque<>();
  private long count;
  private long failed;

  /** Nothing yet. */
  public Injections() {}

  /** Notes one. */
  public synchronized void add(Injection injection) {
    keep(kept, injection);
    count++;
  }

  /** Notes that the workers were away. */
  public synchronized void add(Pause pause) {
    keep(pauses, pause);
  }

  /** Notes that an operator stays interpreted. */
  public synchronized void add(Failure failure) {
    keep(failures, failure);
    failed++;
  }

  private static <T> void keep(Deque<T> last, T added) {
    if (last.size() == KEPT) {
      last.removeFirst();
    }
    last.addLast(added);
  }

  /** The last absences of the workers, oldest first; none where code comes in live. */
  public synchronized List<Pause> pauses() {
    return List.copyOf(pauses);
  }

  /** The last ones, oldest first. */
  public synchronized List<Injection> latest() {
    return List.copyOf(kept);
  }

  /** How many there were in all. */
  public synchronized long count() {
    return count;
  }

  /** The last operators that stayed interpreted, oldest first. */
  public synchronized List<Failure> failures() {
    return List.copyOf(failures);
  }

  /** How many operators stayed interpreted in all, though compiled code was asked for. */
  public synchronized long failed() {
    return failed;
  }
}

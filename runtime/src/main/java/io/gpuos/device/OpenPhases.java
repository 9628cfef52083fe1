package io.gpuos.device;

import java.util.ArrayList;
import java.util.List;

/** What opening a device spent its time on, in order. Filled by one thread, then only read. */
public final class OpenPhases {

  /**
   * One part of opening.
   *
   * @param name in words
   * @param millis it took
   */
  public record Phase(String name, double millis) {}

  private final List<Phase> phases = new ArrayList<>();
  private long begin = System.nanoTime();

  /** Begins the first phase. */
  public OpenPhases() {}

  /** Ends the phase that began with the one before, or with this object. */
  public void end(String name) {
    long now = System.nanoTime();
    phases.add(new Phase(name, (now - begin) / 1e6));
    begin = now;
  }

  /** The phases so far. */
  public List<Phase> list() {
    return List.copyOf(phases);
  }
}

package io.gpuos.cli.bench;

/**
 * A number to reach on a GPU, and what was measured.
 *
 * @param bound whether {@code goal} is the most or the least allowed
 * @param measured the median
 */
public record Goal(
    String name, Bound bound, double goal, double measured, String unit, boolean met) {

  /** On which side of the goal a measured number is to lie. */
  public enum Bound {
    /** On or below. */
    AT_MOST,
    /** On or above. */
    AT_LEAST
  }

  static Goal atMost(String name, double goal, double measured, String unit) {
    return new Goal(name, Bound.AT_MOST, goal, measured, unit, measured <= goal);
  }

  static Goal atLeast(String name, double goal, double measured, String unit) {
    return new Goal(name, Bound.AT_LEAST, goal, measured, unit, measured >= goal);
  }
}

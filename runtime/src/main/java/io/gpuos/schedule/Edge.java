package io.gpuos.schedule;

/**
 * Node {@code from} has to be complete before node {@code to} starts.
 *
 * @param kind why; the first reason where there are several
 */
public record Edge(int from, int to, Kind kind) {

  /** What would go wrong otherwise. */
  public enum Kind {
    /** {@code to} reads what {@code from} writes. */
    READ_AFTER_WRITE,
    /** {@code to} writes what {@code from} reads. */
    WRITE_AFTER_READ,
    /** {@code to} writes what {@code from} writes. */
    WRITE_AFTER_WRITE
  }
}

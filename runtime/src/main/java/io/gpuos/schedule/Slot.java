package io.gpuos.schedule;

/**
 * A temporary's share of the slab.
 *
 * @param offset in bytes
 * @param bytes its size, rounded up
 * @param first node that uses it
 * @param last node that uses it
 */
public record Slot(long offset, long bytes, int first, int last) {

  /** Stands for no memory of the slab. */
  public static final Slot NONE = new Slot(0, 0, -1, -1);
}

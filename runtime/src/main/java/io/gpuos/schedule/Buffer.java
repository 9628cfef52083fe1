package io.gpuos.schedule;

/**
 * Memory of a program: an allocation, or a temporary's share of the slab.
 *
 * @param name for explanations
 * @param bytes its size
 */
public record Buffer(Kind kind, String name, long bytes) {

  /** Who provides the memory. */
  public enum Kind {
    /** The caller, anew at every replay. */
    INPUT,
    /** The caller, once, when the program was recorded. */
    HELD,
    /** The caller or the program, anew at every replay; what the program computes. */
    OUTPUT,
    /** The program; undefined before and after a replay. */
    TEMPORARY
  }

  boolean temporary() {
    return kind == Kind.TEMPORARY;
  }
}

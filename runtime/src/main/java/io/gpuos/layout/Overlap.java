package io.gpuos.layout;

/** How the memory of two tensors, or of one with itself, meets. */
public enum Overlap {
  /** No byte in common. */
  DISJOINT,
  /** Every index names the same bytes in both: an elementwise operator may work in place. */
  IDENTICAL,
  /** Bytes in common, or none provably not, at different indices. */
  PARTIAL;

  static boolean withinItself(Layout layout) {
    return false;
  }
}

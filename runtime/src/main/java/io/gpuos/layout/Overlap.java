package io.gpuos.layout;

/**
 * How the memory of two tensors meets. Decided by {@link #between}, which is pure and thread-safe.
 *
 * <p>The question "may index {@code x} of one touch a byte of index {@code y} of the other?" is one
 * linear equation in bounded integers, {@code sum(x*s) - sum(y*t) = distance}. Strides of real
 * tensors settle it in a few steps; contrived ones can take exponentially many, and then the answer
 * errs towards {@link #PARTIAL}.
 */
public enum Overlap {
  /** No byte in common. */
  DISJOINT,
  /**
   * Both start at the same address and walk it with the same strides, so that every index names the
   * same bytes in both, and an elementwise operator may write one while it reads the other. A
   * reduction may not, unless it folds single elements.
   */
  IDENTICAL,
  /** Bytes in common, or not provably none, at different indices. */
  PARTIAL;

  /**
   * Decides for two tensors by the addresses of their first elements, in bytes. Addresses need not
   * be aligned and element types may differ.
   */
  public static Overlap between(long addressA, Layout a, long addressB, Layout b) {
    if (a.isZeroSize() || b.isZeroSize() || hullsDisjoint(addressA, a, addressB, b)) {
      return DISJOINT;
    }
    if (addressA == addressB && (a == b || walkAlike(a, b))) {
      return IDENTICAL;
    }
    return sharesByte(addressB - addressA, a, b) ? PARTIAL : DISJOINT;
  }

  /** Whether two different indices of a layout may share an element. */
  static boolean withinItself(Layout layout) {
    if (layout.elements() < 2) {
      return false;
    }
    // Two indices share an element if their difference d, not all 0, gives sum(d * stride) = 0.
    // Split by the first dimension where d is not 0; d may be taken positive there.
    for (int first = 0; first < layout.rank(); first++) {
      if (layout.size(first) < 2) {
        continue;
      }
      BoundedSum sum = new BoundedSum(layout.rank() - first);
      sum.add(layout.stride(first), 1, layout.size(first) - 1);
      for (int d = first + 1; d < layout.rank(); d++) {
        sum.add(layout.stride(d), 1 - layout.size(d), layout.size(d) - 1);
      }
      if (sum.mayReach(0, 0)) {
        return true;
      }
    }
    return false;
  }

  private static boolean hullsDisjoint(long addressA, Layout a, long addressB, Layout b) {
    return addressA + a.maxByteOffset() <= addressB + b.minByteOffset()
        || addressB + b.maxByteOffset() <= addressA + a.minByteOffset();
  }

  /** Same element size and, sizes of 1 left out, same sizes and strides. */
  private static boolean walkAlike(Layout a, Layout b) {
    if (a.dtype().bytes() != b.dtype().bytes()) {
      return false;
    }
    int i = nextLong(a, 0);
    int j = nextLong(b, 0);
    while (i < a.rank() && j < b.rank()) {
      if (a.size(i) != b.size(j) || a.stride(i) != b.stride(j)) {
        return false;
      }
      i = nextLong(a, i + 1);
      j = nextLong(b, j + 1);
    }
    return i >= a.rank() && j >= b.rank();
  }

  /** First dimension from {@code from} on with more than one element, or the rank. */
  private static int nextLong(Layout layout, int from) {
    int d = from;
    while (d < layout.rank() && layout.size(d) == 1) {
      d++;
    }
    return d;
  }

  /**
   * Byte {@code i < bytesA} of an element of a is byte {@code j < bytesB} of one of b when {@code
   * offsetA - offsetB = distance + j - i}: an interval of targets.
   */
  private static boolean sharesByte(long distance, Layout a, Layout b) {
    BoundedSum sum = new BoundedSum(a.rank() + b.rank());
    for (int d = 0; d < a.rank(); d++) {
      sum.add(a.stride(d) * a.dtype().bytes(), 0, a.size(d) - 1);
    }
    for (int d = 0; d < b.rank(); d++) {
      sum.add(-b.stride(d) * b.dtype().bytes(), 0, b.size(d) - 1);
    }
    return sum.mayReach(distance - (a.dtype().bytes() - 1), distance + (b.dtype().bytes() - 1));
  }
}

package io.gpuos.layout;

import io.gpuos.error.ShapeException;

/**
 * Decides whether a layout can be seen in another shape without moving elements. Dimensions of the
 * old shape fall into runs: neighbours where a step of the outer is one whole walk of the inner. A
 * run is a single strided line of elements, so it can be cut anew in any way; a new dimension must
 * not reach across two runs.
 */
final class Reshape {

  private Reshape() {}

  /**
   * The target shape with its -1 replaced.
   *
   * @throws ShapeException if there are two, none fits, or the number of elements differs
   */
  static long[] inferred(Layout layout, long[] target) {
    long[] shape = target.clone();
    int unknown = -1;
    for (int d = 0; d < shape.length; d++) {
      if (shape[d] == -1) {
        if (unknown >= 0) {
          throw mismatch(layout, target, "at most one size of -1");
        }
        unknown = d;
        shape[d] = 1;
      }
    }
    long known = Shapes.elements(shape);
    if (unknown >= 0) {
      if (known == 0 || layout.elements() % known != 0) {
        throw mismatch(layout, target, "sizes whose product divides " + layout.elements());
      }
      shape[unknown] = layout.elements() / known;
    } else if (known != layout.elements()) {
      throw mismatch(layout, target, layout.elements() + " elements");
    }
    return shape;
  }

  /** Strides of {@code shape} over the elements of {@code layout}, or null if a copy is needed. */
  static long[] strides(Layout layout, long[] shape) {
    if (layout.isContiguous()) {
      return Layout.contiguousStrides(shape);
    }
    long[] strides = new long[shape.length];
    int next = shape.length - 1;
    int d = layout.rank() - 1;
    while (d >= 0) {
      long unit = layout.stride(d);
      long run = layout.size(d);
      d--;
      while (d >= 0 && (layout.size(d) == 1 || run == 1 || layout.stride(d) == unit * run)) {
        unit = run == 1 ? layout.stride(d) : unit;
        run *= layout.size(d);
        d--;
      }
      long cut = 1;
      while (next >= 0 && (cut < run || shape[next] == 1)) {
        strides[next] = unit * cut;
        cut *= shape[next];
        next--;
      }
      if (cut != run) {
        return null;
      }
    }
    return strides;
  }

  private static ShapeException mismatch(Layout layout, long[] target, String expected) {
    return new ShapeException(
        "reshape does not fit: shape=%s, target=%s, expected=%s"
            .formatted(Shapes.format(layout.shape()), Shapes.format(target), expected));
  }
}

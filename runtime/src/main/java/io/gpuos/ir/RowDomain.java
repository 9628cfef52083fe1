package io.gpuos.ir;

import io.gpuos.ir.TypedNode.Operation;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The rows that folds with one shape and axes go over.
 *
 * @param shape of the folded values
 * @param axes that are folded, ascending; all others number the rows
 */
record RowDomain(List<Long> shape, List<Integer> axes) {

  /** Elements of a row that one worker may go through while others have nothing to do. */
  private static final long LONG_ROW = 16_384;

  /** Rows that are enough to keep the workers busy, whatever their length. */
  private static final long MANY_ROWS = 64;

  /** Which dimensions a value's shape is aligned to. */
  enum Frame {
    /** Those of {@link #shape}. */
    WHOLE,
    /** Those of the shape without the axes: a value that has one element a row. */
    SQUEEZED
  }

  /** A node of a graph, and how its shape is aligned. */
  record Placed(int node, Frame frame) {}

  /** The rows of a fold. */
  static RowDomain of(TypedGraph graph, int node) {
    TypedNode typed = graph.node(node);
    Operation.Fold fold = (Operation.Fold) typed.operation();
    return new RowDomain(graph.node(typed.arguments().getFirst()).shape(), fold.axes());
  }

  /**
   * Where the result of a fold over these rows, or an elementwise value that is stored, belongs;
   * empty if it has neither an element per element of a row nor one a row.
   */
  Optional<Frame> frame(List<Long> stored) {
    if (stored.equals(shape) || stored.equals(Shapes.fold(shape, axes, true))) {
      return Optional.of(Frame.WHOLE);
    }
    return stored.equals(Shapes.fold(shape, axes, false))
        ? Optional.of(squeezedFrame())
        : Optional.empty();
  }

  /** Without leading axes a shape is aligned to the same dimensions as with them. */
  private Frame squeezedFrame() {
    boolean leading = IntStream.range(0, axes.size()).allMatch(i -> axes.get(i) == i);
    return leading ? Frame.WHOLE : Frame.SQUEEZED;
  }

  /** Whether a value of that shape is the same for all elements of a row. */
  boolean isPerRow(List<Long> value, Frame frame) {
    return frame == Frame.SQUEEZED
        || axes.stream()
            .mapToInt(axis -> value.size() - shape.size() + axis)
            .allMatch(dimension -> dimension < 0 || value.get(dimension) == 1);
  }

  /**
   * Whether rows are so many, or so short, that one worker a row is no loss where all could share
   * in elementwise work.
   */
  boolean spreads() {
    List<Long> row = axes.stream().map(shape::get).toList();
    return Shapes.count(row) <= LONG_ROW
        || Shapes.count(Shapes.fold(shape, axes, false)) >= MANY_ROWS;
  }
}

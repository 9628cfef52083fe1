package io.gpuos.layout;

import java.util.ArrayList;
import java.util.List;

/**
 * The iteration space of elements that are written where an index says, along one axis of a tensor.
 *
 * <p>Kept dimensions are those of the tensor without the axis: what is written for one position of
 * them lies in one line of the tensor, and in no other. Reduced ones are the dimensions of the
 * index along which the line is written to, in their order, and last the axis itself. That one is
 * not walked: it tells the size that the index is held against and the stride it is multiplied by.
 */
public final class ScatterSpace {

  private ScatterSpace() {}

  /**
   * The space for an index of as many dimensions as the tensor, as that of {@code torch.scatter},
   * or for one whose dimensions stand in what is written where the tensor has the axis.
   *
   * @param operands the index; what is written, in whose places a size of 1 is broadcast and a
   *     larger one than the index has is cut off; the tensor
   * @param axis of the tensor, from 0
   * @throws io.gpuos.error.ShapeException if they do not fit together
   */
  public static IterationSpace of(List<Layout> operands, int axis) {
    Layout index = operands.get(0);
    Layout elements = operands.get(1);
    Layout output = operands.get(2);
    boolean aligned = elements.rank() == index.rank() && output.rank() == index.rank();
    return aligned
        ? aligned(index, elements, output, axis)
        : inserted(index, elements, output, axis);
  }

  private static IterationSpace aligned(Layout index, Layout elements, Layout output, int axis) {
    View written = View.of(elements);
    View lines = View.of(output);
    for (int d = 0; d < index.rank(); d++) {
      if (elements.size(d) > index.size(d)) {
        written = written.narrow(d, 0, index.size(d));
      }
      if (d != axis) {
        lines = lines.narrow(d, 0, index.size(d));
      }
    }
    // The index's axis comes behind the others, then the output's.
    View places = last(View.of(index), axis).unsqueeze(-1);
    lines = last(lines, axis).unsqueeze(-2);
    return space(places, last(written, axis).unsqueeze(-1), lines, 1);
  }

  private static IterationSpace inserted(Layout index, Layout elements, Layout output, int axis) {
    View places = View.of(index).unsqueeze(-1);
    View lines = last(View.of(output), axis);
    View written = View.of(elements);
    for (int k = 0; k < index.rank(); k++) {
      written = last(written, axis);
      lines = lines.unsqueeze(-2);
    }
    return space(places, written.unsqueeze(-1), lines, index.rank());
  }

  /** Of views whose last dimension is the axis, behind the walked ones. */
  private static IterationSpace space(View index, View elements, View output, int walked) {
    int rank = output.layout().rank();
    long[] shape = output.layout().shape();
    for (int d = 1; d <= walked; d++) {
      int behind = index.layout().rank() - 1 - d;
      shape[rank - 1 - d] = index.layout().size(behind);
    }
    SpaceBuilder builder = new SpaceBuilder(shape, 3);
    builder.broadcast(0, index.layout());
    builder.broadcast(1, elements.layout());
    builder.broadcast(2, output.layout());
    return builder.scatter(walked);
  }

  /** The view with a dimension moved behind the others. */
  private static View last(View view, int dim) {
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < view.layout().rank(); d++) {
      order.add(d);
    }
    order.add(order.remove(dim));
    return view.permute(order.stream().mapToInt(Integer::intValue).toArray());
  }
}

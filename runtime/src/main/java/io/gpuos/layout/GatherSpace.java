package io.gpuos.layout;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The iteration space of elements that an index picks out of a tensor along one of its axes.
 *
 * <p>It is that of a reduction: one position per element of the result, and one reduced dimension,
 * which is the source's axis. Nothing is folded: the index says which element of that dimension is
 * read. So the space tells a kernel all it needs, the size that the index is held against and the
 * stride it is multiplied by.
 */
public final class GatherSpace {

  private GatherSpace() {}

  /**
   * The space for an index of as many dimensions as the source and the result, as that of {@code
   * torch.gather}, or for one whose dimensions stand in the result where the source has the axis.
   *
   * @param operands the source; the index; inputs that broadcast to the result; last the result
   * @param axis of the source, from 0
   * @throws io.gpuos.error.ShapeException if they do not fit together
   */
  public static IterationSpace of(List<Layout> operands, int axis) {
    Layout source = operands.get(0);
    Layout index = operands.get(1);
    Layout output = operands.getLast();
    boolean aligned = source.rank() == index.rank() && output.rank() == index.rank();
    List<Layout> inputs = new ArrayList<>();
    inputs.add(aligned ? aligned(source, index, axis) : inserted(source, index.rank(), axis));
    View places = View.of(index);
    int behind = aligned ? 1 : source.rank() - axis;
    for (int k = 0; k < behind; k++) {
      places = places.unsqueeze(-1);
    }
    inputs.add(places.layout());
    for (Layout input : operands.subList(2, operands.size() - 1)) {
      inputs.add(View.of(input).unsqueeze(-1).layout());
    }
    long[] shape = Arrays.copyOf(output.shape(), output.rank() + 1);
    shape[output.rank()] = source.size(axis);
    return IterationSpace.reduction(shape, new int[] {output.rank()}, inputs, output);
  }

  /** The part of the source that is beside the index, with the axis last. */
  private static Layout aligned(Layout source, Layout index, int axis) {
    View view = View.of(source);
    for (int d = 0; d < source.rank(); d++) {
      view = d == axis ? view : view.narrow(d, 0, index.size(d));
    }
    return last(view.unsqueeze(axis), axis + 1);
  }

  /** The source with the index's dimensions in place of the axis, and the axis last. */
  private static Layout inserted(Layout source, int rank, int axis) {
    View view = View.of(source);
    for (int k = 0; k < rank; k++) {
      view = view.unsqueeze(axis);
    }
    return last(view, axis + rank);
  }

  private static Layout last(View view, int axis) {
    int rank = view.layout().rank();
    IntStream others = IntStream.range(0, rank).filter(d -> d != axis);
    return view.permute(IntStream.concat(others, IntStream.of(axis)).toArray()).layout();
  }
}

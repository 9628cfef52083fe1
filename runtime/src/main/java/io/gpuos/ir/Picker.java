package io.gpuos.ir;

import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The functions that read a tensor at places another tensor names. An index is I64 or I32; one that
 * is negative or not below the size of the axis gives NaN in floating types, 0 in the others.
 */
public enum Picker {
  /**
   * As {@code torch.gather}: element {@code [i, j, k]} of the result is {@code x[i, index[i, j, k],
   * k]} for axis 1. The index has as many axes as x, and no other axis longer than that of x.
   */
  GATHER("gather", "x, index, axis", "x where the index says along an axis; as torch.gather"),

  /**
   * As {@code torch.index_select}: the slices of x that an index of one axis names, in its order.
   */
  INDEX_SELECT(
      "index_select", "x, index, axis", "slices of x along an axis; as torch.index_select"),

  /** The rows of a table for an index of any shape: {@code weight[index[..], ..]}. */
  EMBEDDING(
      "embedding", "index, weight", "weight[index], an index of any shape; as torch's embedding");

  private final String functionName;
  private final List<Parameter> parameters;
  private final String definition;

  Picker(String functionName, String parameters, String definition) {
    this.functionName = functionName;
    this.parameters = Parameter.parseList(parameters);
    this.definition = definition;
  }

  /** What the language calls it. */
  public String functionName() {
    return functionName;
  }

  /** The tensors and the axis, in the order of a call. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /** One line on what it computes. */
  public String definition() {
    return definition;
  }

  /** The function of that name. */
  public static Optional<Picker> byName(String name) {
    return Arrays.stream(values()).filter(p -> p.functionName.equals(name)).findFirst();
  }

  /**
   * The shape of the result.
   *
   * @param axis of the source, from 0
   * @throws ShapeException if the index does not fit the source, or there is no room for one axis
   *     more
   */
  List<Long> shape(List<Long> source, List<Long> index, int axis) {
    boolean fits = this != INDEX_SELECT || index.size() == 1;
    if (this == GATHER) {
      fits = index.size() == source.size();
      for (int d = 0; fits && d < source.size(); d++) {
        fits = d == axis || index.get(d) <= source.get(d);
      }
    }
    List<Long> result = new ArrayList<>(index);
    if (this != GATHER) {
      result.addAll(0, source.subList(0, axis));
      result.addAll(source.subList(axis + 1, source.size()));
    }
    int most = io.gpuos.layout.Shapes.MAX_RANK - 1;
    if (!fits || result.size() > most) {
      throw new ShapeException(
          String.format(
              Locale.ROOT,
              "index does not fit: function=%s, source=%s, index=%s, axis=%d, expected=%s, and a result of at most %d dimensions",
              functionName,
              source,
              index,
              axis,
              this == GATHER
                  ? "as many axes, none but that one longer than the source's"
                  : this == INDEX_SELECT ? "an index of one axis" : "an index of any shape",
              most));
    }
    return result;
  }
}

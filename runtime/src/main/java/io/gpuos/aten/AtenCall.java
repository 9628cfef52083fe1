package io.gpuos.aten;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * One call of an ATen operator.
 *
 * @param index as the text numbers it; rises from call to call
 * @param name namespace, operator and overload: {@code aten::add.Tensor}
 * @param arguments by name, in the order of the schema
 * @param results in order: {@link AtenValue.Tensor}, or {@link AtenValue.None} for one nobody keeps
 */
public record AtenCall(
    int index, String name, SequencedMap<String, AtenValue> arguments, List<AtenValue> results) {

  public AtenCall {
    arguments = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(arguments));
    results = List.copyOf(results);
  }

  /** For messages: number and name. */
  @Override
  public String toString() {
    return index + " " + name;
  }
}

package io.gpuos.conformance;

import io.gpuos.ir.Expr;
import io.gpuos.ir.OracleTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/**
 * One random test: expressions, the tensors they are computed from, and where results go.
 *
 * @param inputs by name; names that no expression uses are ignored
 * @param targets where each output goes
 */
record ExpressionCase(
    List<Expr> outputs, SequencedMap<String, TensorCase> inputs, List<Destination> targets) {

  /** Where one output goes. */
  sealed interface Destination {
    /** A new tensor. */
    record Fresh() implements Destination {}

    /** A view of other memory, of which the rest must stay as it is. */
    record Into(TensorCase tensor) implements Destination {}

    /** The very tensor that is read as {@code input}. */
    record InPlace(String input) implements Destination {}
  }

  ExpressionCase {
    outputs = List.copyOf(outputs);
    targets = List.copyOf(targets);
  }

  /** The values of the inputs. */
  Map<String, OracleTensor> values() {
    Map<String, OracleTensor> values = new TreeMap<>();
    inputs.forEach((name, tensor) -> values.put(name, tensor.oracle()));
    return values;
  }

  ExpressionCase withOutputs(List<Expr> others, List<Destination> otherTargets) {
    SequencedMap<String, TensorCase> used = new LinkedHashMap<>();
    Expr.inputNames(others).forEach(name -> used.put(name, inputs.get(name)));
    return new ExpressionCase(others, used, otherTargets);
  }

  ExpressionCase withInput(String name, TensorCase tensor) {
    SequencedMap<String, TensorCase> changed = new LinkedHashMap<>(inputs);
    changed.put(name, tensor);
    return new ExpressionCase(outputs, changed, targets);
  }

  ExpressionCase withTarget(int index, Destination target) {
    List<Destination> changed = new ArrayList<>(targets);
    changed.set(index, target);
    return new ExpressionCase(outputs, inputs, changed);
  }

  /** All there is to know to reproduce the case by hand. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < outputs.size(); i++) {
      text.append(
          String.format(Locale.ROOT, "  output %d: %s -> %s%n", i, outputs.get(i), targets.get(i)));
    }
    inputs.forEach((name, tensor) -> text.append("  %s = %s%n".formatted(name, tensor)));
    return text.toString();
  }
}

package io.gpuos.inject;

import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.util.List;

/**
 * Types that a named operator is used with; each has a logical operator of its own. Shapes matter
 * only as far as types depend on them: all variants that give the same kernels should be equal.
 *
 * @param inputs types of the inputs, of shapes that stand for others
 * @param result type that the definition gives for them
 * @param stored type of the output that the result is converted to
 * @param linear whether it is elementwise and all operands lie one element behind the other
 */
public record Variant(List<TensorType> inputs, DType result, DType stored, boolean linear) {
  public Variant {
    inputs = List.copyOf(inputs);
  }

  @Override
  public String toString() {
    return inputs + " to " + stored + (linear ? ", linear" : "");
  }
}

package io.gpuos.codegen;

import io.gpuos.ir.ExpressionParser;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Rows kernels by name, as the planner makes them, of the sorts that there are. */
public final class RowKernels {

  private RowKernels() {}

  /** The only step of expressions over inputs x, w and b of the named shapes, all of one type. */
  public static ExpressionPlan.Step step(String text, DType type, long[] x, long[] w, long[] b) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", TensorType.of(type, x));
    inputs.put("w", TensorType.of(type, w));
    inputs.put("b", TensorType.of(type, b));
    List<ExpressionPlan.Step> steps =
        ExpressionPlan.of(ExpressionParser.parse(text), inputs).steps();
    if (steps.size() != 1 || !(steps.getFirst().kernel() instanceof Kernel.Rows)) {
      throw new AssertionError("not one rows kernel: " + text + ", steps=" + steps);
    }
    return steps.getFirst();
  }

  /** All sorts of operands and values: per element and per row, read and written. */
  static Kernel layerNorm() {
    String text = "m = mean(x, axis=-1, keepdim=true); layer_norm(x, w, w), m * b";
    return step(text, DType.F16, new long[] {4, 64}, new long[] {64}, new long[] {4, 1}).kernel();
  }

  /** Expressions over x, w and b with shapes such as [4, 64], [64] and [4], by name. */
  public static Map<String, String> expressions() {
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("softmax", "softmax(x)");
    texts.put("log_softmax", "log_softmax(x)");
    texts.put("logsumexp", "logsumexp(x)");
    texts.put("layer_norm", "layer_norm(x, w, w)");
    texts.put("rms_norm", "rms_norm(x, w)");
    texts.put("normalize", "normalize(x)");
    texts.put("epilogue", "sum(x * w, axis=-1) * 2 + b");
    texts.put("moments", "mean(x, axis=-1), var(x, axis=-1), max(x, axis=-1), sum(x, axis=-1) + b");
    texts.put(
        "all_outputs",
        "m = mean(x, axis=-1, keepdim=true); d = x - m; d, m, d / norm(d, axis=-1, keepdim=true)");
    texts.put("argmax", "max(x, axis=-1) + argmax(x, axis=-1)");
    texts.put("heavy", "softmax(gelu(sin(x)) * w)");
    return texts;
  }
}

package io.gpuos.python;

import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.aten.AtenGraph;
import io.gpuos.aten.InjectedOperators;
import io.gpuos.ir.TensorType;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Operators that Python injects. Thread-safe. */
final class Injections {

  private Injections() {}

  /**
   * Injects an operator into the process.
   *
   * @param signature of the function in {@code body}, which is CUDA C++; empty for an expression
   * @return its form and the names of its inputs, one a line
   */
  static String inject(List<Gpuos> runtimes, String name, String body, String signature) {
    List<String> inputs =
        signature.isEmpty()
            ? InjectedOperators.inject(runtimes, name, body)
            : InjectedOperators.inject(runtimes, CudaOperator.of(name, body, signature));
    String form = InjectedOperators.isReduction(name) ? "reduction" : "elementwise";
    return form + "\n" + String.join("\n", inputs);
  }

  /** Type and shape of the result of a graph's first call: {@code f32 [2,3]}. */
  static String infer(String graph) {
    TensorType type = InjectedOperators.result(AtenGraph.parse(graph).calls().getFirst());
    return type.dtype().name().toLowerCase(Locale.ROOT)
        + type.shape().stream().map(String::valueOf).collect(Collectors.joining(",", " [", "]"));
  }
}

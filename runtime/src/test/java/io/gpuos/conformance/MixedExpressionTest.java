package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Matrix products, rows, folds and elementwise functions in one expression, and in one program,
 * against plain loops. On the CPU device, in float64, so that a wrong plan shows and rounding does
 * not.
 */
final class MixedExpressionTest {

  private static final int GRAPHS = 400;
  private static final double TOLERANCE = 1e-6;

  private Gpuos gpu;

  @BeforeEach
  void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterEach
  void close() {
    gpu.close();
  }

  @Test
  void shouldComputeOneExpressionAsPlainLoopsDo() {
    for (long seed = 0; seed < GRAPHS; seed++) {
      MixedGraph graph = new MixedGraph(seed);
      Operator operator = Operator.of(graph.text());
      Tensor[] inputs =
          operator.inputs().stream()
              .map(name -> graph.inputs.get(Integer.parseInt(name.substring(1))))
              .map(this::upload)
              .toArray(Tensor[]::new);
      check(seed, graph, gpu.submit(operator, inputs).results());
      Arrays.stream(inputs).forEach(Tensor::close);
    }
  }

  @Test
  void shouldReplayOperationsAsPlainLoopsDo() {
    for (long seed = 0; seed < GRAPHS; seed++) {
      MixedGraph graph = new MixedGraph(seed);
      Tensor[] inputs = graph.inputs.stream().map(this::upload).toArray(Tensor[]::new);
      try (Program program = gpu.record(scope -> record(scope, graph))) {
        check(seed, graph, program.run(inputs));
      }
      Arrays.stream(inputs).forEach(Tensor::close);
    }
  }

  private static List<SymbolicTensor> record(Recording scope, MixedGraph graph) {
    Map<String, SymbolicTensor> values = new HashMap<>();
    graph.inputs.forEach(
        input -> values.put(input.name(), scope.input(DType.F64, shape(input.plain()))));
    for (MixedGraph.Value value : graph.computed) {
      Operator operator = Operator.of(value.text());
      SymbolicTensor[] operands =
          operator.inputs().stream().map(values::get).toArray(SymbolicTensor[]::new);
      values.put(value.name(), scope.apply(operator, operands));
    }
    return graph.results.stream().map(result -> values.get(result.name())).toList();
  }

  private void check(long seed, MixedGraph graph, List<Tensor> found) {
    String which = "seed " + seed + ": " + graph.text();
    assertEquals(graph.results.size(), found.size(), which);
    for (int k = 0; k < found.size(); k++) {
      PlainTensor expected = graph.results.get(k).plain();
      assertArrayEquals(shape(expected), found.get(k).shape(), which);
      assertArrayEquals(expected.values(), found.get(k).toDoubles(), TOLERANCE, which);
      found.get(k).close();
    }
  }

  private Tensor upload(MixedGraph.Value value) {
    return gpu.tensor(value.plain().values(), shape(value.plain()));
  }

  private static long[] shape(PlainTensor tensor) {
    return Arrays.stream(tensor.shape()).asLongStream().toArray();
  }
}

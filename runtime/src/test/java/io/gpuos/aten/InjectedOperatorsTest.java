package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.Program;
import io.gpuos.Tensor;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InvalidInputException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Calls of operators that were injected by name. Each test has names of its own. */
class InjectedOperatorsTest {

  private static AtenGraph graph(String operator, String arguments, String result) {
    return AtenGraph.parse(
        """
        gpuos-aten 1
        storage 0 8 input
        storage 1 8 input
        storage 2 8 output
        tensor 0 0 f32 0 [2] [1]
        tensor 1 1 f32 0 [2] [1]
        tensor 2 2 %s 0 [2] [1]
        call 0 gpuos::%s %s -> %%2
        """
            .formatted(result, operator, arguments));
  }

  private static String refusal(AtenGraph graph) {
    return AtenTable.refusal(graph.calls().getFirst()).orElse("");
  }

  @Test
  void shouldRunTheGenerationThatIsCurrent() {
    try (Gpuos gpu = Gpuos.open("cpu");
        Tensor x = gpu.tensor(new float[] {1, 2});
        Tensor y = gpu.tensor(new float[] {10, 20})) {
      assertEquals(
          List.of("x", "y"), InjectedOperators.inject(List.of(gpu), "replaced", "x * 2 + y * 0"));
      AtenGraph graph = graph("replaced", "x=%0 y=%1", "f32");
      assertEquals("", refusal(graph));
      try (Program before = AtenProgram.record(gpu, graph)) {
        assertArrayEquals(new float[] {2, 4}, before.run(x, y).getFirst().toFloats());
        InjectedOperators.inject(List.of(gpu), "replaced", "y + 3 * x");
        assertArrayEquals(new float[] {13, 26}, before.run(x, y).getFirst().toFloats());
        try (Program after = AtenProgram.record(gpu, graph)) {
          assertArrayEquals(new float[] {13, 26}, after.run(x, y).getFirst().toFloats());
        }
      }
    }
  }

  @Test
  void shouldRefuseCallsThatDoNotFit() {
    InjectedOperators.inject(List.of(), "fitting", "x + y");
    assertEquals("", refusal(graph("fitting", "x=%0 y=%1", "f32")));
    assertTrue(refusal(graph("nowhere", "x=%0 y=%1", "f32")).contains("not injected"));
    assertTrue(refusal(graph("fitting", "x=%0 y=2", "f32")).contains("no tensor"));
    assertTrue(refusal(graph("fitting", "x=%0 y=%1 z=%1", "f32")).contains("arguments"));
    assertTrue(refusal(graph("fitting", "x=%0 y=%1", "i32")).contains("another type"));
    AtenCall call = graph("nowhere", "x=%0", "f32").calls().getFirst();
    assertThrows(InvalidInputException.class, () -> InjectedOperators.result(call));
  }

  @Test
  void shouldKeepInputsFormAndTypesOfResults() {
    InjectedOperators.inject(List.of(), "kept", "x + y");
    AtenCall call = graph("kept", "x=%0 y=%1", "f32").calls().getFirst();
    assertEquals("[2]", InjectedOperators.result(call).shape().toString());
    for (String wrong : List.of("x * 2", "sum(x + y)", "1 + 2", "x, y", "x + y +")) {
      assertThrows(
          ExpressionException.class, () -> InjectedOperators.inject(List.of(), "kept", wrong));
    }
    assertThrows(DTypeException.class, () -> InjectedOperators.inject(List.of(), "kept", "x > y"));
    assertEquals("", refusal(graph("kept", "x=%0 y=%1", "f32")));
  }

  @Test
  void shouldCompileCudaSourcesWhateverDevicesThereAre() {
    String source = "__device__ float twice(float x) { return x + x; }";
    assertEquals(
        List.of("x"),
        InjectedOperators.inject(
            List.of(), CudaOperator.of("cuda_twice", source, "f32 twice(f32 x)")));
    assertThrows(
        GpuosException.class,
        () ->
            InjectedOperators.inject(
                List.of(),
                CudaOperator.of("cuda_twice", source.replace("x + x", "y"), "f32 twice(f32 x)")));
  }
}

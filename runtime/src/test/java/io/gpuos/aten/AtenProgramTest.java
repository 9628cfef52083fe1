package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Graphs as programs: memory, order and overlaps, on the CPU device. */
class AtenProgramTest {

  private Gpuos gpu;

  @BeforeEach
  void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterEach
  void close() {
    gpu.close();
  }

  private Program record(String text) {
    return AtenProgram.record(gpu, AtenGraph.parse("gpuos-aten 1\n" + text));
  }

  @Test
  void shouldPassStoragesInTheOrderOfTheText() {
    try (Program program =
            record(
                """
                storage 3 8 output
                storage 1 8 input
                storage 0 4 input
                tensor 0 1 f32 0 [2] [1]
                tensor 1 0 i32 0 [1] [1]
                tensor 2 3 f32 0 [2] [1]
                call 0 aten::sub.Tensor self=%0 other=%1 alpha=2 -> %2
                """);
        Tensor a = gpu.tensor(new float[] {1, 2}, 2);
        Tensor b = gpu.tensor(DType.I32, new long[] {3}, 1)) {
      assertEquals(List.of(a.layout(), b.layout()), program.inputs());
      assertArrayEquals(new float[] {-5, -4}, program.run(a, b).getFirst().toFloats());
      a.write(new float[] {10, 20});
      assertArrayEquals(new float[] {4, 14}, program.run(a, b).getFirst().toFloats());
    }
  }

  @Test
  void shouldWriteViewsInPlaceAndLeaveTheRest() {
    try (Program program =
            record(
                """
                storage 0 24 input
                tensor 0 0 f32 1 [2] [3]
                call 0 aten::mul_.Tensor self=%0 other=10 -> %0
                """);
        Tensor a = gpu.tensor(new float[] {1, 2, 3, 4, 5, 6}, 6)) {
      assertEquals(List.of(), program.run(a));
      assertArrayEquals(new float[] {1, 20, 3, 4, 50, 6}, a.toFloats());
    }
  }

  /** x = x + x transposed: half of the elements would be read after they were written. */
  @Test
  void shouldReadEverythingBeforeItWritesInPlace() {
    try (Program program =
            record(
                """
                storage 0 16 input
                tensor 0 0 f32 0 [2,2] [2,1]
                tensor 1 0 f32 0 [2,2] [1,2]
                call 0 aten::add_.Tensor self=%0 other=%1 alpha=1 -> %0
                call 1 aten::addmm_ self=%0 mat1=%0 mat2=%0 beta=1 alpha=1 -> %0
                """);
        Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 4)) {
      program.run(a);
      // (2 5; 5 8), and its square (29 50; 50 89) added.
      assertArrayEquals(new float[] {31, 55, 55, 97}, a.toFloats());
    }
  }

  @Test
  void shouldUseTemporariesAndOneStorageInSeveralTypes() {
    try (Program program =
            record(
                """
                storage 0 16 input
                storage 1 16 temporary
                storage 2 16 output
                tensor 0 0 f32 0 [4] [1]
                tensor 1 1 f32 0 [4] [1]
                tensor 2 1 f32 3 [4] [-1]
                tensor 3 2 i32 0 [2] [1]
                tensor 4 2 f64 1 [] []
                tensor 5 1 f32 0 [2] [1]
                call 0 aten::exp self=%0 -> %1
                call 1 aten::zero_ self=%5 -> %5
                call 2 aten::sum self=%1 dtype=dtype:f64 -> %4
                call 3 aten::argmax self=%1 dim=null keepdim=false -> %-
                call 4 aten::_to_copy self=%5 dtype=dtype:i32 -> %3
                """
                    .replace("tensor 2 1 f32 3 [4] [-1]\n", ""));
        Tensor a = gpu.tensor(new float[] {5, 5, 0, 0}, 4)) {
      Tensor result = program.run(a).getFirst();
      assertEquals(Layout.contiguous(DType.F64, 2), result.layout());
      assertArrayEquals(new double[] {0, 2}, result.toDoubles());
    }
  }

  @Test
  void shouldComputeListsOneAfterTheOther() {
    try (Program program =
            record(
                """
                storage 0 8 input
                tensor 0 0 f32 0 [1] [1]
                tensor 1 0 f32 1 [1] [1]
                call 0 aten::_foreach_add_.List self=[%0,%1] other=[%1,%0] alpha=1 ->
                """);
        Tensor a = gpu.tensor(new float[] {1, 10}, 2)) {
      program.run(a);
      assertArrayEquals(new float[] {11, 21}, a.toFloats());
    }
  }

  /** y = relu(x w), loss = mean (y - t)^2, its gradient by w, and a step against it. */
  @Test
  void shouldTrainALayer() {
    try (Program program =
            record(
                """
                storage 0 8 input
                storage 1 16 input
                storage 2 8 input
                storage 3 8 temporary
                storage 4 8 temporary
                storage 5 4 output
                storage 6 8 temporary
                storage 7 16 temporary
                storage 8 4 input
                tensor 0 0 f32 0 [1,2] [2,1]
                tensor 1 1 f32 0 [2,2] [2,1]
                tensor 2 2 f32 0 [1,2] [2,1]
                tensor 3 3 f32 0 [1,2] [2,1]
                tensor 4 4 f32 0 [1,2] [2,1]
                tensor 5 5 f32 0 [] []
                tensor 6 6 f32 0 [1,2] [2,1]
                tensor 7 7 f32 0 [2,2] [2,1]
                tensor 8 0 f32 0 [2,1] [1,2]
                tensor 9 8 f32 0 [] []
                call 0 aten::mm self=%0 mat2=%1 -> %3
                call 1 aten::relu self=%3 -> %4
                call 2 aten::mse_loss self=%4 target=%2 reduction=1 -> %5
                call 3 aten::mse_loss_backward grad_output=%9 self=%4 target=%2 reduction=1 -> %6
                call 4 aten::threshold_backward grad_output=%6 self=%4 threshold=0 -> %6
                call 5 aten::mm self=%8 mat2=%6 -> %7
                call 6 aten::add_.Tensor self=%1 other=%7 alpha=-0.5 -> %1
                """);
        Tensor x = gpu.tensor(new float[] {1, 2}, 2);
        Tensor w = gpu.tensor(new float[] {1, -1, 1, -1}, 4);
        Tensor t = gpu.tensor(new float[] {1, 0}, 2);
        Tensor one = gpu.tensor(new float[] {1}, 1)) {
      // x w = (3 -3), y = (3 0), loss = 2, gradient of y = (2 0), of w = (2 0; 4 0).
      assertArrayEquals(new float[] {2}, program.run(x, w, t, one).getFirst().toFloats());
      assertArrayEquals(new float[] {0, -1, -1, -1}, w.toFloats());
    }
  }

  @Test
  void shouldNameTheCallThatItRefuses() {
    InvalidInputException refused =
        assertThrows(
            InvalidInputException.class,
            () ->
                record(
                    """
                    storage 0 8 input
                    tensor 0 0 f32 0 [2] [1]
                    call 4 aten::nothing self=%0 -> %0
                    """));
    assertTrue(
        refused.getMessage().contains("call=4 aten::nothing, reason=operator is not in the table"),
        refused.getMessage());
  }

  @Test
  void shouldPassStoragesOfSeveralTypesAsTheWidest() {
    AtenGraph graph =
        AtenGraph.parse(
            """
            gpuos-aten 1
            storage 0 12 input
            storage 1 12 input
            storage 2 3 input
            tensor 0 0 f16 0 [1] [1]
            tensor 1 0 i32 0 [1] [1]
            tensor 2 1 f64 0 [1] [1]
            """);
    assertEquals(
        List.of(
            Layout.contiguous(DType.I32, 3),
            Layout.contiguous(DType.U8, 12),
            Layout.contiguous(DType.U8, 3)),
        graph.storages(AtenGraph.Role.INPUT).stream()
            .map(storage -> AtenProgram.layout(graph, storage))
            .toList());
  }

  @Test
  void shouldRefuseToSeeMemoryBeyondATensors() {
    try (Program program =
            gpu.record(
                scope -> {
                  SymbolicTensor x = scope.input(DType.F32, 4);
                  Layout two = Layout.contiguous(DType.F32, 2);
                  SymbolicTensor last = x.reinterpret(two, 8);
                  assertThrows(ShapeException.class, () -> x.reinterpret(two, 12));
                  assertThrows(ShapeException.class, () -> x.reinterpret(two, -4));
                  assertThrows(ShapeException.class, () -> x.reinterpret(two, 2));
                  SymbolicTensor y = scope.empty(DType.F32, 2);
                  scope.applyInto(y, Operator.of("a + 1"), last);
                  return List.of(y);
                });
        Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 4)) {
      assertArrayEquals(new float[] {4, 5}, program.run(a).getFirst().toFloats());
    }
  }
}

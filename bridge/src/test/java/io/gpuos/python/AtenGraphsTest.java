package io.gpuos.python;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.Gpuos;
import io.gpuos.error.InvalidInputException;
import io.gpuos.layout.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Graphs by the ATen table, on memory that is not the runtime's. */
class AtenGraphsTest {

  /** The output comes first, so that addresses are taken in the order of the text. */
  private static final String GRAPH =
      """
      gpuos-aten 1
      storage 0 8 output
      storage 1 8 input
      tensor 0 0 f32 0 [2] [1]
      tensor 1 1 f32 0 [2] [1]
      call 0 aten::mul.Tensor self=%1 other=3 -> %0
      call 1 aten::add_.Tensor self=%1 other=%0 alpha=1 -> %1
      """;

  private final Graphs graphs = new AtenGraphs();

  @Test
  void shouldRunOnWhateverMemoryItIsGivenAndWriteInPlace() {
    try (Gpuos gpu = Gpuos.open("cpu");
        Arena arena = Arena.ofConfined();
        Graphs.Program program = graphs.compile(gpu, GRAPH, "auto")) {
      for (int k = 1; k <= 7; k++) {
        MemorySegment in = arena.allocateFrom(ValueLayout.JAVA_FLOAT, k, -k);
        MemorySegment out = arena.allocateFrom(ValueLayout.JAVA_FLOAT, Float.NaN, Float.NaN);
        MemorySegment addresses =
            arena.allocateFrom(ValueLayout.JAVA_LONG, out.address(), in.address());
        program.replay(addresses, Graphs.NO_STREAM);
        assertArrayEquals(new float[] {3 * k, -3 * k}, out.toArray(ValueLayout.JAVA_FLOAT));
        program.replay(addresses, Graphs.NO_STREAM);
        assertArrayEquals(new float[] {16 * k, -16 * k}, in.toArray(ValueLayout.JAVA_FLOAT));
      }
      assertThrows(
          InvalidInputException.class, () -> program.replay(arena.allocate(8), Graphs.NO_STREAM));
    }
  }

  @Test
  void shouldSayWhatIsNotInTheTable() {
    List<String> refusals = graphs.refusals(GRAPH.replace("mul.Tensor", "no_such.Tensor"));
    assertEquals(List.of(false, true), refusals.stream().map(String::isEmpty).toList());
  }

  @Test
  void shouldRefuseAddressesThatNoElementCanLieAt() {
    try (Gpuos gpu = Gpuos.open("cpu")) {
      assertThrows(InvalidInputException.class, () -> gpu.wrap(0, DType.F32, 1));
      assertThrows(InvalidInputException.class, () -> gpu.wrap(4098, DType.F32, 1));
    }
  }
}

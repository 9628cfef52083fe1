package io.gpuos.interpret;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.CudaType;
import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The table of operations, and the header rendered from it. */
class OperationsTest {

  @Test
  void shouldNumberOperationsFromZeroWithoutGaps() {
    List<Operation> all = Operations.all();
    for (int i = 0; i < all.size(); i++) {
      assertEquals(i, all.get(i).number());
    }
  }

  @Test
  void shouldHaveNoOperationTwice() {
    Set<String> lines = new HashSet<>();
    for (Operation operation : Operations.all()) {
      String line = operation.cuda().replaceFirst("\\d+", "");
      assertTrue(lines.add(line), line);
    }
  }

  @Test
  void shouldRenderOneLineAnOperationAndTheirCount() {
    String header = Operations.renderHeader();
    int count = Operations.all().size();
    assertTrue(header.contains("#define GPUOS_OPERATION_COUNT " + count + "\n"), header);
    assertEquals(
        count, header.lines().filter(line -> line.matches(" {2}[A-Z]+\\(\\d+, .*")).count());
    assertTrue(header.contains(", false, add, float, float, float) \\\n"), header);
    assertTrue(header.contains(", false, where, double, bool, double, double) \\\n"), header);
    assertTrue(header.contains(", true, lgamma, double, double) \\\n"), header);
    assertTrue(header.contains(", false, convert<I8>, int, long long) \\\n"), header);
  }

  @Test
  void shouldGoLaneByLaneOnlyWhereResultsAreOfTheArgumentsSize() {
    for (Operation operation : Operations.all()) {
      if (operation.heavy()) {
        CudaType result = operation.result().get();
        assertTrue(operation.arguments().stream().allMatch(type -> type == result));
      }
    }
  }

  @Test
  void shouldHaveNoConversionThatChangesNothing() {
    assertTrue(Operations.conversion(CudaType.FLOAT, DType.F32).isEmpty());
    assertTrue(Operations.conversion(CudaType.FLOAT, DType.F16).isPresent());
    assertTrue(Operations.conversion(CudaType.BOOL, DType.BOOL).isEmpty());
    assertEquals(
        List.of(CudaType.INT), Operations.function(Function.ABS, CudaType.INT).arguments());
  }
}

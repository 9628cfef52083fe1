package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.layout.DType;
import org.junit.jupiter.api.Test;

class OperatorTest {

  @Test
  void shouldForgetTheLayoutsItMetLongAgo() {
    Operator operator = Operator.of("a * 2 + b");
    try (Gpuos gpu = Gpuos.open("cpu");
        Tensor one = gpu.tensor(DType.F32, new double[] {1})) {
      for (int size = 1; size <= 2 * Operator.MAX_BINDINGS; size++) {
        try (Tensor a = gpu.zeros(DType.F32, size);
            Tensor result = gpu.run(operator, a, one)) {
          assertEquals(1, result.toFloats()[size - 1]);
        }
        assertTrue(operator.bindings() <= Operator.MAX_BINDINGS);
      }
      assertEquals(Operator.MAX_BINDINGS, operator.bindings());
    }
    assertEquals(0, operator.bindings());
  }
}

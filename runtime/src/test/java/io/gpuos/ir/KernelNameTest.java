package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;

class KernelNameTest {

  private static Kernel kernel(String expression, DType... types) {
    Expr output = ExpressionParser.parse(expression).getFirst();
    Definition definition = Definition.of("f", output);
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (int k = 0; k < definition.inputs().size(); k++) {
      inputs.put(definition.inputs().get(k), TensorType.of(types[k % types.length], 4));
    }
    return definition.step("f", inputs, definition.result(inputs).dtype()).kernel();
  }

  @Test
  void shouldReadLikeTheExpression() {
    assertEquals("relu((x0 * x1) + x2): f32", KernelName.of(kernel("relu(a * b + c)", DType.F32)));
    assertEquals("x0 - (x1 - 2): i64", KernelName.of(kernel("a - (b - 2)", DType.I64)));
    assertEquals("sum(x0 * x0): f64", KernelName.of(kernel("sum(a * a)", DType.F64)));
    assertEquals("cast(x0, f16): f16", KernelName.of(kernel("cast(a, f16)", DType.F32)));
  }

  @Test
  void shouldNameFunctionsInCuda() {
    ForeignFunction swish = ForeignFunction.of("f32 swish(f32 x)", "swish.cu", "source");
    Kernel kernel =
        new Kernel.Elementwise(
            List.of(
                new Kernel.Operand(Kernel.Role.INPUT, DType.F32),
                new Kernel.Operand(Kernel.Role.OUTPUT, DType.F32)),
            List.of(new Kernel.Node.Load(0, DType.F32), new Kernel.Node.Foreign(swish, List.of(0))),
            List.of(new Kernel.Store(1, 1)));
    assertEquals("swish(x0): f32", KernelName.of(kernel));
  }

  /** Written out, the shared nodes would be 2^200 terms. */
  @Test
  void shouldStayShortHoweverLargeTheKernel() {
    StringBuilder shared = new StringBuilder("t0 = x * x");
    for (int k = 1; k < 60; k++) {
      shared.append(String.format(Locale.ROOT, "; t%d = hypot(t%d, t%d)", k, k - 1, k - 1));
    }
    String name = KernelName.of(kernel(shared + "; t59 + 1", DType.F64));
    assertTrue(name.length() <= KernelName.MAX_LENGTH, name);
    assertTrue(name.endsWith(": f64"), name);
    assertTrue(name.contains("..."), name);
  }
}

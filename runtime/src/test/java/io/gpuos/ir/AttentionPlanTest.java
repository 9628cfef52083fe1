package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention as it is parsed, typed, planned and verified. */
class AttentionPlanTest {

  private static final TensorType Q = f32(2, 5, 16);
  private static final TensorType K = f32(2, 7, 16);
  private static final TensorType V = f32(2, 7, 9);

  private static TensorType f32(long... shape) {
    return TensorType.of(DType.F32, shape);
  }

  private static ExpressionPlan plan(String text, TensorType... types) {
    List<Expr> outputs = ExpressionParser.parse(text);
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (String name : Expr.inputNames(outputs)) {
      inputs.put(name, types[inputs.size()]);
    }
    return ExpressionPlan.of(outputs, inputs);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "attention(q, k, v)",
        "attention(q, k, v, m)",
        "attention(q, k, v, causal=true)",
        "attention(q, k, v, m < 2, causal=true, scale=0.25) + 1",
        "attention(q, k, v, scale=-2.0)"
      })
  void shouldPrintWhatItReads(String text) {
    Expr expr = ExpressionParser.parseSingle(text);
    assertEquals(text, expr.toString());
    assertEquals(expr, ExpressionParser.parseSingle(expr.toString()));
    assertEquals(List.of(expr), Substitution.apply(List.of(expr), java.util.Map.of()));
  }

  @Test
  void shouldReadCallsAsPyTorchUsersWriteThem() {
    assertEquals(
        ExpressionParser.parseSingle("attention(q, k, v, m, causal=true)"),
        ExpressionParser.parseSingle(
            "attention(query=q, key=k, value=v, attn_mask=m, is_causal=true)"));
    Expr plain = ExpressionParser.parseSingle("attention(q, k, v)");
    assertNotEquals(plain, ExpressionParser.parseSingle("attention(q, k, v, causal=true)"));
    assertNotEquals(plain, ExpressionParser.parseSingle("attention(q, k, v, scale=1)"));
    for (String text :
        List.of(
            "attention(q, k)",
            "attention(q, k, v, causal=1)",
            "attention(q, k, v, scale=k)",
            "attention(q, k, v, scale=true)")) {
      assertThrows(ExpressionException.class, () -> ExpressionParser.parseSingle(text), text);
    }
  }

  @Test
  void shouldBeOneKernelWithWhatFollows() {
    ExpressionPlan plan = plan("attention(q, k, v, m) * 2 + r", Q, K, V, f32(5, 7), f32(9));
    assertEquals(1, plan.steps().size());
    assertEquals(List.of(f32(2, 5, 9)), plan.outputs());
    assertEquals(List.of(2L, 5L, 9L, 7L), plan.steps().getFirst().shape());
    Kernel kernel = plan.steps().getFirst().kernel();
    assertEquals("(attention(x0, x1, x2) * 2.0) + x4: f32", KernelName.of(kernel));
    assertEquals(
        "attention scale 0.25 masked (input f32, input f32, input f32, input f32, input f32,"
            + " output f32)",
        KernelText.of(kernel).lines().findFirst().orElseThrow());
  }

  @Test
  void shouldNotTakeMoreOperandsThanAKernelHas() {
    StringBuilder text = new StringBuilder("attention(q, k, v, m)");
    TensorType[] types = new TensorType[10];
    List.of(Q, K, V, f32(5, 7)).toArray(types);
    for (int i = 4; i < 10; i++) {
      text.append(" + x").append(i);
      types[i] = f32(2, 5, 9);
    }
    ExpressionPlan plan = plan(text.toString(), types);
    assertTrue(plan.steps().size() > 1);
    plan.steps().forEach(step -> Verifier.verify(step.kernel()));
  }

  @Test
  void shouldPutComputedFactorsAndMasksOfOtherTypesIntoMemory() {
    ExpressionPlan plan =
        plan("attention(q * 2, k, v, m)", Q, K, V, TensorType.of(DType.F64, 5, 7));
    assertEquals(3, plan.steps().size());
    assertEquals(List.of(f32(2, 5, 16), f32(5, 7)), plan.temporaries());
    ExpressionPlan truth = plan("attention(q, k, v, m)", Q, K, V, TensorType.of(DType.BOOL, 5, 7));
    assertEquals(1, truth.steps().size());
  }

  @Test
  void shouldRefuseWhatDoesNotFit() {
    ShapeException depth =
        assertThrows(ShapeException.class, () -> plan("attention(q, k, v)", Q, f32(2, 7, 15), V));
    assertEquals(
        "shapes do not fit: function=attention, q=[2, 5, 16], k=[2, 7, 15], v=[2, 7, 9],"
            + " expected=query and key with the same last size",
        depth.getMessage());
    List<TensorType[]> others =
        List.of(
            new TensorType[] {Q, K, f32(2, 6, 9)},
            new TensorType[] {Q, K, f32(3, 7, 9)},
            new TensorType[] {f32(16), K, V},
            new TensorType[] {Q, K, V, f32(5, 6)},
            new TensorType[] {Q, K, V, f32(3, 2, 5, 7)});
    for (TensorType[] types : others) {
      String text = types.length > 3 ? "attention(q, k, v, m)" : "attention(q, k, v)";
      assertThrows(ShapeException.class, () -> plan(text, types), () -> List.of(types).toString());
    }
    assertThrows(ShapeException.class, () -> plan("attention(q, k, v, 1)", Q, K, V));
    TensorType wide = TensorType.of(DType.F64, 2, 5, 16);
    assertThrows(DTypeException.class, () -> plan("attention(q, k, v)", wide, wide, wide));
    assertThrows(DTypeException.class, () -> plan("attention(q, k, v)", Q, wide, wide));
    TensorType counts = TensorType.of(DType.I32, 5, 7);
    assertThrows(DTypeException.class, () -> plan("attention(q, k, v, m)", Q, K, V, counts));
    ExpressionException live =
        assertThrows(
            ExpressionException.class,
            () -> Definition.of("f", ExpressionParser.parseSingle("attention(q, k, v)")));
    assertTrue(live.getMessage().contains("no attention"), live.getMessage());
  }

  @Test
  void shouldRefuseBrokenKernels() {
    Verifier.verify(kernel(0, true, DType.F32, DType.F32, DType.F32, DType.BOOL));
    List<Kernel> broken =
        List.of(
            kernel(1, false, DType.F32, DType.F32, DType.F32),
            kernel(3, true, DType.F32, DType.F32, DType.F32, DType.F32),
            kernel(0, true, DType.F32, DType.F32, DType.F32),
            kernel(0, true, DType.F32, DType.F32, DType.F32, DType.F16),
            kernel(0, false, DType.F32, DType.F16, DType.F32),
            kernel(0, false, DType.F64, DType.F64, DType.F64));
    for (Kernel kernel : broken) {
      assertThrows(IllegalStateException.class, () -> Verifier.verify(kernel), kernel::toString);
    }
  }

  private static Kernel kernel(int loaded, boolean masked, DType... inputs) {
    List<Operand> operands =
        IntStream.rangeClosed(0, inputs.length)
            .mapToObj(
                k ->
                    k < inputs.length
                        ? new Operand(Role.INPUT, inputs[k])
                        : new Operand(Role.OUTPUT, inputs[0]))
            .toList();
    List<Node> nodes = List.of(new Node.Load(loaded, inputs[0]));
    return new Kernel.Attention(operands, nodes, 0, masked, false, 1);
  }
}

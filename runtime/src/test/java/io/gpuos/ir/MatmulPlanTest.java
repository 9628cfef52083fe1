package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.ExpressionPlan.Step;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Matrix products as they are parsed, typed and planned. */
class MatmulPlanTest {

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

  private static List<String> kernels(ExpressionPlan plan) {
    List<String> kernels = new ArrayList<>();
    for (Step step : plan.steps()) {
      kernels.add(KernelName.of(step.kernel()));
    }
    return kernels;
  }

  @Test
  void shouldReadAndPrintProducts() {
    Expr product = Expr.input("x").matmul(Expr.input("w"));
    assertEquals(product, ExpressionParser.parseSingle("matmul(x, w)"));
    assertEquals(product, ExpressionParser.parseSingle("matmul(x, other=w)"));
    assertEquals(product, Expr.call("matmul", Expr.input("x"), Expr.input("w")));
    assertEquals("matmul(x, w) + 1", product.add(Expr.of(1)).toString());
    assertEquals(product.hashCode(), ExpressionParser.parseSingle("matmul(x, w)").hashCode());
    assertTrue(!product.equals(Expr.input("w").matmul(Expr.input("x"))));
    assertThrows(ExpressionException.class, () -> ExpressionParser.parseSingle("matmul(x)"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          3 4     | 4 5     | 3 5
          4       | 4       |
          4       | 4 5     | 5
          3 4     | 4       | 3
          7 3 4   | 4       | 7 3
          4       | 7 4 5   | 7 5
          2 1 3 4 | 6 4 5   | 2 6 3 5
          3 0     | 0 5     | 3 5
          0 4     | 4 5     | 0 5
          """)
  void shouldGiveTheShapeThatTorchGives(String a, String b, String expected) {
    assertEquals(
        List.of(f32(shape(expected))),
        plan("matmul(a, b)", f32(shape(a)), f32(shape(b))).outputs());
  }

  private static long[] shape(String text) {
    return text == null
        ? new long[0]
        : Arrays.stream(text.trim().split(" ")).mapToLong(Long::parseLong).toArray();
  }

  @Test
  void shouldRefuseWhatHasNoProduct() {
    ShapeException inner =
        assertThrows(ShapeException.class, () -> plan("matmul(a, b)", f32(3, 4), f32(5, 4)));
    assertEquals(
        "sizes to be summed differ: function=matmul, a=[3, 4], b=[5, 4], expected=the last of a,"
            + " 4, as the last but one of b, 5",
        inner.getMessage());
    assertThrows(ShapeException.class, () -> plan("matmul(a, b)", f32(), f32(5)));
    assertThrows(ShapeException.class, () -> plan("matmul(a, 2)", f32(3, 3)));
    assertThrows(ShapeException.class, () -> plan("matmul(a, b)", f32(2, 3, 4), f32(3, 4, 5)));
    assertThrows(
        ShapeException.class,
        () -> plan("matmul(a, b)", f32(1, 1, 1, 1, 1, 1, 3, 4), f32(1, 1, 1, 1, 1, 1, 4, 5)));
    DTypeException types =
        assertThrows(
            DTypeException.class,
            () -> plan("matmul(a, b)", TensorType.of(DType.F16, 2, 2), f32(2, 2)));
    assertEquals(
        "type has no meaning for the function: function=matmul, a=f16, b=f32, expected=factors of"
            + " one type, as cast(..., f16)",
        types.getMessage());
    TensorType bool = TensorType.of(DType.BOOL, 2, 2);
    assertThrows(DTypeException.class, () -> plan("matmul(a, b)", bool, bool));
  }

  @Test
  void shouldComputeWithTheProductInItsKernel() {
    ExpressionPlan plan = plan("relu(matmul(x, w) + b)", f32(8, 16), f32(16, 32), f32(32));

    Step step = plan.steps().getFirst();
    assertEquals(List.of("relu(matmul(x0, x1) + x2): f32"), kernels(plan));
    assertInstanceOf(Kernel.Contraction.class, step.kernel());
    assertEquals(List.of(8L, 32L, 16L), step.shape());
    assertEquals(List.of(0), step.axes());
    assertEquals(List.of(), plan.temporaries());
    assertEquals(
        "contraction(input f32, input f32, input f32, output f32)\n"
            + "%0 = load 0: f32\n%1 = load 2: f32\n%2 = add %0 %1: f32\n%3 = relu %2: f32\n"
            + "store 3 = %3\n",
        KernelText.of(step.kernel()));
  }

  @Test
  void shouldReadAndPrintFunctionsOfProducts() {
    Expr x = Expr.input("x");
    Expr w = Expr.input("w");
    assertEquals(x.linear(w), ExpressionParser.parseSingle("linear(x, w)"));
    assertEquals("linear(x, w) + b", ExpressionParser.parseSingle("linear(x, w, b)").toString());
    assertEquals(
        "linear(x, w) + b",
        ExpressionParser.parseSingle("linear(input=x, weight=w, bias=b)").toString());
    assertEquals("linear(x, w)", ExpressionParser.parseSingle("linear(x, w, none)").toString());
    assertEquals("b + matmul(x, w)", ExpressionParser.parseSingle("addmm(b, x, w)").toString());
    assertEquals(
        "b * 2 + matmul(x, w) * 0.5",
        ExpressionParser.parseSingle("baddbmm(b, x, w, beta=2, alpha=0.5)").toString());
    assertEquals("matmul(x, w)", ExpressionParser.parseSingle("addmm(b, x, w, beta=0)").toString());
    assertTrue(!x.linear(w).equals(x.matmul(w)));
    assertTrue(!x.linear(w).toString().equals(x.matmul(w).toString()));
    assertThrows(ExpressionException.class, () -> ExpressionParser.parseSingle("linear(x)"));
    assertThrows(
        ExpressionException.class, () -> ExpressionParser.parseSingle("addmm(none, x, w)"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          3 4   | 5 4   | 3 5
          4     | 5 4   | 5
          3 4   | 4     | 3
          4     | 4     |
          7 3 4 | 2 1 5 4 | 2 7 3 5
          """)
  void shouldGiveTheShapeOfALinearLayer(String x, String w, String expected) {
    assertEquals(
        List.of(f32(shape(expected))),
        plan("linear(x, w)", f32(shape(x)), f32(shape(w))).outputs());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          gelu(linear(x, w, b))
          relu(linear(x, w, b)) * 0.5 + r
          addmm(b, x, linear_w, alpha=0.5, beta=2)
          baddbmm(r, x, linear_w)
          cast(linear(x, w), f16)
          """)
  void shouldPlanALayerAsOneKernel(String text) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", f32(8, 16));
    inputs.put("w", f32(32, 16));
    inputs.put("linear_w", f32(16, 32));
    inputs.put("b", f32(32));
    inputs.put("r", f32(8, 32));
    ExpressionPlan plan = ExpressionPlan.of(ExpressionParser.parse(text), inputs);
    assertEquals(1, plan.steps().size());
    assertInstanceOf(Kernel.Contraction.class, plan.steps().getFirst().kernel());
  }

  @Test
  void shouldNameTheAxisOfTheWeightThatDoesNotFit() {
    ShapeException inner =
        assertThrows(ShapeException.class, () -> plan("linear(x, w)", f32(3, 4), f32(4, 5)));
    assertEquals(
        "sizes to be summed differ: function=linear, x=[3, 4], w=[4, 5], expected=the last of a,"
            + " 4, as the last of b, 5",
        inner.getMessage());
  }

  @Test
  void shouldReadAFactorAgainWhereTheExpressionNeedsIt() {
    ExpressionPlan plan = plan("matmul(x, w) * x", f32(4, 4), f32(4, 4));
    assertEquals(
        List.of(
            new Source.Input(0), new Source.Input(1), new Source.Input(0), new Source.Output(0)),
        plan.steps().getFirst().operands());
  }

  @Test
  void shouldChainLayersThroughTemporaries() {
    ExpressionPlan plan =
        plan("matmul(relu(matmul(x, w) + b), v)", f32(2, 3), f32(3, 4), f32(4), f32(4, 5));
    assertEquals(List.of("relu(matmul(x0, x1) + x2): f32", "matmul(x0, x1): f32"), kernels(plan));
    assertEquals(List.of(f32(2, 4)), plan.temporaries());
  }

  @Test
  void shouldKeepAProductThatOthersNeedToo() {
    TensorType square = f32(4, 4);
    assertEquals(
        List.of("matmul(x0, x1): f32", "x0 - max(x0): f32"),
        kernels(plan("t = matmul(a, b); t - max(t)", square, square)));
    assertEquals(
        List.of("matmul(x0, x1): f32", "relu(x0): f32"),
        kernels(plan("t = matmul(a, b); t, relu(t)", square, square)));
    assertEquals(
        List.of("matmul(x0, x1): f32", "relu(x0), exp(x0): f32, f32"),
        kernels(plan("t = matmul(a, b); relu(t), exp(t)", square, square)));
    assertEquals(
        List.of("relu(matmul(x0, x1)): f32", "sum(x0): f32"),
        kernels(plan("sum(relu(matmul(a, b)))", square, square)));
  }

  @Test
  void shouldLetTheFirstOfTwoResultsHaveTheProduct() {
    TensorType square = f32(4, 4);
    assertEquals(
        List.of("relu(matmul(x0, x1)): f32", "exp(x0): f32"),
        kernels(plan("t = relu(matmul(a, b)); t, exp(t)", square, square)));
  }

  @Test
  void shouldPutOneOfTwoProductsIntoMemory() {
    TensorType square = f32(4, 4);
    ExpressionPlan plan = plan("tanh(matmul(a, b) + matmul(c, d))", square, square, square, square);
    assertEquals(2, plan.steps().size());
    plan.steps().forEach(s -> assertInstanceOf(Kernel.Contraction.class, s.kernel()));
    assertEquals(List.of(square), plan.temporaries());
  }

  @Test
  void shouldStoreFactorsThatAreComputed() {
    ExpressionPlan plan =
        plan("matmul(cast(a, f32), b + 1)", TensorType.of(DType.F16, 2, 3), f32(3, 4));
    assertEquals("matmul(x0, x1): f32", kernels(plan).getLast());
    assertEquals(List.of(f32(2, 3), f32(3, 4)), plan.temporaries());
  }

  @Test
  void shouldNotFuseMoreThanAKernelHolds() {
    StringBuilder text = new StringBuilder("matmul(a, b)");
    List<TensorType> types = new ArrayList<>(List.of(f32(4, 4), f32(4, 4)));
    for (int k = 0; k < 12; k++) {
      text.append(" + x").append(k);
      types.add(f32(4, 4));
    }
    ExpressionPlan plan = plan(text.toString(), types.toArray(TensorType[]::new));
    assertTrue(plan.steps().size() <= 4, () -> "steps: " + kernels(plan));
    plan.steps().forEach(step -> Verifier.verify(step.kernel()));
  }

  @Test
  void shouldRefuseALiveOperator() {
    ExpressionException refused =
        assertThrows(
            ExpressionException.class,
            () -> Definition.of("f", ExpressionParser.parseSingle("matmul(a, b)")));
    assertTrue(refused.getMessage().contains("no matrix product"), refused.getMessage());
  }
}

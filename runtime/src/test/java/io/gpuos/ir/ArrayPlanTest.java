package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Functions of whole tensors as they are parsed, typed and planned. */
class ArrayPlanTest {

  private static final TensorType X = TensorType.of(DType.F32, 3, 4);

  private static ExpressionPlan plan(String text, TensorType... types) {
    List<Expr> outputs = ExpressionParser.parse(text);
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (String name : Expr.inputNames(outputs)) {
      inputs.put(name, types[inputs.size()]);
    }
    return ExpressionPlan.of(outputs, inputs);
  }

  private static TensorType index(long... shape) {
    return TensorType.of(DType.I64, shape);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cumsum(x + 1, -1)",
        "scatter(x, 1, i, s) * 2",
        "scatter_add(x, -1, cast(i, i64), 0.5)",
        "index_add(x, 0, i, s)",
        "index_put(x, i, s, true)",
        "position(x, 1)",
        "full([2, 3], -1)",
        "full([], nan)",
        "full_like(x, inf)",
        "arange(0, 5, 1)",
        "eye(3)",
        "eye(3, 4)",
        "tril(x, -1)",
        "pad(x, [1, -2], 0.5)",
        "batch_norm(x, m, v, w, 0, 0.1)"
      })
  void shouldPrintWhatItReads(String text) {
    Expr expr = ExpressionParser.parseSingle(text);
    assertEquals(text, expr.toString());
    assertEquals(expr, ExpressionParser.parseSingle(expr.toString()));
  }

  @Test
  void shouldReadCallsAsPyTorchUsersWriteThem() {
    for (String[] same :
        new String[][] {
          {"cumsum(x, dim=1)", "cumsum(x, 1)"},
          {"index_add(x, dim=0, index=i, source=s)", "index_add(x, 0, i, s)"},
          {"scatter(x, 1, i, value=0.5)", "scatter(x, 1, i, 0.5)"},
          {"arange(5)", "arange(0, 5, 1)"},
          {"arange(end=5, start=2)", "arange(2, 5)"},
          {"full(size=(2, 3), fill_value=1)", "full([2, 3], 1)"},
          {"full(3, 1)", "full([3], 1)"},
          {"eye(n=3, m=none)", "eye(3)"},
          {"triu(input=x)", "triu(x, 0)"},
          {"index_put(x, i, v)", "index_put(x, i, v, accumulate=false)"},
          {"batch_norm(x, m, v, weight=none)", "batch_norm(x, m, v)"},
        }) {
      assertEquals(
          ExpressionParser.parseSingle(same[0]), ExpressionParser.parseSingle(same[1]), same[0]);
    }
    assertNotEquals(
        ExpressionParser.parseSingle("cumsum(x, 0)"), ExpressionParser.parseSingle("cumsum(x, 1)"));
    assertNotEquals(
        ExpressionParser.parseSingle("tril(x)"), ExpressionParser.parseSingle("triu(x)"));
    for (String wrong :
        List.of(
            "cumsum(x)",
            "cumsum(x, [0])",
            "cumsum(x, none)",
            "cumsum(x, 1.5)",
            "tril(x, true)",
            "index_put(x, i, s, 1)",
            "full(x, 1)",
            "pad(x, 0.5)",
            "scatter(x, 0, i)")) {
      assertThrows(ExpressionException.class, () -> ExpressionParser.parseSingle(wrong), wrong);
    }
  }

  @Test
  void shouldSumInOneKernelWhatIsComputedOnTheWay() {
    ExpressionPlan plan = plan("cumsum(x * 2, 1)", X);
    assertEquals(1, plan.steps().size());
    assertEquals(
        "scan(input f32, output f32)\n"
            + "%0 = load 0: f32\n%1 = constant 2.0: f32\n%2 = mul %0 %1: f32\n"
            + "store 1 = sums up to %2\n",
        KernelText.of(plan.steps().getFirst().kernel()));
    assertEquals("cumsum(x0 * 2.0): f32", KernelName.of(plan.steps().getFirst().kernel()));
    assertEquals(
        DType.I64, plan("cumsum(x, 0)", TensorType.of(DType.BOOL, 3)).outputs().getFirst().dtype());
  }

  @Test
  void shouldWriteIntoTheResult() {
    ExpressionPlan plan = plan("scatter(x + 1, 1, i, s)", X, index(3, 2), X);
    assertEquals(2, plan.steps().size());
    assertEquals(List.of(), plan.temporaries());
    assertInstanceOf(Kernel.Elementwise.class, plan.steps().get(0).kernel());
    Kernel written = plan.steps().get(1).kernel();
    assertEquals("scatter(input i64, input f32, output f32)\nstore\n", KernelText.of(written));
    assertEquals("scatter(x0, x1): f32", KernelName.of(written));
    assertEquals(
        "scatter(input i64, input f32, output f32)\nadd, negative from the end\n",
        KernelText.of(
            plan("index_put(x, i, s, true)", X, index(), TensorType.of(DType.F32, 4))
                .steps()
                .get(1)
                .kernel()));
  }

  /** What is written to is not lost where others read it. */
  @Test
  void shouldComputeWhatIsWrittenToForOthersToo() {
    ExpressionPlan plan = plan("y = x * 2; scatter(y, 1, i, s), sum(y)", X, index(3, 2), X);
    for (ExpressionPlan.Step step : plan.steps()) {
      if (step.kernel() instanceof Kernel.Reduction) {
        assertEquals(new ExpressionPlan.Source.Output(1), step.operands().getLast());
        assertEquals(new ExpressionPlan.Source.Input(0), step.operands().getFirst());
      }
    }
  }

  /** Rows that read what was written come after the number that was. */
  @Test
  void shouldProvideNumbersBeforeTheyAreWritten() {
    ExpressionPlan plan =
        plan("x / sum(x, axis=1, keepdim=true) + scatter(z, 1, i, 5)", X, X, index(3, 2));
    List<ExpressionPlan.Step> steps = plan.steps();
    int written =
        IntStream.range(0, steps.size())
            .filter(k -> steps.get(k).kernel() instanceof Kernel.Scatter)
            .findFirst()
            .orElseThrow();
    ExpressionPlan.Source number = steps.get(written).operands().get(1);
    assertTrue(
        steps.subList(0, written).stream().anyMatch(step -> step.operands().contains(number)));
  }

  @Test
  void shouldNotReadWhatOnlyTellsAShape() {
    ExpressionPlan plan = plan("full_like(x, 2)", X);
    assertEquals(1, plan.steps().size());
    assertEquals(List.of(new ExpressionPlan.Source.Output(0)), plan.steps().getFirst().operands());
    assertEquals(X, plan.outputs().getFirst());
  }

  /** The places are one short row for each axis. */
  @Test
  void shouldMakeAMaskOfPlaces() {
    ExpressionPlan plan = plan("tril(x)", X);
    assertEquals(
        List.of(TensorType.of(DType.I64, 3, 1), TensorType.of(DType.I64, 1, 4)),
        plan.temporaries());
    assertEquals(3, plan.steps().size());
  }

  @Test
  void shouldRefuseWhatDoesNotFit() {
    assertThrows(ShapeException.class, () -> plan("cumsum(x, 2)", X));
    assertThrows(ShapeException.class, () -> plan("cumsum(x, 9223372036854775807)", X));
    assertThrows(ShapeException.class, () -> plan("eye(4294967296, 4294967296)"));
    assertThrows(
        ShapeException.class, () -> plan("arange(-9223372036854775807, 9223372036854775807)"));
    assertThrows(ShapeException.class, () -> plan("scatter(x, 0, i, s)", X, index(3), X));
    assertThrows(ShapeException.class, () -> plan("scatter(x, 0, i, s)", X, index(1, 5), X));
    assertThrows(ShapeException.class, () -> plan("index_copy(x, 0, i, s)", X, index(), X));
    assertThrows(ShapeException.class, () -> plan("index_put(1, 0, 0)"));
    assertThrows(ShapeException.class, () -> plan("full([1, -1], 0)"));
    assertThrows(ShapeException.class, () -> plan("full([1, 1, 1, 1, 1, 1, 1, 1, 1], 0)"));
    assertThrows(DTypeException.class, () -> plan("scatter(x, 0, i, s)", X, X, X));
    assertThrows(
        DTypeException.class,
        () -> plan("scatter(x, 0, i, s)", X, index(3, 4), TensorType.of(DType.F64, 3, 4)));
    assertThrows(ExpressionException.class, () -> plan("full_like(x, x)", X));
  }

  @Test
  void shouldRefuseToBeReplaced() {
    Expr expr = ExpressionParser.parseSingle("cumsum(x, 0)");
    assertThrows(ExpressionException.class, () -> Definition.of("f", expr));
  }
}

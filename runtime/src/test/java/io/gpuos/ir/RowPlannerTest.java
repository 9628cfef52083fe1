package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ExpressionException;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.ExpressionPlan.Step;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is computed together row by row, and what is not. */
class RowPlannerTest {

  /** Over x of that shape, w like its last axis, b like its first ones. */
  private static ExpressionPlan plan(String text, long... x) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", TensorType.of(DType.F32, x));
    inputs.put("w", TensorType.of(DType.F32, x[x.length - 1]));
    inputs.put("b", TensorType.of(DType.F32, Arrays.copyOf(x, x.length - 1)));
    return ExpressionPlan.of(ExpressionParser.parse(text), inputs);
  }

  private static List<String> kinds(ExpressionPlan plan) {
    return plan.steps().stream().map(step -> step.kernel().getClass().getSimpleName()).toList();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "softmax(x)",
        "softmax(x, axis=0)",
        "softmax(x, axis=none)",
        "log_softmax(x)",
        "logsumexp(x)",
        "logsumexp(x, axis=[0, 1], keepdim=true)",
        "layer_norm(x)",
        "layer_norm(x, w, w)",
        "layer_norm(x, axis=[-2, -1])",
        "rms_norm(x, w)",
        "normalize(x)",
        "sum(x, axis=-1) * 2 + b",
        "sum(x, axis=0) * 2 + w",
        "sqrt(mean(x * w, axis=-1, keepdim=true) + 1)",
        "sum(x, axis=-1), max(x, axis=-1)",
        "sum(x, axis=-1) / max(x, axis=-1)",
        "m = mean(x, axis=-1, keepdim=true); m, x - m, var(x, axis=-1)",
        "x - mean(x)"
      })
  void shouldBeOneKernel(String text) {
    ExpressionPlan plan = plan(text, 6, 10);
    assertEquals(List.of("Rows"), kinds(plan));
    assertEquals(List.of(), plan.temporaries());
  }

  @Test
  void shouldLeaveASingleReductionAsItIs() {
    assertEquals(List.of("Reduction"), kinds(plan("sum(x * w, axis=-1)", 6, 10)));
  }

  /** Without keepdim, sums of a square matrix broadcast along its rows, not over them. */
  @Test
  void shouldNotTakeARowsResultForItsElements() {
    assertEquals(List.of("Reduction", "Elementwise"), kinds(plan("x - sum(x, axis=1)", 7, 7)));
    assertEquals(List.of("Rows"), kinds(plan("x - sum(x, axis=0)", 7, 7)));
  }

  @Test
  void shouldNotMixAxes() {
    assertEquals(
        List.of("Rows", "Reduction"),
        kinds(plan("y = x - max(x, axis=-1, keepdim=true); y, sum(y, axis=0)", 6, 10)));
  }

  /** The elements of one long row are better shared out among all workers. */
  @Test
  void shouldLeaveElementsOfFewLongRowsToAllWorkers() {
    assertEquals(List.of("Reduction", "Elementwise"), kinds(plan("x / sum(x)", 1000, 1000)));
    assertEquals(List.of("Rows"), kinds(plan("sum(x) * 2", 1000, 1000)));
    assertEquals(List.of("Rows"), kinds(plan("softmax(x)", 64, 100_000)));
  }

  /** The sums over columns need the maxima, and the last sums need both. */
  @Test
  void shouldNotWaitForItself() {
    ExpressionPlan plan =
        plan(
            "m = max(x, axis=-1, keepdim=true); s = sum(x - m, axis=0, keepdim=true);"
                + " sum(x - m - s, axis=-1)",
            6,
            10);
    assertEquals(List.of("Reduction", "Reduction", "Reduction"), kinds(plan));
  }

  @Test
  void shouldStoreWhatIsNeededOutside() {
    ExpressionPlan plan = plan("m = max(x, axis=-1, keepdim=true); x - m, sum(m, axis=0)", 6, 10);
    assertEquals(List.of(TensorType.of(DType.F32, 6, 1)), plan.temporaries());
    assertEquals(
        List.of(new Source.Input(0), new Source.Temporary(0), new Source.Output(0)),
        plan.steps().getFirst().operands());
  }

  @Test
  void shouldTellHowOperandsAreAligned() {
    Step step = plan("sum(x, axis=1) * 2 + w", 5, 6, 7).steps().getFirst();
    Kernel.Rows kernel = assertInstanceOf(Kernel.Rows.class, step.kernel());
    assertEquals(Set.of(1, 2), kernel.perRow());
    assertEquals(Set.of(1, 2), step.squeezed());
    assertEquals(List.of(1), step.axes());
    assertEquals(List.of(5L, 6L, 7L), step.shape());
  }

  @Test
  void shouldCutChainsThatAreTooLong() {
    String chain =
        Stream.iterate(0, i -> i + 1)
            .limit(30)
            .map(
                i ->
                    String.format(
                        Locale.ROOT,
                        "y%d = %s - max(%2$s, axis=-1, keepdim=true);",
                        i,
                        i == 0 ? "x" : "y" + (i - 1)))
            .reduce("", String::concat);
    for (Step step : plan(chain + " y29", 6, 10).steps()) {
      long folds =
          step.kernel().nodes().stream().filter(Kernel.Node.Fold.class::isInstance).count();
      assertTrue(folds <= 8, step::toString);
    }
  }

  @Test
  void shouldSayWhatIsWrongWithACall() {
    assertThrows(ExpressionException.class, () -> ExpressionParser.parse("softmax()"));
    assertThrows(ExpressionException.class, () -> ExpressionParser.parse("softmax(x, beta=1)"));
    assertThrows(ExpressionException.class, () -> ExpressionParser.parse("layer_norm(x, eps=y)"));
  }
}

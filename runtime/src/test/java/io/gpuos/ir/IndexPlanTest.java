package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Indexed reads as they are parsed, typed and planned. */
class IndexPlanTest {

  private static final TensorType X = TensorType.of(DType.F32, 3, 4, 5);

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

  private static List<Long> shape(String text, TensorType... types) {
    return plan(text, types).outputs().getFirst().shape();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gather(x, i, axis=1)",
        "gather(x + 1, cast(i, i64), axis=-2)",
        "index_select(x, i, axis=0) * 2",
        "embedding(i, x)"
      })
  void shouldPrintWhatItReads(String text) {
    Expr expr = ExpressionParser.parseSingle(text);
    assertEquals(text, expr.toString());
    assertEquals(expr, ExpressionParser.parseSingle(expr.toString()));
  }

  @Test
  void shouldReadCallsAsPyTorchUsersWriteThem() {
    Expr x = Expr.input("x");
    Expr i = Expr.input("i");
    assertEquals(x.gather(i, 1), ExpressionParser.parseSingle("gather(x, dim=1, index=i)"));
    assertEquals(x.indexSelect(i, 0), ExpressionParser.parseSingle("index_select(x, i, 0)"));
    assertEquals(x.gather(i, 1), Expr.call("gather", x, i, Expr.of(1)));
    assertNotEquals(x.gather(i, 1), x.gather(i, 0));
    assertNotEquals(x.gather(i, 0), x.indexSelect(i, 0));
    for (String wrong : List.of("gather(x, i)", "gather(x, i, [0, 1])", "embedding(i, x, 0)")) {
      assertThrows(ExpressionException.class, () -> ExpressionParser.parseSingle(wrong), wrong);
    }
  }

  @Test
  void shouldShapeResults() {
    assertEquals(List.of(2L, 9L, 5L), shape("gather(x, i, 1)", X, index(2, 9, 5)));
    assertEquals(List.of(3L, 9L, 5L), shape("index_select(x, i, -2)", X, index(9)));
    assertEquals(List.of(7L, 8L, 4L, 5L), shape("embedding(i, x)", index(7, 8), X));
    assertEquals(List.of(4L, 5L), shape("embedding(i, x)", index(), X));
  }

  @Test
  void shouldRefuseIndicesThatDoNotFit() {
    for (String text : List.of("gather(x, i, 0)", "index_select(x, i, 0)")) {
      assertThrows(ShapeException.class, () -> plan(text, X, index(3, 3)), text);
      assertThrows(ShapeException.class, () -> plan(text, X, index()), text);
      assertThrows(ShapeException.class, () -> plan(text, index(), index(3)), text);
    }
    assertThrows(ShapeException.class, () -> plan("gather(x, i, 0)", X, index(3, 5, 5)));
    assertThrows(ShapeException.class, () -> plan("gather(x, i, 3)", X, index(3, 4, 5)));
    assertThrows(ShapeException.class, () -> plan("embedding(i, x)", index(1, 1, 1, 1, 1, 1), X));
    assertThrows(ShapeException.class, () -> plan("index_select(x, 0, 0)", X));
    TensorType wrong = TensorType.of(DType.I16, 3);
    assertThrows(DTypeException.class, () -> plan("index_select(x, i, 0)", X, wrong));
  }

  @Test
  void shouldComputeOnInTheSameKernel() {
    ExpressionPlan plan =
        plan("relu(index_select(x, i, 1)) + y", X, index(9), TensorType.of(DType.F32, 3, 9, 5));
    assertEquals(1, plan.steps().size());
  }

  @Test
  void shouldComputeSourceAndIndexFirst() {
    ExpressionPlan plan = plan("gather(x + 1, i * 2, 0) + 3", X, index(2, 4, 5));
    assertEquals(3, plan.steps().size());
    ExpressionPlan.Step last = plan.steps().getLast();
    assertInstanceOf(Kernel.Gather.class, last.kernel());
    assertEquals(List.of(2L, 4L, 5L, 3L), last.shape());
    assertEquals(
        "gather(input f32, input i64, output f32)\n"
            + "%0 = load 0: f32\n%1 = constant 3.0: f32\n%2 = add %0 %1: f32\nstore 2 = %2\n",
        KernelText.of(last.kernel()));
  }

  @Test
  void shouldRefuseToBeReplaced() {
    Expr expr = ExpressionParser.parseSingle("embedding(i, x)");
    assertThrows(ExpressionException.class, () -> Definition.of("f", expr));
  }
}

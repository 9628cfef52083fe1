package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ExpressionException;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DefinitionTest {

  private static Definition definition(String expression) {
    return Definition.of("f", ExpressionParser.parse(expression).getFirst());
  }

  private static SequencedMap<String, TensorType> types(Definition definition, DType... types) {
    SequencedMap<String, TensorType> named = new LinkedHashMap<>();
    IntStream.range(0, types.length)
        .forEach(k -> named.put(definition.inputs().get(k), TensorType.of(types[k], 2, 3)));
    return named;
  }

  /** Whatever the order in the text, operands come in the order of the operator's inputs. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "x * 0 + y + z",
        "z * y - x",
        "where(y > 0, z, x)",
        "z / (y + x) + z",
        "y - z * x"
      })
  void shouldListTheInputsInOneOrder(String expression) {
    Definition first = definition("x + y + z");
    Definition other = definition(expression).requireSameForm("f", first);
    assertEquals(List.of("x", "y", "z"), other.inputs());
    SequencedMap<String, TensorType> types = types(first, DType.F32, DType.F32, DType.F32);
    ExpressionPlan.Step step = other.step("f", types, DType.F32);
    assertEquals(
        List.of(
            new Source.Input(0), new Source.Input(1), new Source.Input(2), new Source.Output(0)),
        step.operands());
    assertEquals(first.step("f", types, DType.F32).kernel().operands(), step.kernel().operands());
    requireValue(expression, step);
  }

  /** The kernel computes what the expression says. */
  private static void requireValue(String expression, ExpressionPlan.Step step) {
    double[] x = {1, -2, 3, 4, 5, 6};
    double[] y = {0.5, 2, -3, 7, 1, 9};
    double[] z = {8, 16, -32, 2, 4, 0.25};
    int[] shape = {2, 3};
    OracleTensor a = OracleTensor.floating(DType.F32, shape, x);
    OracleTensor b = OracleTensor.floating(DType.F32, shape, y);
    OracleTensor c = OracleTensor.floating(DType.F32, shape, z);
    OracleTensor expected =
        Oracle.evaluate(
            ExpressionParser.parse(expression).getFirst(), Map.of("x", a, "y", b, "z", c));
    TensorType type = TensorType.of(DType.F32, 2, 3);
    ExpressionPlan plan =
        new ExpressionPlan(List.of(type, type, type), List.of(), List.of(type), List.of(step));
    List<OracleTensor> results = KernelInterpreter.run(plan, List.of(a, b, c));
    assertTrue(KernelInterpreter.close(expected, results.getFirst(), 1e-6), expression);
  }

  @Test
  void shouldStoreIntoAnotherType() {
    Definition definition = definition("x * 2");
    Kernel kernel = definition.step("f", types(definition, DType.F32), DType.F16).kernel();
    assertEquals(DType.F16, kernel.operands().getLast().type());
    assertEquals(1, definition("sum(x)").inputs().size());
    ExpressionException refused =
        assertThrows(
            ExpressionException.class,
            () -> definition("sum(x)").step("f", types(definition, DType.F32), DType.F16));
    assertTrue(refused.getMessage().startsWith("not one kernel: operator=f"), refused::getMessage);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x - max(x)",
        "sum(x) + 1",
        "cast(sum(x), f64)",
        "sum(sum(x, axis=0))",
        "-mean(x)"
      })
  void shouldRefuseWorkAfterAReduction(String expression) {
    assertThrows(ExpressionException.class, () -> definition(expression));
  }

  @ParameterizedTest
  @ValueSource(strings = {"x", "3", "relu(x) * y", "sum(x)", "norm(x * y, ord=3.0, axis=1)"})
  void shouldTakeOneKernel(String expression) {
    Definition definition = definition(expression);
    assertEquals(expression, definition.toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x + y                  | x * 2               | inputs",
        "x + y                  | x * z               | inputs",
        "x + 1                  | x + y               | inputs",
        "x + 1                  | sum(x)              | form",
        "sum(x)                 | x                   | form",
        "sum(x, axis=0)         | sum(x, axis=1)      | form",
        "sum(x, axis=0)         | sum(x)              | form",
        "sum(x, axis=[0, 1])    | sum(x)              | form",
        "sum(x, axis=-1)        | sum(x, axis=1)      | form",
        "sum(x, axis=0)         | sum(x, axis=0, keepdim=true) | form",
      })
  void shouldRefuseReplacementsOfAnotherForm(String one, String two, String rule) {
    ExpressionException refused =
        assertThrows(
            ExpressionException.class, () -> definition(two).requireSameForm("f", definition(one)));
    assertTrue(refused.getMessage().startsWith(rule + " of a replacement"), refused::getMessage);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x + y               | y - x",
        "sum(x, axis=[0, 2]) | max(x, axis=[2, 0])",
        "sum(x)              | var(x * x)",
      })
  void shouldTakeReplacementsOfTheSameForm(String one, String two) {
    Definition fitting = definition(two).requireSameForm("f", definition(one));
    assertEquals(definition(one).inputs(), fitting.inputs());
  }
}

package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FunctionTest {

  @ParameterizedTest
  @EnumSource
  void shouldHaveDocumentationAndParseAndType(Function function) {
    assertFalse(function.definition().isBlank());
    assertTrue(function.signature().startsWith(function.functionName() + "("));

    String arguments =
        IntStream.range(0, function.arity())
            .mapToObj(i -> i == 0 && function == Function.WHERE ? "x0 != 0" : "x" + i)
            .collect(Collectors.joining(", "));
    Expr expr = ExpressionParser.parseSingle(function.functionName() + "(" + arguments + ")");
    assertEquals(function, ((Expr.Call) expr).function());

    for (DType type : DType.values()) {
      if (isCommonType(function, type)) {
        ExpressionPlan plan = plan(expr, type);
        DType result = plan.outputs().getFirst().dtype();
        assertEquals(function.typeRule().result(type), result, () -> function + " of " + type);
      }
    }
  }

  /** Whether arguments of that type stay as they are. */
  private static boolean isCommonType(Function function, DType type) {
    boolean identity = function.typeRule() == TypeRule.LOGICAL || type.isFloating();
    return function.typeRule().accepts(type) && (identity || function.arity() < 3);
  }

  private static ExpressionPlan plan(Expr expr, DType type) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (String name : Expr.inputNames(List.of(expr))) {
      inputs.put(name, TensorType.of(type, 2));
    }
    return ExpressionPlan.of(List.of(expr), inputs);
  }

  @ParameterizedTest
  @EnumSource
  void shouldParseEveryAliasAndSymbol(Function function) {
    List<Expr> arguments = new ArrayList<>();
    for (int i = 0; i < function.arity(); i++) {
      arguments.add(Expr.input("x" + i));
    }
    Expr expected = new Expr.Call(function, arguments);
    for (String alias : function.aliases()) {
      assertEquals(Optional.of(function), Function.byName(alias));
    }
    function
        .operator()
        .ifPresent(
            operator ->
                assertEquals(
                    expected,
                    ExpressionParser.parseSingle(
                        operator.isPrefix()
                            ? operator.symbol() + "x0"
                            : "x0 " + operator.symbol() + " x1")));
  }

  @ParameterizedTest
  @EnumSource
  void shouldHaveAnOracle(Function function) {
    boolean integral =
        function.typeRule() == TypeRule.BITWISE
            || function.typeRule() == TypeRule.SHIFT
            || function.typeRule() == TypeRule.LOGICAL;
    OracleTensor x =
        integral
            ? OracleTensor.integral(DType.I32, new int[] {1}, 3)
            : OracleTensor.floating(DType.F32, new int[] {1}, 0.5);
    List<Expr> arguments = new ArrayList<>();
    for (int i = 0; i < function.arity(); i++) {
      arguments.add(i == 0 && function == Function.WHERE ? Expr.of(true) : Expr.input("x"));
    }
    assertNotNull(Oracle.evaluate(new Expr.Call(function, arguments), Map.of("x", x)));
  }

  @Test
  void shouldNameEachFunctionOnce() {
    Set<String> names = new HashSet<>();
    for (Function function : Function.values()) {
      assertTrue(names.add(function.functionName()), function.functionName());
      function.aliases().forEach(alias -> assertTrue(names.add(alias), alias));
    }
    for (Reducer reducer : Reducer.values()) {
      assertTrue(names.add(reducer.functionName()), reducer.functionName());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          leaky_relu   | leaky_relu(x, slope=0.01)
          clamp        | clamp(x, min=none, max=none)
          true_divide  | div(a, b)
          gelu         | gelu(x, approximate='none')
          """)
  void shouldWriteSignatures(String name, String signature) {
    assertEquals(signature, Function.byName(name).orElseThrow().signature());
  }

  @Test
  void shouldNameImplementations() {
    assertEquals("gpuos::gelu_tanh", Function.GELU_TANH.cudaName());
    assertEquals("geluTanh", Function.GELU_TANH.javaName());
    assertEquals("log1p", Function.LOG1P.javaName());
    assertEquals(1, Function.GELU.arity());
    assertEquals(3, Function.SOFTPLUS.arity());
  }

  @ParameterizedTest
  @EnumSource
  void shouldDescribeReductions(Reducer reducer) {
    assertFalse(reducer.definition().isBlank());
    String text = reducer.functionName() + "(x, axis=0, keepdim=true)";
    Expr expr = ExpressionParser.parseSingle(text);
    assertEquals(text, expr.toString());
    ExpressionPlan plan = plan(expr, DType.F32);
    assertEquals(List.of(1L), plan.outputs().getFirst().shape());
    assertEquals(reducer.resultType(DType.F32), plan.outputs().getFirst().dtype());
  }
}

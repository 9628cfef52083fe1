package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OracleTest {

  /** PyTorch itself loses digits by cancellation, in elu and gelu near zero: absolute there. */
  private static final double RELATIVE_TOLERANCE = 2e-14;

  private static final double ABSOLUTE_TOLERANCE = 1e-16;

  @Test
  void shouldGiveEveryValueThatPyTorchGives() {
    List<String> differences = new ArrayList<>();
    List<TorchGolden.Line> lines = TorchGolden.lines("torch_values.txt");
    for (TorchGolden.Line line : lines) {
      OracleTensor actual = evaluate(line.words());
      if (!matches(actual, line.answer())) {
        differences.add(line + " but was " + actual);
      }
    }
    assertEquals(List.of(), differences);
    assertTrue(lines.size() > 3000, "golden file is too short: " + lines.size());
  }

  private static OracleTensor evaluate(List<String> words) {
    DType type = TypeNames.find(words.getFirst()).orElseThrow();
    Map<String, OracleTensor> inputs = new HashMap<>();
    List<Expr> arguments = new ArrayList<>();
    for (String word : words.subList(2, words.size())) {
      String name = "x" + inputs.size();
      inputs.put(
          name,
          type.isFloating()
              ? OracleTensor.floating(type, new int[] {1}, number(word))
              : OracleTensor.integral(type, new int[] {1}, Long.parseLong(word)));
      arguments.add(Expr.input(name));
    }
    return Oracle.evaluate(Expr.call(words.get(1), arguments.toArray(Expr[]::new)), inputs);
  }

  private static boolean matches(OracleTensor actual, String answer) {
    if (!actual.dtype().isFloating()) {
      String value = Long.toString(actual.longs()[0]);
      return actual.dtype() == DType.BOOL
          ? answer.equals(value.equals("1") ? "true" : "false")
          : answer.equals(value);
    }
    double expected = number(answer);
    double value = actual.doubles()[0];
    return Double.compare(expected, value) == 0
        || Math.abs(expected - value)
            <= RELATIVE_TOLERANCE * Math.abs(expected) + ABSOLUTE_TOLERANCE;
  }

  private static double number(String text) {
    return switch (text) {
      case "inf" -> Double.POSITIVE_INFINITY;
      case "-inf" -> Double.NEGATIVE_INFINITY;
      case "nan" -> Double.NaN;
      default -> Double.parseDouble(text);
    };
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sum(m, axis=0)             | 5, 7, 9
          sum(m, axis=1)             | 6, 15
          sum(m)                     | 21
          mean(m, axis=-1)           | 2, 5
          prod(m, axis=0)            | 4, 10, 18
          max(m)                     | 6
          min(m, axis=[0, 1])        | 1
          argmax(m, axis=1)          | 2, 2
          argmin(m)                  | 0
          any(m - m)                 | 0
          all(m)                     | 1
          norm(v)                    | 5
          norm(v, ord=1)             | 7
          norm(v, p=inf)             | 4
          norm(v, -inf)              | 3
          norm(v, ord=0)             | 2
          var(m, axis=1)             | 1, 1
          var(m, axis=1, unbiased=false) | 0.66666668653, 0.66666668653
          std(v, correction=0)       | 3.5
          var(v, correction=2)       | Infinity
          m + v2                     | 11, 22, 33, 14, 25, 36
          where(m > 2, m, -m)        | -1, -2, 3, 4, 5, 6
          cast(m / 2, i32)           | 0, 1, 1, 2, 2, 3
          sum(m - mean(m))           | 0
          """)
  void shouldReduceAndBroadcast(String text, String expected) {
    Map<String, OracleTensor> inputs =
        Map.of(
            "m", OracleTensor.floating(DType.F32, new int[] {2, 3}, 1, 2, 3, 4, 5, 6),
            "v", OracleTensor.floating(DType.F32, new int[] {2}, 3, -4),
            "v2", OracleTensor.floating(DType.F32, new int[] {3}, 10, 20, 30));
    OracleTensor actual = Oracle.evaluate(ExpressionParser.parseSingle(text), inputs);
    String[] values = expected.split(", ");
    assertEquals(values.length, actual.count());
    for (int i = 0; i < values.length; i++) {
      assertEquals(Double.parseDouble(values[i]), actual.doubleAt(i), 1e-9);
    }
  }

  @Test
  void shouldRoundHalfTypesOnceFromDouble() {
    // Just above the middle of two half values: rounding to float first would give the middle.
    double aboveMiddle = 1 + 0x1p-11 + 0x1p-40;
    assertEquals(1 + 0x1p-10, OracleTypes.round(DType.F16, aboveMiddle));
    assertEquals(1 + 0x1p-7, OracleTypes.round(DType.BF16, 1 + 0x1p-8 + 0x1p-40));
    assertEquals(1, OracleTypes.round(DType.BF16, 1 + 0x1p-8));
    assertEquals(Double.POSITIVE_INFINITY, OracleTypes.round(DType.F16, 65520));
  }

  @Test
  void shouldFoldEmptyRanges() {
    Map<String, OracleTensor> inputs =
        Map.of("e", OracleTensor.floating(DType.F32, new int[] {2, 0}));
    assertArrayEquals(
        new double[] {0, 0},
        Oracle.evaluate(ExpressionParser.parseSingle("sum(e, axis=1)"), inputs).doubles());
    assertArrayEquals(
        new double[] {1},
        Oracle.evaluate(ExpressionParser.parseSingle("prod(e)"), inputs).doubles());
    assertArrayEquals(
        new double[] {Double.NaN},
        Oracle.evaluate(ExpressionParser.parseSingle("mean(e)"), inputs).doubles());
  }
}

package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TypeInferenceTest {

  @Test
  void shouldGiveEveryTypeThatPyTorchGives() {
    List<String> differences = new ArrayList<>();
    List<TorchGolden.Line> lines = TorchGolden.lines("torch_types.txt");
    for (TorchGolden.Line line : lines) {
      String type = type(line.words());
      if (!type.equals(line.answer())) {
        differences.add(line + " but was " + type);
      }
    }
    assertEquals(List.of(), differences);
    assertTrue(lines.size() > 2000, "golden file is too short: " + lines.size());
  }

  /** Type of {@code words[0]} applied to operands of the types that follow, or "error". */
  private static String type(List<String> words) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    List<Expr> arguments = new ArrayList<>();
    for (String word : words.subList(1, words.size())) {
      if (Character.isDigit(word.charAt(0)) || word.equals("true")) {
        arguments.add(ExpressionParser.parseSingle(word));
      } else {
        String name = "x" + inputs.size();
        DType type = TypeNames.find(word.replace("()", "")).orElseThrow();
        inputs.put(name, word.endsWith("()") ? TensorType.of(type) : TensorType.of(type, 2));
        arguments.add(Expr.input(name));
      }
    }
    Expr expr = Expr.call(words.getFirst(), arguments.toArray(Expr[]::new));
    try {
      ExpressionPlan plan = ExpressionPlan.of(List.of(expr), inputs);
      return TypeNames.shortName(plan.outputs().getFirst().dtype());
    } catch (DTypeException _) {
      return "error";
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          1 + 2                  | I64[]
          1 + 2.5                | F32[]
          true                   | BOOL[]
          half * (2 * 3.5)       | F16[3]
          half * pi ** 0.5       | F16[3]
          half + sum(single)     | F16[3]
          half + sum(cast(half, f64), axis=0, keepdim=true) | F64[3]
          int + sum(half)        | F16[3]
          byte * 2 / 2           | F32[3]
          2 ** -1                | F32[]
          2 ** byte              | U8[3]
          where(flag, 1, 2.5)    | F32[3]
          where(flag, half, 2.5) | F16[3]
          where(true, 1, 2)      | I64[]
          cast(1, f16) + half    | F16[3]
          cast(1.0, f64) + half  | F16[3]
          -flag + 0              | error
          flag - 1               | error
          1 - flag               | error
          byte ** -2             | error
          byte + 256             | error
          byte + -1              | error
          byte < 300             | error
          clamp(byte, max=2.5)   | F32[3]
          hardtanh(int)          | I32[3]
          relu6(byte)            | U8[3]
          leaky_relu(int)        | error
          mean(int)              | error
          norm(flag)             | error
          argmax(flag)           | error
          sum(flag)              | I64[]
          any(half)              | BOOL[]
          where(int, 1, 2)       | error
          sum(1.5)               | F32[]
          """)
  void shouldInferTypes(String text, String expected) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("half", TensorType.of(DType.F16, 3));
    inputs.put("single", TensorType.of(DType.F32, 3));
    inputs.put("int", TensorType.of(DType.I32, 3));
    inputs.put("byte", TensorType.of(DType.U8, 3));
    inputs.put("flag", TensorType.of(DType.BOOL, 3));
    Expr expr = ExpressionParser.parseSingle(text);
    if (expected.equals("error")) {
      assertThrows(DTypeException.class, () -> ExpressionPlan.of(List.of(expr), inputs));
      return;
    }
    TensorType type = ExpressionPlan.of(List.of(expr), inputs).outputs().getFirst();
    assertEquals(expected, type.dtype() + type.shape().toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          mean(i)  | type has no meaning for the function: function=mean, i=i32, expected=a floating type, as cast(x, f32)
          silu(i + 1) | type has no meaning for the function: function=silu, i + 1=i32, expected=a floating type, as cast(x, f32)
          u - 300  | literal out of range: value=300, type=u8, expected=0 to 255, or a cast of the tensor
          i ** -1  | negative power of integers: function=pow, type=i32, expected=an exponent >= 0, or cast(base, f32)
          where(i, i, i) | type has no meaning for the function: function=where, i=i32, i=i32, i=i32, expected=a bool condition, as x != 0
          """)
  void shouldNameFunctionOperandAndRemedy(String text, String message) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("i", TensorType.of(DType.I32, 3));
    inputs.put("u", TensorType.of(DType.U8, 3));
    List<Expr> outputs = ExpressionParser.parse(text);
    DTypeException thrown =
        assertThrows(DTypeException.class, () -> ExpressionPlan.of(outputs, inputs));
    assertEquals(message, thrown.getMessage());
  }

  @Test
  void shouldNameUnknownInputAndClosest() {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("weight", TensorType.of(DType.F32, 3));
    List<Expr> outputs = ExpressionParser.parse("wieght * 2");
    ExpressionException thrown =
        assertThrows(ExpressionException.class, () -> ExpressionPlan.of(outputs, inputs));
    assertEquals(
        "unknown input: name=wieght, expected=one of weight (closest: weight)",
        thrown.getMessage());
  }

  @Test
  void shouldRefuseOverflowingIntegerLiterals() {
    List<Expr> outputs = ExpressionParser.parse("9223372036854775807 + 1");
    assertThrows(
        ExpressionException.class, () -> ExpressionPlan.of(outputs, new LinkedHashMap<>()));
  }
}

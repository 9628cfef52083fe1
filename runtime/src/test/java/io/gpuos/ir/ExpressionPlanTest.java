package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExpressionPlanTest {

  private static ExpressionPlan plan(String text, Object... namesAndTypes) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (int i = 0; i < namesAndTypes.length; i += 2) {
      inputs.put((String) namesAndTypes[i], (TensorType) namesAndTypes[i + 1]);
    }
    return ExpressionPlan.of(ExpressionParser.parse(text), inputs);
  }

  private static TensorType f32(long... shape) {
    return TensorType.of(DType.F32, shape);
  }

  @Test
  void shouldFuseAnElementwiseExpressionIntoOneStep() {
    ExpressionPlan plan = plan("relu(a * b + c)", "a", f32(2, 3), "b", f32(3), "c", f32(2, 1));

    assertEquals(1, plan.steps().size());
    Step step = plan.steps().getFirst();
    assertEquals(List.of(2L, 3L), step.shape());
    assertEquals(
        List.of(
            new Source.Input(0), new Source.Input(1), new Source.Input(2), new Source.Output(0)),
        step.operands());
    assertEquals(List.of(f32(2, 3)), plan.outputs());
    assertEquals(List.of(), plan.temporaries());
  }

  @Test
  void shouldReadEachInputOnceWhateverItsName() {
    ExpressionPlan plan = plan("b * b + a", "a", f32(4), "b", f32(4));
    ExpressionPlan renamed = plan("x * x + y", "x", f32(9), "y", f32(9));

    Step step = plan.steps().getFirst();
    assertEquals(
        List.of(new Source.Input(1), new Source.Input(0), new Source.Output(0)), step.operands());
    assertEquals(step.kernel(), renamed.steps().getFirst().kernel());
  }

  @Test
  void shouldFuseElementwiseWorkIntoTheReductionThatFollows() {
    ExpressionPlan plan = plan("sum(a * b, axis=-1)", "a", f32(2, 1, 4), "b", f32(3, 1));

    assertEquals(1, plan.steps().size());
    Step step = plan.steps().getFirst();
    assertInstanceOf(Kernel.Reduction.class, step.kernel());
    assertEquals(List.of(2L, 3L, 4L), step.shape());
    assertEquals(List.of(2), step.axes());
    assertEquals(List.of(f32(2, 3)), plan.outputs());
  }

  @Test
  void shouldReadAReductionThroughATemporary() {
    ExpressionPlan plan =
        plan(
            "x - mean(x, axis=0, keepdim=true) + y",
            "x",
            TensorType.of(DType.F16, 5, 7),
            "y",
            TensorType.of(DType.F16, 3, 5, 7));

    assertEquals(List.of(TensorType.of(DType.F16, 1, 7)), plan.temporaries());
    assertEquals(2, plan.steps().size());
    assertEquals(
        List.of(new Source.Input(0), new Source.Temporary(0)), plan.steps().getFirst().operands());
    assertEquals(
        List.of(
            new Source.Input(0),
            new Source.Temporary(0),
            new Source.Input(1),
            new Source.Output(0)),
        plan.steps().getLast().operands());
  }

  @Test
  void shouldComputeCommonSubexpressionsOnce() {
    ExpressionPlan plan = plan("exp(a - max(a)) / sum(exp(a - max(a)))", "a", f32(64));

    assertEquals(1, plan.steps().size());
    assertEquals(
        """
        rows(input f32, output f32)
        %0 = load 0: f32
        %1 = fold max %0 parameter 0.0: f32
        %2 = sub %0 %1: f32
        %3 = exp %2: f32
        %4 = fold sum %3 parameter 0.0: f32
        %5 = div %3 %4: f32
        store 1 = %5
        """,
        KernelText.of(plan.steps().getFirst().kernel()));
  }

  @Test
  void shouldShareAStepBetweenOutputsOfOneShape() {
    ExpressionPlan plan = plan("t = a * b; t + 1, t - 1, sum(t)", "a", f32(8), "b", f32(8));

    assertEquals(2, plan.steps().size());
    Kernel.Elementwise elementwise =
        assertInstanceOf(Kernel.Elementwise.class, plan.steps().getLast().kernel());
    assertEquals(2, elementwise.stores().size());
    assertEquals(List.of(f32(8), f32(8), f32()), plan.outputs());
  }

  @Test
  void shouldLetAReductionReadAnOutput() {
    ExpressionPlan plan =
        plan("y = exp(a * b + c); y, sum(y)", "a", f32(8), "b", f32(8), "c", f32(8));

    assertEquals(
        List.of(new Source.Output(0), new Source.Output(1)), plan.steps().getLast().operands());
  }

  @Test
  void shouldCopyABareInputAndARepeatedOutput() {
    assertEquals(
        """
        elementwise(input f32, output f32)
        %0 = load 0: f32
        store 1 = %0
        """,
        KernelText.of(plan("a", "a", f32(3)).steps().getFirst().kernel()));
    ExpressionPlan twice = plan("sum(a), sum(a), a, a", "a", f32(3));
    assertEquals(3, twice.steps().size());
  }

  @Test
  void shouldPlanAnExpressionWithoutInputs() {
    ExpressionPlan plan = plan("1 + 2 * 3");

    assertEquals(List.of(TensorType.of(DType.I64)), plan.outputs());
    assertEquals(
        """
        elementwise(output i64)
        %0 = constant 7: i64
        store 0 = %0
        """,
        KernelText.of(plan.steps().getFirst().kernel()));
  }

  @Test
  void shouldKeepLiteralsOfHalfTypesInFloat() {
    assertEquals(
        """
        elementwise(input f16, output f16)
        %0 = load 0: f16
        %1 = constant 0.10000000149011612: f16
        %2 = mul %0 %1: f16
        store 1 = %2
        """,
        KernelText.of(
            plan("x * 0.1", "x", TensorType.of(DType.F16, 3)).steps().getFirst().kernel()));
  }

  @Test
  void shouldConvertIntegersForTrueDivisionAndSums() {
    assertEquals(
        """
        reduction(input u8, output i64)
        %0 = load 0: u8
        %1 = constant 2: u8
        %2 = add %0 %1: u8
        %3 = convert %2: i64
        store 1 = sum %3 parameter 0.0
        """,
        KernelText.of(
            plan("sum(x + 2)", "x", TensorType.of(DType.U8, 3)).steps().getFirst().kernel()));
    assertEquals(
        """
        elementwise(input i32, input i32, output f32)
        %0 = load 0: i32
        %1 = convert %0: f32
        %2 = load 1: i32
        %3 = convert %2: f32
        %4 = div %1 %3: f32
        store 2 = %4
        """,
        KernelText.of(
            plan("x / y", "x", TensorType.of(DType.I32, 3), "y", TensorType.of(DType.I32, 3))
                .steps()
                .getFirst()
                .kernel()));
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 9, 10, 15, 16, 17, 40, 100})
  void shouldSplitExpressionsOfManyInputs(int count) {
    String text = IntStream.range(0, count).mapToObj(i -> "x" + i).collect(Collectors.joining("+"));
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    List<OracleTensor> tensors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      types.put("x" + i, f32(2));
      tensors.add(OracleTensor.floating(DType.F32, new int[] {2}, i, 1));
    }
    ExpressionPlan plan = ExpressionPlan.of(ExpressionParser.parse(text), types);

    assertEquals(Math.max(1, (count - 2) / 7 + (count == 8 ? 0 : 1)), plan.steps().size());
    assertArrayEquals(
        new double[] {count * (count - 1) / 2.0, count},
        KernelInterpreter.run(plan, tensors).getFirst().doubles());
  }

  @Test
  void shouldSplitLongExpressions() {
    String text = "x" + " * 0.5 / 0.25 * 0.5".repeat(2_000);
    ExpressionPlan plan = plan(text, "x", f32(1));

    assertTrue(plan.steps().size() > 6_000 / ExpressionPlan.MAX_NODES);
    for (Step step : plan.steps()) {
      assertTrue(step.kernel().nodes().size() <= ExpressionPlan.MAX_NODES);
    }
    OracleTensor x = OracleTensor.floating(DType.F32, new int[] {1}, 7);
    OracleTensor y = KernelInterpreter.run(plan, List.of(x)).getFirst();
    assertEquals(7, y.doubles()[0]);
  }

  @Test
  void shouldSplitAgainWhereACutAddsAnInput() {
    String text = "s = a+b+c+d+e+f+g+h; sum(s * (a*b*c*d*e*f*g*h)), s + i";
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    List<OracleTensor> tensors = new ArrayList<>();
    for (String name : "abcdefghi".split("")) {
      types.put(name, f32());
      tensors.add(OracleTensor.floating(DType.F32, new int[0], 2));
    }
    ExpressionPlan plan = ExpressionPlan.of(ExpressionParser.parse(text), types);

    List<OracleTensor> outputs = KernelInterpreter.run(plan, tensors);
    assertEquals(16 * 256, outputs.get(0).doubleAt(0));
    assertEquals(18, outputs.get(1).doubleAt(0));
  }

  @Test
  void shouldPlanManyOutputsOfAChain() {
    StringBuilder text = new StringBuilder("y0 = x + 1;");
    for (int i = 1; i < 60; i++) {
      text.append(String.format(Locale.ROOT, "y%d = y%d * 1.5 - x;", i, i - 1));
    }
    String outputs = IntStream.range(0, 60).mapToObj(i -> "y" + i).collect(Collectors.joining(","));
    ExpressionPlan plan = plan(text + outputs, "x", f32(3));

    assertEquals(60, plan.outputs().size());
    long nodes = plan.steps().stream().mapToLong(step -> step.kernel().nodes().size()).sum();
    assertTrue(nodes < 60 * 5, "values are computed again: nodes=" + nodes);
  }

  @Test
  void shouldPlanASharedGraphOfExponentialSize() {
    Expr expr = Expr.input("x");
    for (int i = 0; i < 1_000; i++) {
      expr = expr.mul(expr);
    }
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", f32(3));
    ExpressionPlan plan = ExpressionPlan.of(List.of(expr), inputs);

    assertEquals(4, plan.steps().size());
    assertTrue(expr.toString().length() < 100_000);
    assertEquals(expr, ExpressionParser.parseSingle(expr.toString()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a + b             | shapes do not broadcast: function=add, a=[2, 3], b=[4], expected=equal sizes or 1 in each trailing dimension
          where(a > 0, c, b) | shapes do not broadcast: function=where, a > 0=[2, 3], c=[], b=[4], expected=equal sizes or 1 in each trailing dimension
          sum(a, axis=2)    | axis out of range: axis=2, function=sum, shape=[2, 3], expected=-2 to 1
          sum(a, axis=[0, -2]) | axis given twice: axis=-2, function=sum, shape=[2, 3], expected=each axis once
          sum(c, axis=1)    | axis out of range: axis=1, function=sum, shape=[], expected=-1 to 0
          max(e)            | nothing to reduce: function=max, shape=[0, 5], axes=[0, 1], expected=reduced sizes > 0
          argmin(e, axis=0) | nothing to reduce: function=argmin, shape=[0, 5], axes=[0], expected=reduced sizes > 0
          norm(e, ord=inf)  | nothing to reduce: function=norm, shape=[0, 5], axes=[0, 1], expected=reduced sizes > 0
          sum(h * g)        | size overflows: shape=[4294967296, 4294967296], type=f32, expected=fewer than 2^63 bytes
          """)
  void shouldExplainShapeErrors(String text, String message) {
    ShapeException thrown =
        assertThrows(
            ShapeException.class,
            () ->
                plan(
                    text,
                    "a",
                    f32(2, 3),
                    "b",
                    f32(4),
                    "c",
                    f32(),
                    "e",
                    f32(0, 5),
                    "h",
                    f32(1L << 32, 1),
                    "g",
                    f32(1L << 32)));
    assertEquals(message, thrown.getMessage());
  }

  @Test
  void shouldPlanEmptyTensors() {
    ExpressionPlan plan = plan("e + 1, sum(e), max(e, axis=1)", "e", f32(0, 5));

    assertEquals(List.of(f32(0, 5), f32(), f32(0)), plan.outputs());
    List<OracleTensor> outputs =
        KernelInterpreter.run(plan, List.of(OracleTensor.floating(DType.F32, new int[] {0, 5})));
    assertArrayEquals(new double[] {0}, outputs.get(1).doubles());
    assertEquals(0, outputs.get(2).count());
  }

  @Test
  void shouldFoldAScalarOverNoAxis() {
    ExpressionPlan plan = plan("sum(c, axis=0), norm(c), argmax(c)", "c", f32());

    assertEquals(List.of(), plan.steps().getFirst().axes());
    OracleTensor c = OracleTensor.floating(DType.F32, new int[0], -3);
    List<OracleTensor> outputs = KernelInterpreter.run(plan, List.of(c));
    assertEquals(-3, outputs.get(0).doubleAt(0));
    assertEquals(3, outputs.get(1).doubleAt(0));
    assertEquals(0, outputs.get(2).doubleAt(0));
  }

  @Test
  void shouldRefuseNoOutputs() {
    assertThrows(
        ExpressionException.class, () -> ExpressionPlan.of(List.of(), new LinkedHashMap<>()));
  }

  @ParameterizedTest
  @EnumSource
  void shouldComputeFunctionsOfLiterals(Function function) {
    List<List<Expr>> pools =
        List.of(
            List.of(Expr.of(0.5), Expr.of(-0.75), Expr.of(2.5)),
            List.of(Expr.of(5), Expr.of(-3), Expr.of(2)),
            List.of(Expr.of(3), Expr.of(2), Expr.of(0.25)),
            List.of(Expr.of(true), Expr.of(false), Expr.of(true)));
    for (List<Expr> pool : pools) {
      List<Expr> arguments = new ArrayList<>(pool.subList(0, function.arity()));
      if (function == Function.WHERE) {
        arguments.set(0, Expr.of(false));
      }
      List<Expr> outputs = List.of(new Expr.Call(function, arguments));
      ExpressionPlan plan;
      try {
        plan = ExpressionPlan.of(outputs, new LinkedHashMap<>());
      } catch (DTypeException _) {
        continue;
      }
      OracleTensor expected = Oracle.evaluate(outputs, new LinkedHashMap<>()).getFirst();
      OracleTensor actual = KernelInterpreter.run(plan, List.of()).getFirst();
      assertTrue(
          KernelInterpreter.close(expected, actual, 1e-6),
          () -> "%s: expected %s but was %s".formatted(outputs, expected, actual));
    }
  }

  @Test
  void shouldFoldLiteralsInDouble() {
    assertEquals(
        """
        elementwise(input f64, output f64)
        %0 = load 0: f64
        %1 = constant 0.7978845608028654: f64
        %2 = mul %0 %1: f64
        store 1 = %2
        """,
        KernelText.of(
            plan("x * sqrt(2 / pi)", "x", TensorType.of(DType.F64, 3))
                .steps()
                .getFirst()
                .kernel()));
  }

  @Test
  void shouldComputeWhatTheOracleComputes() {
    Random random = new Random(42);
    int planned = 0;
    for (int round = 0; round < 4_000; round++) {
      ExprGenerator generator = new ExprGenerator(random, round % 4 == 0 ? 20 : 4);
      List<Expr> outputs = new ArrayList<>();
      for (int i = 0; i <= random.nextInt(3); i++) {
        outputs.add(generator.expression(random.nextInt(1, 7)));
      }
      ExpressionPlan plan;
      try {
        plan = ExpressionPlan.of(outputs, generator.inputTypes());
      } catch (DTypeException | ExpressionException _) {
        continue;
      }
      planned++;
      compare(plan, outputs, generator);
    }
    assertTrue(planned > 1_000, "too few valid expressions: " + planned);
  }

  private static void compare(ExpressionPlan plan, List<Expr> outputs, ExprGenerator generator) {
    List<OracleTensor> expected = Oracle.evaluate(outputs, generator.inputs());
    List<OracleTensor> actual =
        KernelInterpreter.run(plan, List.copyOf(generator.inputs().values()));
    for (int i = 0; i < expected.size(); i++) {
      OracleTensor e = expected.get(i);
      OracleTensor a = actual.get(i);
      assertTrue(
          KernelInterpreter.close(e, a, 1e-6),
          () ->
              "%s\nwith %s\nexpected %s\nbut was %s".formatted(outputs, generator.inputs(), e, a));
    }
  }
}

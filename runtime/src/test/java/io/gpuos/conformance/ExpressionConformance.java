package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;

/**
 * Random expressions over random shapes, types, values and views, against the oracle. A failure is
 * made small and printed as text that reproduces it; {@code -Dgpuos.conformance.only=NUMBER} runs
 * that case again.
 */
interface ExpressionConformance extends Target {

  /** New operators before the runtime may be renewed. */
  int CASES_A_RUNTIME = 40;

  /** Values and views tried with each expression. */
  int VARIANTS = 3;

  @Test
  default void shouldComputeRandomExpressions(TestReporter reporter) {
    CaseRunner.Tally tally = new CaseRunner.Tally();
    int count = Settings.cases(cases());
    Gpuos gpu = renewed();
    for (int number = 0; number < count; number++) {
      if (Settings.only() >= 0 && number != Settings.only()) {
        continue;
      }
      if (number % CASES_A_RUNTIME == CASES_A_RUNTIME - 1) {
        gpu = renewed();
      }
      runCase(gpu, number, tally);
    }
    reporter.publishEntry("expressions", tally.toString());
    assertTrue(
        tally.refused < tally.cases / 4 && tally.unknown < tally.compared / 2,
        () -> "the test tests too little: " + tally);
  }

  /** One rule for host memory and operators: what a tensor is made of, a cast gives too. */
  @Test
  default void shouldConvertAsTheHostDoes() {
    Gpuos gpu = renewed();
    double[] values = {
      0.9, -0.9, 300, -300, 40_000.5, 3e9, -3e9, 1e20, -1e300, Double.NaN, Double.POSITIVE_INFINITY
    };
    try (Tensor wide = gpu.tensor(values);
        Tensor narrow = gpu.tensor(DType.F32, values)) {
      for (DType type : List.of(DType.I64, DType.I32, DType.I16, DType.I8, DType.U8, DType.BOOL)) {
        String name = type.name().toLowerCase(Locale.ROOT);
        try (Tensor host = gpu.tensor(type, values);
            Tensor cast = gpu.run(Operator.of("cast(x, " + name + ")"), wide);
            Tensor fromNarrow = gpu.run(Operator.of("cast(x, " + name + ")"), narrow)) {
          assertArrayEquals(host.toLongs(), cast.toLongs(), type::name);
          assertArrayEquals(host.toLongs(), fromNarrow.toLongs(), type::name);
        }
      }
    }
  }

  /**
   * As PyTorch: a literal takes the type of the tensor it meets, and float32 where it meets none.
   */
  @Test
  default void shouldKeepTheDigitsOfLiterals() {
    Gpuos gpu = renewed();
    try (Tensor a = gpu.tensor(new double[] {1}, 1)) {
      assertEquals(0.1, one(gpu, "0.1 * a", a));
      assertEquals(0.1 + 0.2, one(gpu, "(0.1 + 0.2) * a", a));
      assertEquals((double) 0.1f, one(gpu, "where(a > 0, 0.1, 0.2) * a", a));
      assertEquals(0.1, one(gpu, "where(a > 0, 0.1, a) * a", a));
      assertEquals(0.1, one(gpu, "where(a > 0, cast(0.1, f64), 0.2) * a", a));
      assertEquals((double) 0.1f, one(gpu, "a * norm(0.1)", a));
      assertEquals(0.1, one(gpu, "a * norm(cast(0.1, f64))", a));
    }
  }

  private static double one(Gpuos gpu, String expression, Tensor a) {
    try (Tensor result = gpu.run(Operator.of(expression), a)) {
      return result.toDoubles()[0];
    }
  }

  /** More than one kernel can read or write. */
  @Test
  default void shouldTakeManyInputsAndGiveManyOutputs() {
    Gpuos gpu = renewed();
    int count = 25;
    StringBuilder sum = new StringBuilder("x0");
    StringBuilder shifted = new StringBuilder();
    Tensor[] inputs = new Tensor[count];
    for (int i = 0; i < count; i++) {
      inputs[i] = gpu.tensor(new long[] {i, 1});
      sum.append(i == 0 ? "" : " + x" + i);
      shifted.append(String.format(Locale.ROOT, ", x%d * 2 + x%d", i, (i + 7) % count));
    }
    List<Tensor> outputs = gpu.submit(Operator.of(sum.toString() + shifted), inputs).results();
    assertEquals(1 + count, outputs.size());
    assertArrayEquals(new long[] {count * (count - 1) / 2, count}, outputs.get(0).toLongs());
    for (int i = 0; i < count; i++) {
      assertArrayEquals(new long[] {2 * i + (i + 7) % count, 3}, outputs.get(i + 1).toLongs());
      outputs.get(i + 1).close();
      inputs[i].close();
    }
    outputs.getFirst().close();
  }

  private static void runCase(Gpuos gpu, int number, CaseRunner.Tally tally) {
    CaseGenerator generator = new CaseGenerator(Settings.seed(), number);
    CaseRunner runner = new CaseRunner(gpu, tally);
    Operator operator = null;
    for (int variant = 0; variant < VARIANTS; variant++) {
      ExpressionCase test = generator.next();
      if (operator == null) {
        operator = CaseRunner.operator(test);
      }
      Optional<String> problem;
      try {
        problem = runner.problem(test, operator);
      } catch (RuntimeException unexpected) {
        throw new AssertionError(describe(gpu, number, test, unexpected.toString()), unexpected);
      }
      if (problem.isPresent()) {
        ExpressionCase small = Shrinker.shrink(test, smaller -> fails(gpu, smaller));
        String again =
            new CaseRunner(gpu, new CaseRunner.Tally()).problem(small).orElse(problem.get());
        fail(describe(gpu, number, small, again) + "shrunk from: " + operator);
      }
    }
  }

  private static boolean fails(Gpuos gpu, ExpressionCase test) {
    try {
      return new CaseRunner(gpu, new CaseRunner.Tally()).problem(test).isPresent();
    } catch (RuntimeException _) {
      // Invalid in a way that the original was not.
      return false;
    }
  }

  private static String describe(Gpuos gpu, int number, ExpressionCase test, String problem) {
    return String.format(
        Locale.ROOT,
        "%s%n  device=%s, seed=%d, case=%d%n%s",
        problem,
        gpu.device().name(),
        Settings.seed(),
        number,
        test);
  }
}

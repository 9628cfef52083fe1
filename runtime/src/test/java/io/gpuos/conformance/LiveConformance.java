package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.goesOn;
import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.error.CompileException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.TransitionException;
import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Operators that are replaced, and rolled back, while they are used. */
interface LiveConformance extends Target {

  Duration LONG = Duration.ofSeconds(60);

  /** The first element of a result. */
  static float first(Gpuos gpu, Operator operator, Tensor... inputs) {
    try (Tensor result = gpu.run(operator, inputs)) {
      return (float) result.toDoubles()[0];
    }
  }

  @Test
  default void shouldRunTheGenerationPublishedLast() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {4, 9});
        Tensor beta = gpu.tensor(new float[] {2})) {
      LiveOperator scale = gpu.inject("scale", "x * beta");
      assertEquals(List.of("x", "beta"), scale.inputs());
      assertEquals(1, scale.generation());
      assertEquals("x * beta", scale.origin());
      assertEquals(8, first(gpu, scale.operator(), x, beta));

      assertSame(scale, gpu.inject("scale", "beta + 10 * x"));
      assertEquals(2, scale.generation());
      assertEquals(OptionalInt.of(1), scale.previousGeneration());
      assertEquals(42, first(gpu, scale.operator(), x, beta), "by name, not by appearance");

      assertTrue(scale.awaitDrained(LONG));
      assertTrue(scale.drained());
      assertEquals(1, scale.rollback());
      assertEquals("x * beta", scale.origin());
      assertEquals(8, first(gpu, scale.operator(), x, beta));
      refused(TransitionException.class, scale::rollback, "scale", "nothing to roll back");

      gpu.inject("scale", "x - beta");
      assertEquals(3, scale.generation(), "a number is not used twice");
      assertEquals(2, first(gpu, scale.operator(), x, beta));
      assertEquals(Optional.of(scale), gpu.live("scale"));
      assertEquals(Optional.empty(), gpu.live("other"));
      assertEquals(List.of(scale), gpu.liveOperators());
    }
  }

  @Test
  default void shouldReplaceWhatIsPrepared() {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor x = gpu.tensor(new long[] {1, 2, 3});
        Tensor y = gpu.empty(DType.I64, 3);
        Tensor total = gpu.zeros(DType.I64, 3)) {
      LiveOperator step = gpu.inject("step", "x + 1");
      try (Call call = gpu.prepare(step.operator(), y, x);
          Call sum = gpu.prepare(Operator.of("total + y"), total, total, y)) {
        Batch batch = gpu.batch(List.of(call, sum));
        call.run();
        assertArrayEquals(new long[] {2, 3, 4}, y.toLongs());
        batch.submit();
        // What is under way may run the next generation too.
        gpu.synchronize();
        gpu.inject("step", "x * 100");
        batch.submit();
        assertArrayEquals(new long[] {102, 203, 304}, total.toLongs());
        call.run();
        assertArrayEquals(new long[] {100, 200, 300}, y.toLongs());
        step.rollback();
        batch.submit();
        assertArrayEquals(new long[] {104, 206, 308}, total.toLongs());
      }
    }
  }

  @Test
  default void shouldReplaceEveryVariantAtOnce() {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      LiveOperator operator = gpu.inject("f", "x * 2");
      List<Tensor> inputs = new ArrayList<>();
      for (DType type : List.of(DType.F32, DType.F64, DType.F16, DType.I32, DType.U8)) {
        inputs.add(gpu.tensor(type, new double[] {3, 5}));
        inputs.add(gpu.tensor(type, new double[] {3}));
      }
      for (Tensor input : inputs) {
        assertEquals(6, first(gpu, operator.operator(), input));
      }
      gpu.inject("f", "x * 2 + 1");
      for (Tensor input : inputs) {
        assertEquals(7, first(gpu, operator.operator(), input));
      }
      // A variant first used while there is a way back must have one too.
      try (Tensor late = gpu.tensor(DType.I64, new double[] {3})) {
        assertEquals(7, first(gpu, operator.operator(), late));
        operator.rollback();
        assertEquals(6, first(gpu, operator.operator(), late));
      }
      for (Tensor input : inputs) {
        assertEquals(6, first(gpu, operator.operator(), input));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'sum(x * y, axis=0)', 'max(x + y, axis=0)', 110, 20",
    "'argmax(x, axis=[0, 1])', 'argmin(x, axis=[1, 0])', 4, 3",
    "'sum(x, axis=-1, keepdim=true)', 'norm(x, ord=inf, axis=-1, keepdim=true)', 3, 3",
    "'all(x)', 'any(x)', 0, 1",
  })
  default void shouldReplaceReductions(String one, String two, double first, double second) {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {0, 1, 9, 3, -4, 5}, 2, 3).transpose(0, 1);
        Tensor y = gpu.tensor(new float[] {11, 12}, 2)) {
      LiveOperator operator = gpu.inject("r", one);
      Tensor[] inputs = operator.inputs().size() == 2 ? new Tensor[] {x, y} : new Tensor[] {x};
      try (Tensor before = gpu.run(operator.operator(), inputs)) {
        gpu.inject("r", two);
        try (Tensor after = gpu.run(operator.operator(), inputs);
            Tensor expectedAfter = gpu.run(Operator.of(two), inputs);
            Tensor expectedBefore = gpu.run(Operator.of(one), inputs)) {
          assertArrayEquals(expectedBefore.toDoubles(), before.toDoubles());
          assertArrayEquals(expectedAfter.toDoubles(), after.toDoubles());
          assertEquals(first, before.toDoubles()[0]);
          assertEquals(second, after.toDoubles()[0]);
        }
      }
    }
  }

  /** A sum may add in any order; what replaces it counts. */
  @Test
  default void shouldCountInOrderAfterASumThatNeedNot() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor n = gpu.tensor(new long[] {0, 1, 9, 3, -4, 5}, 2, 3);
        Tensor transposed = n.transpose(0, 1);
        Tensor y = gpu.empty(DType.I64)) {
      LiveOperator operator = gpu.inject("r", "sum(n)");
      try (Call call = gpu.prepare(operator.operator(), y, transposed)) {
        call.run();
        assertEquals(14, y.toLongs()[0]);
        gpu.inject("r", "argmax(n)");
        call.run();
        assertEquals(4, y.toLongs()[0]);
      }
    }
  }

  /** Views, broadcasting, in place, other output types: what any operator can do. */
  @Test
  default void shouldTakeAnyLayout() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        Tensor column = gpu.tensor(new float[] {10, 20}, 2, 1);
        Tensor wide = gpu.empty(DType.F64, 2, 3)) {
      LiveOperator operator = gpu.inject("f", "x - column");
      for (String definition : List.of("x + column", "column * x - x")) {
        gpu.inject("f", definition);
        Operator expected = Operator.of(definition.replace("column * x", "x * 0 + column * x"));
        try (Tensor y = gpu.run(operator.operator(), x, column);
            Tensor z = gpu.run(expected, x, column)) {
          assertArrayEquals(z.toFloats(), y.toFloats());
          gpu.runInto(operator.operator(), wide, x, column);
          assertArrayEquals(z.toDoubles(), wide.toDoubles());
        }
      }
      gpu.inject("f", "x + column");
      gpu.runInto(operator.operator(), x, x, column);
      assertArrayEquals(new float[] {11, 12, 13, 24, 25, 26}, x.toFloats());
      try (Tensor none = gpu.empty(DType.F32, 0, 3);
          Tensor row = gpu.empty(DType.F32, 1, 1);
          Tensor result = gpu.run(operator.operator(), none, row)) {
        assertArrayEquals(new long[] {0, 3}, result.shape());
      }
    }
  }

  /** An anonymous operator of the same kernel stays what it is. */
  @Test
  default void shouldNotShareWithAnonymousOperators() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3})) {
      Operator plain = Operator.of("x * 2");
      assertEquals(6, first(gpu, plain, x));
      LiveOperator one = gpu.inject("one", "x * 2");
      LiveOperator two = gpu.inject("two", "x * 2");
      assertEquals(6, first(gpu, one.operator(), x));
      assertEquals(6, first(gpu, two.operator(), x));
      gpu.inject("one", "x * 5");
      assertEquals(15, first(gpu, one.operator(), x));
      assertEquals(6, first(gpu, two.operator(), x));
      assertEquals(6, first(gpu, plain, x));
    }
  }

  /**
   * Tasks that wait while a generation is published and rolled back. They were submitted before, so
   * either generation is right, but never a mixture, and never one that was rolled back before the
   * first of them ran.
   */
  @Test
  default void shouldTurnQueuedTasksToo() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3})) {
      LiveOperator operator = gpu.inject("f", "x * 2");
      assertEquals(6, first(gpu, operator.operator(), x));
      List<Submission> queued = new ArrayList<>();
      try (Hold _ = Hold.of(gpu)) {
        for (int k = 0; k < 50; k++) {
          queued.add(gpu.submit(operator.operator(), x));
        }
        gpu.inject("f", "x * 1000");
        assertFalse(operator.drained(), "queued tasks may run what was left");
        assertFalse(operator.awaitDrained(Duration.ofMillis(5)));
        assertEquals(1, operator.rollback());
        assertFalse(operator.drained());
      }
      for (Submission submission : queued) {
        try (Tensor result = submission.await()) {
          assertEquals(6, result.toFloats()[0]);
        }
      }
      assertTrue(operator.awaitDrained(LONG));
    }
  }

  /** Many operators at once, each with its own generations. */
  @Test
  default void shouldKeepManyOperatorsApart() {
    int count = Math.min(300, generations());
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new long[] {0})) {
      List<LiveOperator> operators = new ArrayList<>();
      for (int k = 0; k < count; k++) {
        operators.add(gpu.inject("f" + k, "x + " + k));
        assertEquals(k, first(gpu, operators.get(k).operator(), x));
      }
      for (int k = 0; k < count; k += 2) {
        gpu.inject("f" + k, "x - " + k);
      }
      for (int k = 0; k < count; k++) {
        assertEquals(k % 2 == 0 ? -k : k, first(gpu, operators.get(k).operator(), x));
      }
      for (int k = 0; k < count; k += 4) {
        operators.get(k).rollback();
      }
      for (int k = 0; k < count; k++) {
        assertEquals(k % 2 == 0 && k % 4 != 0 ? -k : k, first(gpu, operators.get(k).operator(), x));
      }
    }
  }

  @Test
  default void shouldRefuseReplacementsThatDoNotFit() {
    Gpuos gpu = shared();
    try (Tensor x = gpu.tensor(new float[] {4, 6}, 1, 2);
        Tensor y = gpu.tensor(new float[] {2}, 1)) {
      LiveOperator f = gpu.inject("refuse_f", "x / y");
      LiveOperator r = gpu.inject("refuse_r", "sum(x, axis=1)");
      assertEquals(2, first(gpu, f.operator(), x, y));
      assertEquals(10, first(gpu, r.operator(), x));
      int generation = f.generation();

      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "x + 1"), "[x]", "[x, y]");
      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "x + y + z"), "z");
      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "x + z"), "refuse_f");
      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "sum(x * y)"), "elementwise");
      refused(DTypeException.class, () -> gpu.inject("refuse_f", "x > y"), "BOOL", "F32");
      refused(DTypeException.class, () -> gpu.inject("refuse_f", "x & y"));
      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "x +"));
      refused(ExpressionException.class, () -> gpu.inject("refuse_f", "x, y"), "results=2");
      refused(ExpressionException.class, () -> gpu.inject("refuse_r", "sum(x)"), "axes [1]");
      refused(ExpressionException.class, () -> gpu.inject("refuse_r", "x * 2"), "reduction");
      refused(
          ExpressionException.class,
          () -> gpu.inject("refuse_r", "sum(x, axis=1, keepdim=true)"),
          "keepdim=false");
      refused(DTypeException.class, () -> gpu.inject("refuse_r", "argmax(x, axis=1)"), "I64");

      assertEquals(generation, f.generation());
      assertEquals("x / y", f.origin());
      assertEquals(2, first(gpu, f.operator(), x, y));
      assertEquals(10, first(gpu, r.operator(), x));
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseWhatIsNotOneKernel() {
    Gpuos gpu = shared();
    refused(ExpressionException.class, () -> gpu.inject("g", "x - max(x)"), "not one kernel");
    refused(ExpressionException.class, () -> gpu.inject("g", "sum(sum(x, axis=0))"), "reduction");
    refused(ExpressionException.class, () -> gpu.inject("g", "a+b+c+d+e+f+g+h+i"), "inputs=9");
    refused(
        ExpressionException.class, () -> gpu.inject("g", "x" + " + x * 2".repeat(200)), "parts=");
    refused(ExpressionException.class, () -> gpu.inject("two words", "x"), "two words");
    refused(ExpressionException.class, () -> gpu.inject("", "x"));
    assertEquals(Optional.empty(), gpu.live("g"), "a refused operator is not there");
    LiveOperator sum = gpu.inject("sum_of_all", "sum(x)");
    try (Tensor x = gpu.tensor(new float[] {1, 2});
        Tensor half = gpu.empty(DType.F16)) {
      refused(
          ExpressionException.class, () -> gpu.runInto(sum.operator(), half, x), "its own type");
    }
    goesOn(gpu);
  }

  /** A type that the generation before has no meaning for takes the way back. */
  @Test
  default void shouldRefuseAWayBackThatAVariantDoesNotHave() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor integers = gpu.tensor(new long[] {7});
        Tensor floats = gpu.tensor(new float[] {7})) {
      LiveOperator f = gpu.inject("f", "x & 3");
      assertEquals(3, first(gpu, f.operator(), integers));
      refused(DTypeException.class, () -> gpu.run(f.operator(), floats));
      gpu.inject("f", "x + 3");
      assertEquals(10, first(gpu, f.operator(), floats));
      refused(TransitionException.class, f::rollback, "f32", "generation 1");
      assertEquals(2, f.generation());
      assertEquals(10, first(gpu, f.operator(), integers));
      gpu.inject("f", "x + 4");
      assertEquals(2, f.rollback());
      assertEquals(10, first(gpu, f.operator(), floats));
    }
  }

  // ---- CUDA C++

  String SWISH =
      """
      #define ONE 1.0f
      __device__ float swish(float x, float beta) {
        return x / (ONE + expf(-beta * x));
      }
      """;

  private static CudaOperator cudaSwish(String name) {
    return CudaOperator.of(name, SWISH, "f32 swish(f32 x, f32 beta)");
  }

  /** Where CUDA C++ runs, it is an operator like any other; elsewhere only running is refused. */
  @Test
  default void shouldRunCudaSources() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {-1, 0, 2, 3, 4, 5}, 2, 3);
        Tensor beta = gpu.tensor(new float[] {1, 2}, 2, 1)) {
      LiveOperator swish = gpu.inject(cudaSwish("swish"));
      assertEquals(List.of("x", "beta"), swish.inputs());
      assertEquals("swish.cu: f32 swish(f32 x, f32 beta)", swish.origin());
      if (gpu.device().architecture().isEmpty()) {
        refused(
            DeviceUnavailableException.class,
            () -> gpu.run(swish.operator(), x, beta),
            "operator needs a CUDA device: operator=f32 swish(f32 x, f32 beta)");
        refused(
            DeviceUnavailableException.class,
            () -> gpu.run(Operator.of(cudaSwish("s").call(Expr.input("x"), Expr.of(1.0))), x));
        goesOn(gpu);
        return;
      }
      try (Tensor view = x.transpose(0, 1);
          Tensor betas = beta.transpose(0, 1);
          Tensor y = gpu.run(swish.operator(), view, betas);
          Tensor z = gpu.run(Operator.of("x * 1 / (1 + exp(-beta * x))"), view, betas)) {
        assertArrayEquals(z.toFloats(), y.toFloats(), 1e-5f);
      }
      try (Tensor wide = gpu.tensor(new double[] {1})) {
        refused(DTypeException.class, () -> gpu.run(swish.operator(), wide, beta), "x=f64");
      }
      gpu.inject("swish", "x + beta");
      assertEquals(0, first(gpu, swish.operator(), x, beta));
      swish.rollback();
      assertEquals(-0.2689414f, first(gpu, swish.operator(), x, beta), 1e-5f);
    }
  }

  /** A definition that this device cannot run, or that does not compile, replaces nothing. */
  @Test
  default void shouldRefuseCudaSourcesThatCannotReplace() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3});
        Tensor beta = gpu.tensor(new float[] {4})) {
      LiveOperator swish = gpu.inject("swish", "x * beta");
      assertEquals(12, first(gpu, swish.operator(), x, beta));
      CompileException broken =
          assertThrows(
              CompileException.class,
              () ->
                  gpu.inject(
                      CudaOperator.of(
                          "swish",
                          "float swish(float x, float beta) {\n  return gamma;\n}",
                          "f32 swish(f32 x, f32 beta)")));
      String message = broken.getMessage();
      assertTrue(message.contains("file=swish.cu, line=2, error=identifier"), message);
      assertTrue(message.contains("return gamma;"), "the log is missing: " + message);
      refused(
          DTypeException.class,
          () ->
              gpu.inject(
                  CudaOperator.of(
                      "swish",
                      "double swish(double x, double beta) { return x; }",
                      "f64 swish(f64 x, f64 beta)")),
          "x=f32");
      if (gpu.device().architecture().isEmpty()) {
        refused(DeviceUnavailableException.class, () -> gpu.inject(cudaSwish("swish")), "swish");
      }
      assertEquals(1, swish.generation());
      assertEquals(12, first(gpu, swish.operator(), x, beta));
    }
  }

  /** What was never run on this device is no obstacle to what replaces it. */
  @Test
  default void shouldReplaceCudaSources() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3});
        Tensor beta = gpu.tensor(new float[] {4})) {
      LiveOperator swish = gpu.inject(cudaSwish("mine"));
      gpu.inject("mine", "x * beta");
      assertEquals(12, first(gpu, swish.operator(), x, beta));
      if (gpu.device().architecture().isEmpty()) {
        refused(TransitionException.class, swish::rollback, "no way back", "needs a CUDA device");
        assertEquals(12, first(gpu, swish.operator(), x, beta));
      }
    }
  }

  @Test
  default void shouldRefuseAnotherRuntimeAndAClosedOne() {
    Gpuos gpu = open(DeviceSettings.defaults());
    LiveOperator f = gpu.inject("f", "x + 1");
    Gpuos other = shared();
    try (Tensor x = other.tensor(new float[] {1})) {
      refused(InvalidInputException.class, () -> other.run(f.operator(), x), "another runtime");
    }
    gpu.close();
    refused(ClosedException.class, () -> gpu.inject("f", "x + 2"));
    refused(ClosedException.class, f::rollback);
    assertEquals(1, f.generation());
    assertEquals("x + 1", f.origin());
  }
}

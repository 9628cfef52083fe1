package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.driver.Nvrtc;
import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.ForeignFunction;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.KernelText;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What somebody else wrote in CUDA C++, through the real compiler. */
class ForeignSourcesTest {

  private static final String SWISH =
      """
      __device__ float swish(float x, float beta) {
        return x / (1.0f + expf(-beta * x));
      }
      """;

  private static Kernel kernel(String signature, String source) {
    return kernel(ForeignFunction.of(signature, "user.cu", source));
  }

  private static Kernel kernel(ForeignFunction function) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    for (ForeignFunction.Parameter parameter : function.parameters()) {
      inputs.put(parameter.name(), TensorType.of(parameter.type(), 3));
    }
    List<Expr> arguments = inputs.keySet().stream().map(Expr::input).toList();
    return kernel(new Expr.Foreign(function, arguments), inputs);
  }

  private static Kernel kernel(Expr expr, SequencedMap<String, TensorType> inputs) {
    return ExpressionPlan.of(List.of(expr), inputs).steps().getFirst().kernel();
  }

  private static Nvrtc.Compiled compile(Kernel kernel) {
    return Nvrtc.open()
        .compile(
            CudaGenerator.render(kernel),
            "operator.cu",
            DeviceSources.headers(),
            List.of(
                "--gpu-architecture=sm_90",
                "--std=c++17",
                "--device-as-default-execution-space",
                "--relocatable-device-code=true",
                "--maxrregcount=64"),
            Nvrtc.Target.CUBIN);
  }

  private static String refused(String signature, String source) {
    return assertThrows(CompileException.class, () -> compile(kernel(signature, source)))
        .getMessage();
  }

  /** Compiles without a remark, within the registers that workers have. */
  private static void accepted(String signature, String source) {
    assertEquals("", compile(kernel(signature, source)).log());
  }

  @Test
  void shouldCompileFunctionsOfEveryType() {
    accepted("f32 swish(f32 x, f32 beta)", SWISH);
    accepted("f16 swish(f16 x, bf16 beta)", SWISH);
    accepted("f64 f(f64 x)", "__device__ double f(double x) { return x; }");
    accepted("i64 f(i64 x)", "__device__ long long f(long long x) { return x; }");
    accepted(
        "u8 f(i32 a, i16 b, i8 c, u8 d, bool e)",
        "__device__ int f(int a, int b, int c, int d, bool e) { return e ? a + b : c + d; }");
    accepted("bool f()", "__device__ bool f() { return true; }");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "float f(float x) { return x; }",
        "static __device__ __forceinline__ float f(float x) { return x; }",
        "template <class T> __device__ T f(T x) { return x; } // no end of line \\",
        "float f(float x) { return x; } double f(double x) { return x; }",
        "extern \"C\" __device__ float f(float x) { return x; }",
        "#include \"gpuos_math.cuh\"\n__device__ float f(float x) { return gpuos::tanh(x); }",
        "#define v0 7\n#  define Body 3\n#define gpuos_op(x) x\nfloat f(float v) { return v0 * v; }",
        "struct Body { float v; };\nfloat gpuos_op(Body b) { return b.v; }\n"
            + "float f(float x) { return gpuos_op(Body{x}); }",
        "\r\nfloat f(float x) {\r\n  return x;\r\n}\r\n",
      })
  void shouldLetTheSourceBeWrittenAsItsAuthorLikes(String source) {
    accepted("f32 f(f32 x)", source);
  }

  /** Names that the generated text uses itself. */
  @ParameterizedTest
  @ValueSource(strings = {"a0", "v0", "e", "apply", "call", "function", "gpuos", "task", "Body"})
  void shouldLetTheFunctionHaveAnyName(String name) {
    accepted(
        "f32 %s(f32 x)".formatted(name),
        "__device__ float %s(float x) { return x; }".formatted(name));
  }

  @Test
  void shouldNameFileAndLineOfAnError() {
    String message = refused("f32 f(f32 x)", "\n\nfloat f(float x) {\n  return y;\n}\n");
    String first = message.lines().findFirst().orElseThrow();
    assertTrue(first.contains("file=user.cu, line=4, error=identifier \"y\" is undefined"), first);
    assertTrue(message.contains("return y;"), "the log is missing: " + message);
    assertTrue(
        refused("f32 f(f32 x)", "float f(float x) { return x; } /* open")
            .contains("file=user.cu, line=1, error=comment unclosed"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "f32 swoosh(f32 x, f32 beta) | identifier \"swoosh\" is undefined",
        "f32 swish(f32 x)            | \"float (*)(float, float)\" cannot",
        "f64 swish(f64 x, f64 beta)  | \"float (*)(float, float)\" cannot",
        "i32 swish(f32 x, f32 beta)  | \"float (*)(float, float)\" cannot",
      })
  void shouldHoldTheFunctionToItsSignature(String signature, String error) {
    String message = refused(signature, SWISH);
    assertTrue(message.contains("file=signature of " + signature + ", line=2"), message);
    assertTrue(message.contains(error), message);
  }

  /** Two sources that define the same names, and one of them called twice. */
  @Test
  void shouldKeepSourcesApart() {
    ForeignFunction twice =
        ForeignFunction.of(
            "f32 f(f32 x)",
            "a.cu",
            "#define FACTOR 2\n__constant__ float c = 1;\nfloat f(float x) { return x * FACTOR; }");
    ForeignFunction thrice =
        ForeignFunction.of(
            "f32 f(f32 x)", "b.cu", "#define FACTOR 3\nfloat f(float x) { return x * FACTOR; }");
    assertNotEquals(twice, thrice);
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", TensorType.of(DType.F32, 3));
    Expr x = Expr.input("x");
    Expr both =
        new Expr.Foreign(twice, List.of(x))
            .add(new Expr.Foreign(thrice, List.of(x)))
            .add(new Expr.Foreign(twice, List.of(Expr.of(2.5))));
    Kernel kernel = kernel(both, inputs);
    assertEquals("", compile(kernel).log());
    String text = CudaGenerator.render(kernel);
    assertEquals(text.indexOf("a.cu"), text.lastIndexOf("a.cu"), "written twice");
  }

  /** Kernels, texts and expressions differ when a letter of the source does. */
  @Test
  void shouldTellSourcesApart() {
    Kernel one = kernel("f32 f(f32 x)", "float f(float x) { return x; }");
    Kernel two = kernel("f32 f(f32 x)", "float f(float x) { return x ; }");
    assertNotEquals(one, two);
    assertNotEquals(CudaGenerator.render(one), CudaGenerator.render(two));
    assertNotEquals(KernelText.of(one), KernelText.of(two));
    assertEquals(one, kernel("f32 f( f32 x );", "float f(float x) { return x; }"));
  }

  @Test
  void shouldRefuseToRunOnTheJvm() {
    DeviceUnavailableException refused =
        assertThrows(
            DeviceUnavailableException.class,
            () -> JvmGenerator.compile(kernel("f32 swish(f32 x, f32 beta)", SWISH)));
    assertTrue(
        refused.getMessage().startsWith("operator needs a CUDA device: operator=f32 swish("),
        refused::getMessage);
    assertFalse(refused.getMessage().contains("\n"), refused::getMessage);
  }
}

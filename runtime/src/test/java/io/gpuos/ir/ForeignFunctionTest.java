package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ForeignFunctionTest {

  private static final ForeignFunction SWISH =
      ForeignFunction.of("f32 swish(f32 x, f32 beta)", "swish.cu", "the source");

  private static Expr swish(Expr x, Expr beta) {
    return new Expr.Foreign(SWISH, List.of(x, beta));
  }

  private static final Expr X = Expr.input("x");
  private static final Expr BETA = Expr.input("beta");

  private static ExpressionPlan plan(Expr expr, TensorType x, TensorType beta) {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    types.put("x", x);
    types.put("beta", beta);
    return ExpressionPlan.of(List.of(expr), types);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "f32 f(f32 x)                              | f32 f(f32 x)",
        "  float32 f ( half x , bfloat16 y ) ;     | f32 f(f16 x, bf16 y)",
        "i64 _f2(u8 a, bool b, i16 c, i8 d, i32 e) | i64 _f2(u8 a, bool b, i16 c, i8 d, i32 e)",
        "bool f()                                  | bool f()",
      })
  void shouldReadSignatures(String signature, String expected) {
    ForeignFunction function = ForeignFunction.of(signature, "f.cu", "");
    assertEquals(expected, function.signature());
    assertEquals(function, ForeignFunction.of(function.signature(), "f.cu", ""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "''                | malformed signature: signature=,",
        "f32 f             | signature=f32 f",
        "f32 f(f32 x)) x   | signature=",
        "f(f32 x)          | signature=f(f32 x)",
        "f32 f(f32 x f32 y)| parameter=f32 x f32 y",
        "f32 f(f32* x)     | parameter=f32* x",
        "f32 f(f32 x,)     | parameter=,",
        "f32 f(,f32 x)     | parameter=,",
        "F99 f(f32 x)      | type=F99",
        "f32 f(int x, f x) | type=int,",
        "f32 f(f32 x,i8 x) | parameter=x",
        "f32 f(f32 9)      | name=9",
        "f32 f(f32 a,f32 b,f32 c,f32 d,f32 e,f32 g,f32 h,f32 i,f32 j) | parameters=9",
      })
  void shouldRefuseOtherSignatures(String signature, String part) {
    ExpressionException refused =
        assertThrows(ExpressionException.class, () -> ForeignFunction.of(signature, "f.cu", ""));
    assertTrue(refused.getMessage().contains(part), refused::getMessage);
    assertTrue(refused.getMessage().startsWith("malformed signature: "), refused::getMessage);
  }

  @Test
  void shouldRefuseASourceThatTheCompilerWouldNotReadToItsEnd() {
    assertThrows(
        ExpressionException.class, () -> ForeignFunction.of("f32 f(f32 x)", "f.cu", "a\0b"));
  }

  @Test
  void shouldTakePartInAKernel() {
    TensorType f32 = TensorType.of(DType.F32, 2, 1);
    ExpressionPlan plan = plan(swish(X.mul(X), BETA).add(X), f32, TensorType.of(DType.F32, 3));
    assertEquals(List.of(TensorType.of(DType.F32, 2, 3)), plan.outputs());
    assertEquals(1, plan.steps().size());
    List<Node> nodes = plan.steps().getFirst().kernel().nodes();
    assertTrue(nodes.stream().anyMatch(node -> node instanceof Node.Foreign), nodes::toString);
    assertEquals(1, plan(swish(X, BETA).reduce(Reducer.SUM), f32, f32).steps().size());
  }

  @ParameterizedTest
  @CsvSource({"F16, F32", "F64, F32", "F32, BF16", "I32, F32", "F32, BOOL"})
  void shouldRefuseTensorsOfAnotherType(DType x, DType beta) {
    DTypeException refused =
        assertThrows(
            DTypeException.class,
            () -> plan(swish(X, BETA), TensorType.of(x, 3), TensorType.of(beta)));
    String wrong = x == DType.F32 ? "beta=" : "x=";
    assertTrue(refused.getMessage().contains(wrong), refused::getMessage);
    assertTrue(refused.getMessage().contains("expected=f32 for"), refused::getMessage);
  }

  /** Literals have a kind and no type, as everywhere. */
  @Test
  void shouldTakeLiterals() {
    TensorType f32 = TensorType.of(DType.F32, 3);
    Kernel kernel = plan(swish(X, Expr.of(2)).add(BETA), f32, f32).steps().getFirst().kernel();
    long two = Double.doubleToRawLongBits(2);
    assertTrue(kernel.nodes().contains(new Node.Constant(DType.F32, two)), kernel::toString);
    Expr whole =
        new Expr.Foreign(ForeignFunction.of("i8 f(i8 n)", "f.cu", ""), List.of(Expr.of(0.5)));
    assertThrows(DTypeException.class, () -> plan(whole, f32, f32));
    Expr wide =
        new Expr.Foreign(ForeignFunction.of("i8 f(i8 n)", "f.cu", ""), List.of(Expr.of(300)));
    assertThrows(DTypeException.class, () -> plan(wide, f32, f32));
  }

  @Test
  void shouldRefuseWhatDoesNotFitTheSignature() {
    GpuosException refused =
        assertThrows(ExpressionException.class, () -> new Expr.Foreign(SWISH, List.of(X)));
    assertTrue(refused.getMessage().contains("count=1, expected=2"), refused::getMessage);
    assertThrows(
        ShapeException.class,
        () -> plan(swish(X, BETA), TensorType.of(DType.F32, 3), TensorType.of(DType.F32, 2)));
  }

  @Test
  void shouldCompareByTheSource() {
    ForeignFunction other =
        ForeignFunction.of("f32 swish(f32 x, f32 beta)", "swish.cu", "the source ");
    Expr one = swish(X, BETA);
    assertEquals(one, swish(Expr.input("x"), Expr.input("beta")));
    assertEquals(one.hashCode(), swish(Expr.input("x"), Expr.input("beta")).hashCode());
    assertNotEquals(one, new Expr.Foreign(other, List.of(X, BETA)));
    assertNotEquals(one, swish(BETA, X));
    assertEquals("swish(x, beta) + 1", one.add(Expr.of(1)).toString());
    assertEquals(List.of("x", "beta"), List.copyOf(Expr.inputNames(List.of(one))));
  }
}

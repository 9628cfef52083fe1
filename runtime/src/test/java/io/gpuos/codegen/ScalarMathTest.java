package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Function;
import io.gpuos.layout.DType;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class ScalarMathTest {

  private static final double INF = Double.POSITIVE_INFINITY;
  private static final double NAN = Double.NaN;
  private static final BigDecimal ONE = BigDecimal.ONE;

  // ---------------------------------------------------------------- accuracy in double

  @Test
  void shouldBeAccurateInExponentialsAndLogarithms() {
    check(ScalarMath::exp, x -> exp(x), 1, -700, 700);
    check(ScalarMath::exp2, x -> exp(x.multiply(BigMath.log(BigMath.TWO))), 2, -60, 60);
    check(ScalarMath::expm1, x -> exp(x).subtract(ONE), 2, -1e-3, 1e-3);
    check(ScalarMath::expm1, x -> exp(x).subtract(ONE), 2, -20, 20);
    check(ScalarMath::log, BigMath::log, 1, 1e-3, 1e3);
    check(ScalarMath::log10, x -> quotient(BigMath.log(x), BigMath.log(BigDecimal.TEN)), 2, 0, 10);
    check(ScalarMath::log1p, x -> BigMath.log(x.add(ONE)), 2, -0.9, 1e3);
    check(ScalarMath::log1p, x -> BigMath.log(x.add(ONE)), 2, -1e-6, 1e-6);
    check(ScalarMath::rsqrt, x -> quotient(ONE, BigMath.sqrt(x)), 2, 0, 1e6);
  }

  @Test
  void shouldBeAccurateInHyperbolics() {
    check(ScalarMath::sinh, x -> half(exp(x).subtract(exp(x.negate()))), 3, -20, 20);
    check(ScalarMath::cosh, x -> half(exp(x).add(exp(x.negate()))), 3, -20, 20);
    check(ScalarMath::tanh, ScalarMathTest::tanh, 3, -3, 3);
    check(ScalarMath::tanh, ScalarMathTest::tanh, 3, -1e-3, 1e-3);
  }

  @Test
  void shouldBeAccurateInActivations() {
    check(ScalarMath::sigmoid, ScalarMathTest::sigmoid, 4, -100, 100);
    check(ScalarMath::silu, x -> x.multiply(sigmoid(x)), 4, -100, 100);
    check(ScalarMath::mish, x -> x.multiply(tanh(BigMath.log(exp(x).add(ONE)))), 6, -30, 30);
    check(x -> ScalarMath.softplus(x, 1, 50), x -> BigMath.log(exp(x).add(ONE)), 3, -30, 30);
    check(x -> ScalarMath.elu(x, 1.5), x -> elu(x, 1.5), 3, -30, 3);
    check(
        x -> ScalarMath.celu(x, 2),
        x -> elu(x.divide(BigMath.TWO), 1).multiply(BigMath.TWO),
        3,
        -30,
        3);
    check(ScalarMath::gelu, ScalarMathTest::gelu, 8, -1, 6);
    // The argument of erfc is rounded, which its steep tail magnifies by x².
    check(ScalarMath::gelu, ScalarMathTest::gelu, 120, -8, -1);
    check(ScalarMath::geluTanh, ScalarMathTest::geluTanh, 10, -1, 6);
    check(ScalarMath::geluTanh, ScalarMathTest::geluTanh, 100, -5, -1);
  }

  private static void check(
      DoubleUnaryOperator function,
      UnaryOperator<BigDecimal> truth,
      double bound,
      double from,
      double to) {
    Random random = new Random(Double.hashCode(from) + 31L * Double.hashCode(to));
    for (int i = 0; i < 60; i++) {
      double x = from + (to - from) * random.nextDouble();
      double ulps = BigMath.ulps(function.applyAsDouble(x), truth.apply(BigMath.of(x)));
      assertTrue(ulps <= bound, "x = " + x + " is off by " + ulps + " ulps");
    }
  }

  private static BigDecimal exp(BigDecimal x) {
    return BigMath.exp(x, BigMath.DIGITS);
  }

  private static BigDecimal quotient(BigDecimal a, BigDecimal b) {
    return a.divide(b, BigMath.DIGITS);
  }

  private static BigDecimal half(BigDecimal x) {
    return x.divide(BigMath.TWO);
  }

  private static BigDecimal tanh(BigDecimal x) {
    BigDecimal square = exp(x.multiply(BigMath.TWO));
    return quotient(square.subtract(ONE), square.add(ONE));
  }

  private static BigDecimal sigmoid(BigDecimal x) {
    return quotient(ONE, exp(x.negate()).add(ONE));
  }

  private static BigDecimal elu(BigDecimal x, double alpha) {
    return x.signum() > 0 ? x : exp(x).subtract(ONE).multiply(BigMath.of(alpha));
  }

  private static BigDecimal gelu(BigDecimal x) {
    BigDecimal argument = quotient(x.negate(), BigMath.sqrt(BigMath.TWO));
    return half(x.multiply(BigMath.erfc(argument)));
  }

  private static BigDecimal geluTanh(BigDecimal x) {
    BigDecimal slope = BigMath.sqrt(quotient(BigMath.TWO, BigMath.PI));
    BigDecimal cubic = x.pow(3).multiply(new BigDecimal("0.044715"));
    return half(x.multiply(tanh(x.add(cubic).multiply(slope)).add(ONE)));
  }

  // ---------------------------------------------------------------- float

  /** The float form of each function of one argument: at most one place off the double form. */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"ISNAN", "ISINF", "ISFINITE"})
  void shouldRoundTheDoubleFormToFloat(Function function) throws ReflectiveOperationException {
    boolean called =
        Arrays.stream(ScalarMath.class.getMethods())
            .anyMatch(method -> method.getName().equals(function.javaName()));
    if (!called || function.arity() != 1) {
      return;
    }
    Method single = ScalarMath.class.getMethod(function.javaName(), float.class);
    Method wide = ScalarMath.class.getMethod(function.javaName(), double.class);
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      float x = i % 2 == 0 ? Float.intBitsToFloat(random.nextInt()) : random.nextFloat() * 8 - 4;
      float expected = (float) (double) wide.invoke(null, (double) x);
      float actual = (float) single.invoke(null, x);
      boolean near = Math.abs(actual - expected) <= 1.01 * Math.ulp(expected);
      assertTrue(near || Float.compare(actual, expected) == 0, function + " of " + x);
    }
  }

  @Test
  void shouldNotOverflowBetweenInFloatHypot() {
    assertEquals(5e30f, ScalarMath.hypot(3e30f, 4e30f), 1e24f);
    assertEquals(5e-30f, ScalarMath.hypot(3e-30f, 4e-30f), 1e-36f);
    assertEquals(Float.POSITIVE_INFINITY, ScalarMath.hypot(Float.NaN, Float.NEGATIVE_INFINITY));
  }

  // ---------------------------------------------------------------- edges

  @Test
  void shouldRoundAsTheirNamesSay() {
    double[] x = {-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, 2.7, -2.7, INF, -INF, NAN, 0x1p60};
    double[] round = {-2, -2, -0.0, -0.0, 0, 2, 2, 3, -3, INF, -INF, NAN, 0x1p60};
    double[] trunc = {-2, -1, -0.0, -0.0, 0, 1, 2, 2, -2, INF, -INF, NAN, 0x1p60};
    for (int i = 0; i < x.length; i++) {
      assertEquals(round[i], ScalarMath.round(x[i]));
      assertEquals((float) round[i], ScalarMath.round((float) x[i]));
      assertEquals(trunc[i], ScalarMath.trunc(x[i]));
      assertEquals((float) trunc[i], ScalarMath.trunc((float) x[i]));
      assertEquals((float) Math.floor(x[i]), ScalarMath.floor((float) x[i]));
      assertEquals((float) Math.ceil(x[i]), ScalarMath.ceil((float) x[i]));
    }
  }

  @Test
  void shouldFollowPythonInRemainderAndFloorDivision() {
    assertEquals(2, ScalarMath.remainder(-7.0, 3));
    assertEquals(-2, ScalarMath.remainder(7.0, -3));
    assertEquals(INF, ScalarMath.remainder(-1.0, INF));
    assertEquals(NAN, ScalarMath.remainder(1.0, 0));
    assertEquals(-3, ScalarMath.floorDivide(-7.0, 3));
    assertEquals(-1, ScalarMath.floorDivide(-1.0, INF));
    assertEquals(NAN, ScalarMath.floorDivide(INF, 2));
    assertEquals(-INF, ScalarMath.floorDivide(-1.0, 0));
    // 1 / 0.1 rounds to 10, but 0.1 is a little more than a tenth.
    assertEquals(9, ScalarMath.floorDivide(1.0, 0.1));
    assertEquals(9f, ScalarMath.floorDivide(1f, 0.1f));
    assertEquals(-1, ScalarMath.fmod(-7.0, 3));
  }

  @Test
  void shouldFollowCInPow() {
    assertEquals(1, ScalarMath.pow(1, NAN));
    assertEquals(1, ScalarMath.pow(NAN, 0));
    assertEquals(1, ScalarMath.pow(1, INF));
    assertEquals(1, ScalarMath.pow(-1, -INF));
    assertEquals(NAN, ScalarMath.pow(-2, 0.5));
    assertEquals(-INF, ScalarMath.pow(-0.0, -3));
    assertEquals(1f, ScalarMath.pow(-1f, Float.NEGATIVE_INFINITY));
  }

  @Test
  void shouldPropagateNanFromEveryFloatingFunction() throws ReflectiveOperationException {
    for (Method method : ScalarMath.class.getDeclaredMethods()) {
      boolean floating = method.getReturnType() == double.class;
      boolean constantForOne = method.getName().equals("pow") || method.getName().equals("hypot");
      if (floating && !constantForOne) {
        Object[] arguments = new Object[method.getParameterCount()];
        Arrays.fill(arguments, 0.5);
        arguments[0] = NAN;
        assertEquals(NAN, method.invoke(null, arguments), method.toString());
      }
    }
  }

  @Test
  void shouldPropagateNanFromEitherSideOfExtremes() {
    assertEquals(NAN, ScalarMath.maximum(1, NAN));
    assertEquals(NAN, ScalarMath.minimum(1, NAN));
    assertEquals(NAN, ScalarMath.clamp(1, NAN, 2));
    assertEquals(NAN, ScalarMath.clamp(1, 0, NAN));
    assertEquals(2, ScalarMath.clamp(1.0, 5, 2));
  }

  @Test
  void shouldFollowTheLimitsOfActivations() {
    assertEquals(1, ScalarMath.sigmoid(INF));
    assertEquals(0, ScalarMath.sigmoid(-INF));
    assertEquals(Math.exp(-740), ScalarMath.sigmoid(-740.0));
    assertEquals(INF, ScalarMath.silu(INF));
    assertEquals(3e38f, ScalarMath.hardswish(3e38f));
    assertEquals(1e308, ScalarMath.hardswish(1e308));
    assertEquals(INF, ScalarMath.mish(INF));
    assertEquals(-0.0, ScalarMath.mish(-800.0));
    assertEquals(INF, ScalarMath.gelu(INF));
    assertEquals(INF, ScalarMath.geluTanh(INF));
    assertEquals(30, ScalarMath.softplus(30.0, 1, 20));
    assertEquals(-1.5, ScalarMath.elu(-INF, 1.5));
    assertEquals(INF, ScalarMath.elu(INF, 1.5));
    assertEquals(-2.0, ScalarMath.celu(-INF, 2));
    assertEquals(-INF, ScalarMath.leakyRelu(-INF, 0.01));
  }

  @Test
  void shouldClassify() {
    for (double x :
        new double[] {0, -0.0, 1, Double.MIN_VALUE, -Double.MAX_VALUE, INF, -INF, NAN}) {
      assertEquals(Double.isNaN(x) ? 1 : 0, ScalarMath.isnan(x));
      assertEquals(Double.isInfinite(x) ? 1 : 0, ScalarMath.isinf(x));
      assertEquals(Double.isFinite(x) ? 1 : 0, ScalarMath.isfinite(x));
      assertEquals(Float.isNaN((float) x) ? 1 : 0, ScalarMath.isnan((float) x));
      assertEquals(Float.isInfinite((float) x) ? 1 : 0, ScalarMath.isinf((float) x));
      assertEquals(Float.isFinite((float) x) ? 1 : 0, ScalarMath.isfinite((float) x));
    }
  }

  @Test
  void shouldGiveASignToEverythingButNan() {
    double[] x = {-INF, -3, -0.0, 0, 2, NAN};
    double[] sign = {-1, -1, 0, 0, 1, NAN};
    for (int i = 0; i < x.length; i++) {
      assertEquals(sign[i], ScalarMath.sign(x[i]));
      assertEquals((float) sign[i], ScalarMath.sign((float) x[i]));
    }
  }

  // ---------------------------------------------------------------- integers

  @Test
  void shouldComputeIntegersModuloTheirWidth() throws ReflectiveOperationException {
    long[] values = {
      0,
      1,
      -1,
      2,
      -2,
      3,
      5,
      7,
      -8,
      31,
      32,
      33,
      63,
      64,
      65,
      100,
      -128,
      127,
      1000003,
      Integer.MAX_VALUE,
      Integer.MIN_VALUE,
      Long.MAX_VALUE,
      Long.MIN_VALUE,
      1L << 40
    };
    List<Function> functions =
        List.of(
            Function.REMAINDER,
            Function.FLOOR_DIVIDE,
            Function.FMOD,
            Function.POW,
            Function.MAXIMUM,
            Function.MINIMUM,
            Function.SHIFT_LEFT,
            Function.SHIFT_RIGHT);
    for (Function function : functions) {
      Method wide = ScalarMath.class.getMethod(function.javaName(), long.class, long.class);
      Method narrow = ScalarMath.class.getMethod(function.javaName(), int.class, int.class);
      for (long a : values) {
        for (long b : values) {
          String what = function + " of " + a + ", " + b;
          long expected = integral(function, DType.I64, a, b).longValue();
          assertEquals(expected, (long) wide.invoke(null, a, b), what);
          int narrowExpected = integral(function, DType.I32, (int) a, (int) b).intValue();
          assertEquals(narrowExpected, (int) narrow.invoke(null, (int) a, (int) b), what);
        }
      }
    }
  }

  private static BigInteger integral(Function function, DType type, long a, long b) {
    return NaiveFunctions.integral(function, type, BigInteger.valueOf(a), BigInteger.valueOf(b));
  }
}

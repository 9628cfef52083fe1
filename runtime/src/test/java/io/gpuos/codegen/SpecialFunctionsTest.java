package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.Random;
import java.util.function.DoubleFunction;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class SpecialFunctionsTest {

  private static final int POINTS = 150;

  @Test
  void shouldComputeErfWithin3Ulps() {
    DoubleFunction<BigDecimal> truth = x -> BigMath.erf(BigMath.of(x), BigMath.DIGITS);
    check(SpecialFunctions::erf, truth, 3, -6, 6);
    check(SpecialFunctions::erf, truth, 3, -0.5, 0.5);
    check(SpecialFunctions::erf, truth, 3, -1e-9, 1e-9);
  }

  @Test
  void shouldComputeErfcWithin5Ulps() {
    DoubleFunction<BigDecimal> truth = x -> BigMath.erfc(BigMath.of(x));
    check(SpecialFunctions::erfc, truth, 2, -6, 0.5);
    check(SpecialFunctions::erfc, truth, 5, 0.4, 8);
  }

  @Test
  void shouldComputeTheTailOfErfc() {
    for (double x : new double[] {9.1, 12.34, 15.9, 20.01, 25.7, 26.5}) {
      double ulps = BigMath.ulps(SpecialFunctions.erfc(x), BigMath.erfc(BigMath.of(x)));
      assertTrue(ulps < 5, x + " is off by " + ulps);
    }
    assertEquals(0, SpecialFunctions.erfc(28));
  }

  @Test
  void shouldComputeLgammaWithin5Ulps() {
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 0, 0.5);
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 0.5, 1.5);
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 1.5, 2.5);
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 2.5, 20);
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 20, 1e5);
  }

  @Test
  void shouldKeepTheDigitsOfLgammaAtItsZeros() {
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 1 - 1e-6, 1 + 1e-6);
    check(SpecialFunctions::lgamma, BigMath::lgamma, 5, 2 - 1e-6, 2 + 1e-6);
    assertEquals(0.0, SpecialFunctions.lgamma(1));
    assertEquals(0.0, SpecialFunctions.lgamma(2));
  }

  @Test
  void shouldReflectLgammaBelowZero() {
    Random random = new Random(3);
    for (int i = 0; i < POINTS; i++) {
      double x = -20 * random.nextDouble();
      double truth = BigMath.lgamma(x).doubleValue();
      assertEquals(truth, SpecialFunctions.lgamma(x), 1e-14 * (1 + Math.abs(truth)), "x = " + x);
    }
  }

  @Test
  void shouldComputeLog2Within2Ulps() {
    BigDecimal ln2 = BigMath.log(BigMath.TWO);
    DoubleFunction<BigDecimal> truth = x -> BigMath.log(BigMath.of(x)).divide(ln2, BigMath.DIGITS);
    check(SpecialFunctions::log2, truth, 2, 1e-3, 2);
    check(SpecialFunctions::log2, truth, 2, 0.9, 1.1);
    check(SpecialFunctions::log2, truth, 2, 1, 1e9);
  }

  @Test
  void shouldBeExactAtPowersOfTwo() {
    for (int e = -1074; e <= 1023; e++) {
      assertEquals(e, SpecialFunctions.log2(Math.scalb(1.0, e)));
    }
  }

  @Test
  void shouldComputeInverseHyperbolicsWithin4Ulps() {
    check(SpecialFunctions::asinh, SpecialFunctionsTest::asinh, 4, -10, 10);
    check(SpecialFunctions::asinh, SpecialFunctionsTest::asinh, 4, -1e-3, 1e-3);
    check(SpecialFunctions::asinh, SpecialFunctionsTest::asinh, 4, 1, 1e12);
    check(SpecialFunctions::acosh, SpecialFunctionsTest::acosh, 4, 1, 10);
    check(SpecialFunctions::acosh, SpecialFunctionsTest::acosh, 4, 1, 1.0001);
    check(SpecialFunctions::acosh, SpecialFunctionsTest::acosh, 4, 1, 1e12);
    check(SpecialFunctions::atanh, SpecialFunctionsTest::atanh, 4, -1, 1);
    check(SpecialFunctions::atanh, SpecialFunctionsTest::atanh, 4, -1e-3, 1e-3);
  }

  @Test
  void shouldKeepTinyArgumentsOfOddFunctions() {
    for (double x : new double[] {0.0, -0.0, Double.MIN_VALUE, -1e-300}) {
      assertEquals(x, SpecialFunctions.asinh(x));
      assertEquals(x, SpecialFunctions.atanh(x));
    }
    assertEquals(-0.0, SpecialFunctions.erf(-0.0));
  }

  @Test
  void shouldFollowTheLimits() {
    double inf = Double.POSITIVE_INFINITY;
    assertEquals(1, SpecialFunctions.erf(inf));
    assertEquals(-1, SpecialFunctions.erf(-inf));
    assertEquals(2, SpecialFunctions.erfc(-inf));
    assertEquals(0, SpecialFunctions.erfc(inf));
    assertEquals(inf, SpecialFunctions.lgamma(inf));
    assertEquals(inf, SpecialFunctions.lgamma(-inf));
    assertEquals(inf, SpecialFunctions.lgamma(0.0));
    assertEquals(inf, SpecialFunctions.lgamma(-3));
    assertEquals(690.7755278982137, SpecialFunctions.lgamma(-1e-300), 1e-12);
    assertEquals(-inf, SpecialFunctions.log2(0.0));
    assertEquals(inf, SpecialFunctions.log2(inf));
    assertEquals(inf, SpecialFunctions.acosh(inf));
    assertEquals(-inf, SpecialFunctions.asinh(-inf));
    assertEquals(inf, SpecialFunctions.atanh(1));
    assertEquals(-inf, SpecialFunctions.atanh(-1));
  }

  @Test
  void shouldBeNanOutsideTheDomainAndForNan() {
    assertEquals(Double.NaN, SpecialFunctions.acosh(0.5));
    assertEquals(Double.NaN, SpecialFunctions.acosh(-1e300));
    assertEquals(Double.NaN, SpecialFunctions.atanh(1.5));
    assertEquals(Double.NaN, SpecialFunctions.atanh(-1e300));
    assertEquals(Double.NaN, SpecialFunctions.log2(-1));
    DoubleUnaryOperator[] all = {
      SpecialFunctions::erf, SpecialFunctions::erfc, SpecialFunctions::lgamma,
      SpecialFunctions::log2, SpecialFunctions::asinh, SpecialFunctions::acosh,
      SpecialFunctions::atanh
    };
    for (DoubleUnaryOperator function : all) {
      assertEquals(Double.NaN, function.applyAsDouble(Double.NaN));
    }
  }

  private static void check(
      DoubleUnaryOperator function,
      DoubleFunction<BigDecimal> truth,
      double bound,
      double from,
      double to) {
    Random random = new Random(Double.hashCode(from) + 31L * Double.hashCode(to));
    for (int i = 0; i < POINTS; i++) {
      double x = from + (to - from) * random.nextDouble();
      double ulps = BigMath.ulps(function.applyAsDouble(x), truth.apply(x));
      assertTrue(ulps <= bound, "x = " + x + " is off by " + ulps + " ulps");
    }
  }

  private static BigDecimal asinh(double x) {
    BigDecimal value = BigMath.of(x).abs();
    BigDecimal root = BigMath.sqrt(value.multiply(value).add(BigDecimal.ONE));
    BigDecimal result = BigMath.log(value.add(root));
    return x < 0 ? result.negate() : result;
  }

  private static BigDecimal acosh(double x) {
    BigDecimal value = BigMath.of(x);
    BigDecimal root = BigMath.sqrt(value.multiply(value).subtract(BigDecimal.ONE));
    return BigMath.log(value.add(root));
  }

  private static BigDecimal atanh(double x) {
    BigDecimal value = BigMath.of(x);
    BigDecimal quotient =
        BigDecimal.ONE.add(value).divide(BigDecimal.ONE.subtract(value), BigMath.DIGITS);
    return BigMath.log(quotient).divide(BigMath.TWO);
  }
}

package io.gpuos.codegen;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;

/**
 * Slow reference functions in decimal arithmetic, from their defining series. Everything is good to
 * at least 35 significant digits, which is the truth as far as a double can tell.
 */
final class BigMath {

  static final MathContext DIGITS = new MathContext(50);
  static final BigDecimal TWO = BigDecimal.valueOf(2);
  static final BigDecimal PI = pi();

  private static final int STIRLING_TERMS = 16;
  private static final int STIRLING_FROM = 60;
  private static final List<BigDecimal> BERNOULLI = bernoulli(2 * STIRLING_TERMS);

  private BigMath() {}

  static BigDecimal of(double x) {
    return new BigDecimal(x);
  }

  /** How far a double is from the truth, in units in the last place of the truth. */
  static double ulps(double actual, BigDecimal expected) {
    double rounded = expected.doubleValue();
    if (Double.isInfinite(actual) || Double.isNaN(actual)) {
      return actual == rounded ? 0 : Double.POSITIVE_INFINITY;
    }
    BigDecimal distance = new BigDecimal(actual).subtract(expected).abs();
    return distance.divide(new BigDecimal(Math.ulp(rounded)), DIGITS).doubleValue();
  }

  static BigDecimal exp(BigDecimal x, MathContext digits) {
    int halvings = Math.max(0, (int) Math.ceil(Math.log(Math.abs(x.doubleValue()) + 1) * 1.5) + 8);
    MathContext wide = new MathContext(digits.getPrecision() + halvings + 10);
    BigDecimal small = x.divide(TWO.pow(halvings), wide);
    BigDecimal sum = BigDecimal.ONE;
    BigDecimal term = BigDecimal.ONE;
    for (int n = 1;
        term.signum() != 0 && term.precision() - term.scale() > -wide.getPrecision();
        n++) {
      term = term.multiply(small, wide).divide(BigDecimal.valueOf(n), wide);
      sum = sum.add(term, wide);
    }
    for (int i = 0; i < halvings; i++) {
      sum = sum.multiply(sum, wide);
    }
    return sum;
  }

  /** By Newton's method on exp; the argument must lie in the range of double. */
  static BigDecimal log(BigDecimal x) {
    MathContext wide = new MathContext(60);
    BigDecimal guess = of(Math.log(x.doubleValue()));
    for (int i = 0; i < 2; i++) {
      BigDecimal power = exp(guess, wide);
      BigDecimal step = x.subtract(power).multiply(TWO).divide(x.add(power), wide);
      guess = guess.add(step, wide);
    }
    return guess;
  }

  static BigDecimal sqrt(BigDecimal x) {
    return x.sqrt(new MathContext(60));
  }

  /** erf(x) = 2 / sqrt(pi) e^(-x²) sum of 2^n x^(2n+1) / (2n+1)!!, terms of one sign. */
  static BigDecimal erf(BigDecimal value, MathContext digits) {
    BigDecimal square = value.multiply(value);
    BigDecimal term = value;
    BigDecimal sum = value;
    for (int n = 1; term.abs().compareTo(tiny(sum, digits)) > 0; n++) {
      term =
          term.multiply(TWO)
              .multiply(square, digits)
              .divide(BigDecimal.valueOf(2L * n + 1), digits);
      sum = sum.add(term, digits);
    }
    BigDecimal root = PI.sqrt(digits);
    return sum.multiply(TWO).multiply(exp(square.negate(), digits)).divide(root, digits);
  }

  static BigDecimal erfc(BigDecimal x) {
    double square = x.doubleValue() * x.doubleValue();
    MathContext digits = new MathContext(45 + (int) (square / 2));
    return BigDecimal.ONE.subtract(erf(x, digits));
  }

  /** By Stirling's series after shifting the argument up; below 0 by reflection. */
  static BigDecimal lgamma(double x) {
    if (x < 0) {
      BigDecimal sine = sin(of(x).subtract(of(Math.rint(x))).multiply(PI)).abs();
      BigDecimal quotient = PI.divide(of(-x).multiply(sine), DIGITS);
      return log(quotient).subtract(lgamma(-x));
    }
    BigDecimal argument = of(x);
    BigDecimal product = BigDecimal.ONE;
    while (argument.compareTo(BigDecimal.valueOf(STIRLING_FROM)) < 0) {
      product = product.multiply(argument, DIGITS);
      argument = argument.add(BigDecimal.ONE);
    }
    BigDecimal half = new BigDecimal("0.5");
    BigDecimal result =
        argument
            .subtract(half)
            .multiply(log(argument))
            .subtract(argument)
            .add(log(PI.multiply(TWO)).multiply(half));
    for (int k = 1; k <= STIRLING_TERMS; k++) {
      BigDecimal divisor =
          argument.pow(2 * k - 1, DIGITS).multiply(BigDecimal.valueOf(2L * k * (2L * k - 1)));
      result = result.add(BERNOULLI.get(2 * k).divide(divisor, DIGITS));
    }
    return result.subtract(log(product));
  }

  static BigDecimal sin(BigDecimal x) {
    BigDecimal square = x.multiply(x);
    BigDecimal term = x;
    BigDecimal sum = x;
    for (long n = 1; term.abs().compareTo(tiny(sum, DIGITS)) > 0; n++) {
      term = term.multiply(square, DIGITS).divide(BigDecimal.valueOf(-2 * n * (2 * n + 1)), DIGITS);
      sum = sum.add(term, DIGITS);
    }
    return sum;
  }

  private static BigDecimal tiny(BigDecimal scale, MathContext digits) {
    return scale.abs().movePointLeft(digits.getPrecision());
  }

  /** Machin's formula. */
  private static BigDecimal pi() {
    MathContext wide = new MathContext(450);
    BigDecimal quarter =
        arctanOfInverse(5, wide)
            .multiply(BigDecimal.valueOf(4))
            .subtract(arctanOfInverse(239, wide));
    return quarter.multiply(BigDecimal.valueOf(4)).round(wide);
  }

  private static BigDecimal arctanOfInverse(long inverse, MathContext digits) {
    BigInteger one = BigInteger.TEN.pow(digits.getPrecision() + 5);
    BigInteger power = one.divide(BigInteger.valueOf(inverse));
    BigInteger sum = power;
    for (long n = 3, sign = -1; power.signum() != 0; n += 2, sign = -sign) {
      power = power.divide(BigInteger.valueOf(inverse * inverse));
      sum = sum.add(power.divide(BigInteger.valueOf(n)).multiply(BigInteger.valueOf(sign)));
    }
    return new BigDecimal(sum).divide(new BigDecimal(one), digits);
  }

  /** Bernoulli numbers B(0) to B(last) from their recurrence; the digits lost are in reserve. */
  private static List<BigDecimal> bernoulli(int last) {
    MathContext wide = new MathContext(150, RoundingMode.HALF_EVEN);
    List<BigDecimal> numbers = new ArrayList<>();
    for (int m = 0; m <= last; m++) {
      BigDecimal sum = m == 0 ? BigDecimal.ONE.negate() : BigDecimal.ZERO;
      BigDecimal binomial = BigDecimal.ONE;
      for (int k = 0; k < m; k++) {
        sum = sum.add(binomial.multiply(numbers.get(k)));
        binomial =
            binomial.multiply(BigDecimal.valueOf(m + 1L - k)).divide(BigDecimal.valueOf(k + 1L));
      }
      numbers.add(sum.negate().divide(BigDecimal.valueOf(m + 1L), wide));
    }
    return numbers;
  }
}

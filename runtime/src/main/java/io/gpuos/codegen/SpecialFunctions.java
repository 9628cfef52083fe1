package io.gpuos.codegen;

/**
 * Functions that {@link Math} lacks, in {@code double}, to a few units in the last place. Pure and
 * branchy: nothing here is meant to be vectorised. Sources are named at each method; where the text
 * of a formula is public and short, it is stated there.
 */
final class SpecialFunctions {

  private static final double LN_2 = Math.log(2);
  private static final double INVERSE_LN_2 = 1.4426950408889634;

  /** Rounding error of {@link #INVERSE_LN_2}: 1/ln 2 = INVERSE_LN_2 + INVERSE_LN_2_TAIL. */
  private static final double INVERSE_LN_2_TAIL = 2.0355273740931032e-17;

  private static final double SQRT_2 = 1.4142135623730951;
  private static final double HALF_LN_2_PI = 0.91893853320467274178;
  private static final double INVERSE_SQRT_PI = 0.56418958354775628695;

  /** From here on 1 + x² is x² in double precision. */
  private static final double SQUARE_SWALLOWS_ONE = 0x1p28;

  private SpecialFunctions() {}

  // Rational Chebyshev approximations of W. J. Cody, "Rational Chebyshev approximations for the
  // error function", Mathematics of Computation 23 (1969), pp. 631-637. The numbers are the
  // paper's; a leading coefficient of 1 in a denominator is not stored. Highest power first.

  /** erf(x) / x as a function of x², for |x| <= 0.46875. */
  private static final double[] ERF_P = {
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3
  };

  private static final double[] ERF_Q = {
    1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3
  };

  /** exp(x²) erfc(x) as a function of x, for 0.46875 <= x <= 4. */
  private static final double[] ERFC_P = {
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3
  };

  private static final double[] ERFC_Q = {
    1,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3
  };

  /** (1/sqrt(pi) - x exp(x²) erfc(x)) x² as a function of 1/x², for x >= 4. */
  private static final double[] ERFC_TAIL_P = {
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4
  };

  private static final double[] ERFC_TAIL_Q = {
    1,
    2.56852019228982242e0,
    1.87295284992346725e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3
  };

  private static final double ERF_SMALL = 0.46875;

  /** erfc underflows to zero beyond. */
  private static final double ERFC_ZERO = 27.3;

  /**
   * (-1)^k (zeta(k) - 1) / k for k = 28 down to 2, then 1 - Euler's constant: the Taylor
   * coefficients of ln Gamma(2 + z) / z (Abramowitz and Stegun, 6.1.33).
   */
  private static final double[] LGAMMA_AT_TWO = {
    3.7253340247884570548e-9 / 28,
    -7.450711789835429492e-9 / 27,
    1.4901554828365041235e-8 / 26,
    -2.9803503514652280186e-8 / 25,
    5.9608189051259479612e-8 / 24,
    -1.1921992596531107307e-7 / 23,
    2.3845050272773299e-7 / 22,
    -4.7693298678780646312e-7 / 21,
    9.5396203387279611315e-7 / 20,
    -1.9082127165539389257e-6 / 19,
    3.8172932649998398565e-6 / 18,
    -7.6371976378997622736e-6 / 17,
    0.000015282259408651871733 / 16,
    -0.000030588236307020493552 / 15,
    0.000061248135058704829259 / 14,
    -0.00012271334757848914675 / 13,
    0.00024608655330804829864 / 12,
    -0.0004941886041194645587 / 11,
    0.00099457512781808533715 / 10,
    -0.0020083928260822144179 / 9,
    0.0040773561979443393787 / 8,
    -0.0083492773819228268398 / 7,
    0.017343061984449139715 / 6,
    -0.036927755143369926331 / 5,
    0.082323233711138191516 / 4,
    -0.2020569031595942854 / 3,
    0.64493406684822643647 / 2,
    0.42278433509846713939
  };

  /** Stirling's series in 1/x², B(2k) / (2k (2k - 1)) (Abramowitz and Stegun, 6.1.40). */
  private static final double[] STIRLING = {
    -3617.0 / 122400,
    1.0 / 156,
    -691.0 / 360360,
    1.0 / 1188,
    -1.0 / 1680,
    1.0 / 1260,
    -1.0 / 360,
    1.0 / 12
  };

  private static final double STIRLING_FROM = 9;

  /** Error function. */
  static double erf(double x) {
    double magnitude = Math.abs(x);
    if (magnitude <= ERF_SMALL) {
      double square = x * x;
      return x * (polynomial(ERF_P, square) / polynomial(ERF_Q, square));
    }
    return Math.copySign(1 - erfcPositive(magnitude), x);
  }

  /** 1 - erf(x), without cancellation for large x. */
  static double erfc(double x) {
    if (Math.abs(x) <= ERF_SMALL) {
      return 1 - erf(x);
    }
    return x > 0 ? erfcPositive(x) : 2 - erfcPositive(-x);
  }

  /** erfc for x > {@link #ERF_SMALL}, or NaN. */
  private static double erfcPositive(double x) {
    if (x > ERFC_ZERO) {
      return 0;
    }
    if (x <= 4) {
      return expOfMinusSquare(x) * (polynomial(ERFC_P, x) / polynomial(ERFC_Q, x));
    }
    double inverse = 1 / (x * x);
    double tail = inverse * (polynomial(ERFC_TAIL_P, inverse) / polynomial(ERFC_TAIL_Q, inverse));
    return expOfMinusSquare(x) * ((INVERSE_SQRT_PI - tail) / x);
  }

  /**
   * exp(-x²) without the error of rounding x²: the head of x, a float, has an exact square, and the
   * rest of x² is at most 5e-5, where four terms of the exponential series are exact to double.
   */
  private static double expOfMinusSquare(double x) {
    double head = (float) x;
    double rest = (head - x) * (head + x);
    return Math.exp(-head * head) * (1 + rest * (1 + rest * (0.5 + rest * (1.0 / 6))));
  }

  /**
   * Logarithm of the absolute value of the gamma function; infinite at 0 and at the negative
   * integers. Near its zeros on the negative axis only the absolute error is small.
   *
   * <p>Taylor series around 2, brought there by the recurrence from [0, {@link #STIRLING_FROM});
   * Stirling's series beyond; reflection below zero.
   */
  static double lgamma(double x) {
    if (x >= STIRLING_FROM) {
      return x == Double.POSITIVE_INFINITY ? x : stirling(x);
    }
    if (x >= 2.5) {
      double product = 1;
      double argument = x;
      while (argument >= 2.5) {
        argument -= 1;
        product *= argument;
      }
      return Math.log(product) + lgammaFromTwo(argument - 2);
    }
    if (x >= 1.5) {
      return lgammaFromTwo(x - 2);
    }
    if (x >= 0.5) {
      return lgammaFromTwo(x - 1) - Math.log1p(x - 1);
    }
    if (x > 0) {
      return lgammaFromTwo(x) - Math.log1p(x) - Math.log(x);
    }
    return x <= 0 ? lgammaReflected(x) : x;
  }

  /** For x <= 0: ln |Gamma(x)| = ln(pi / |x sin(pi x)|) - ln Gamma(-x). */
  private static double lgammaReflected(double x) {
    double fraction = x - Math.rint(x);
    if (fraction == 0 || x == Double.NEGATIVE_INFINITY) {
      return Double.POSITIVE_INFINITY;
    }
    if (x > -1e-17) {
      return -Math.log(-x);
    }
    double sine = Math.abs(Math.sin(Math.PI * fraction));
    return Math.log(Math.PI / (-x * sine)) - lgamma(-x);
  }

  /** ln Gamma(2 + z) for |z| <= 1/2. */
  private static double lgammaFromTwo(double z) {
    return z * polynomial(LGAMMA_AT_TWO, z);
  }

  private static double stirling(double x) {
    double inverse = 1 / x;
    double series = inverse * polynomial(STIRLING, inverse * inverse);
    double logarithm = Math.log(x) - 1;
    return x * logarithm + (HALF_LN_2_PI - 0.5 * (logarithm + 1) + series);
  }

  /**
   * Base-2 logarithm, exact at powers of two: the exponent is split off so that the mantissa lies
   * in [sqrt(1/2), sqrt(2)).
   */
  static double log2(double x) {
    if (!(x > 0) || x == Double.POSITIVE_INFINITY) {
      return Math.log(x);
    }
    boolean subnormal = x < Double.MIN_NORMAL;
    double scaled = subnormal ? x * 0x1p54 : x;
    int exponent = Math.getExponent(scaled);
    double mantissa = Math.scalb(scaled, -exponent);
    if (mantissa > SQRT_2) {
      mantissa *= 0.5;
      exponent++;
    }
    double logarithm = Math.log(mantissa);
    double fraction = logarithm * INVERSE_LN_2 + logarithm * INVERSE_LN_2_TAIL;
    return (subnormal ? exponent - 54 : exponent) + fraction;
  }

  /** ln(x + sqrt(x² + 1)), odd, through log1p so that small arguments keep their digits. */
  static double asinh(double x) {
    double magnitude = Math.abs(x);
    if (magnitude >= SQUARE_SWALLOWS_ONE) {
      return Math.copySign(Math.log(magnitude) + LN_2, x);
    }
    double square = magnitude * magnitude;
    double excess = square / (1 + Math.sqrt(1 + square));
    return Math.copySign(Math.log1p(magnitude + excess), x);
  }

  /** ln(x + sqrt(x² - 1)) for x >= 1, through log1p of x - 1. */
  static double acosh(double x) {
    if (x < 1) {
      return Double.NaN;
    }
    if (x >= SQUARE_SWALLOWS_ONE) {
      return Math.log(x) + LN_2;
    }
    double above = x - 1;
    return Math.log1p(above + Math.sqrt(above * (above + 2)));
  }

  /** ln((1 + x) / (1 - x)) / 2, odd, through log1p. */
  static double atanh(double x) {
    double magnitude = Math.abs(x);
    return Math.copySign(0.5 * Math.log1p(2 * magnitude / (1 - magnitude)), x);
  }

  /** Horner's rule, highest power first. */
  private static double polynomial(double[] coefficients, double x) {
    double sum = coefficients[0];
    for (int i = 1; i < coefficients.length; i++) {
      sum = sum * x + coefficients[i];
    }
    return sum;
  }
}

package io.gpuos.cli.demo;

import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.LongUnaryOperator;

/** The reference: plain loops over the arrays of twins. */
final class Plain {

  private Plain() {}

  /** {@code out[i] = f(a[i])}. */
  static void map(Twin out, DoubleUnaryOperator f, Twin a) {
    double[] x = a.reals();
    double[] y = out.reals();
    for (int i = 0; i < y.length; i++) {
      y[i] = f.applyAsDouble(x[i]);
    }
    out.round();
  }

  /** {@code out[i] = f(a[i], b[i])}. */
  static void map(Twin out, DoubleBinaryOperator f, Twin a, Twin b) {
    double[] x = a.reals();
    double[] y = b.reals();
    double[] z = out.reals();
    for (int i = 0; i < z.length; i++) {
      z[i] = f.applyAsDouble(x[i], y[i]);
    }
    out.round();
  }

  /** {@code out[i] = f(a[i])} on integers. */
  static void mapIntegers(Twin out, LongUnaryOperator f, Twin a) {
    for (int i = 0; i < out.length(); i++) {
      out.set(i, f.applyAsLong(a.integer(i)));
    }
  }

  /** {@code out[i] = f(a[i], b[i])} on integers. */
  static void mapIntegers(Twin out, LongBinaryOperator f, Twin a, Twin b) {
    for (int i = 0; i < out.length(); i++) {
      out.set(i, f.applyAsLong(a.integer(i), b.integer(i)));
    }
  }

  static double relu(double x) {
    return Math.max(x, 0);
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}

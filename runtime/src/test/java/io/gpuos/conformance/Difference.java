package io.gpuos.conformance;

import io.gpuos.ir.Oracle;
import io.gpuos.ir.OracleTensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** Compares a result with what the oracle allows. */
final class Difference {

  private Difference() {}

  /** The first difference in words, or nothing. Counts elements in {@code tally}. */
  static Optional<String> between(
      String name, Oracle.Bounded expected, OracleTensor actual, CaseRunner.Tally tally) {
    OracleTensor value = expected.value();
    if (value.dtype() != actual.dtype() || !Arrays.equals(value.shape(), actual.shape())) {
      return Optional.of(
          "%s: is %s%s, expected %s%s"
              .formatted(
                  name,
                  actual.dtype(),
                  Arrays.toString(actual.shape()),
                  value.dtype(),
                  Arrays.toString(value.shape())));
    }
    for (int i = 0; i < actual.count(); i++) {
      double error = expected.errors()[i];
      if (error == Double.POSITIVE_INFINITY) {
        tally.unknown++;
        continue;
      }
      tally.compared++;
      if (!isWithin(value, actual, i, error)) {
        return Optional.of(
            String.format(
                Locale.ROOT,
                "%s: element %d is %s, expected %s +- %s",
                name,
                i,
                text(actual, i),
                text(value, i),
                error));
      }
    }
    return Optional.empty();
  }

  private static boolean isWithin(OracleTensor value, OracleTensor actual, int i, double error) {
    if (!value.dtype().isFloating()) {
      return value.longs()[i] == actual.longs()[i];
    }
    double a = actual.doubles()[i];
    double v = value.doubles()[i];
    // Equality holds for infinities, and for zeros of either sign.
    return a == v || Double.isNaN(a) && Double.isNaN(v) || Math.abs(a - v) <= error;
  }

  private static String text(OracleTensor tensor, int i) {
    return tensor.dtype().isFloating()
        ? Double.toString(tensor.doubles()[i])
        : Long.toString(tensor.longs()[i]);
  }
}

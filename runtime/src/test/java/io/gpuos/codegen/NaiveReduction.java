package io.gpuos.codegen;

import io.gpuos.ir.Reducer;
import java.math.BigDecimal;
import java.util.List;

/** The reductions from their definitions, over a list of {@code Double} or {@code Long} values. */
final class NaiveReduction {

  private NaiveReduction() {}

  /** The result, a Double or a Long, before conversion to the type of the output. */
  static Object reduce(Reducer reducer, double parameter, List<Object> values) {
    return switch (reducer) {
      case SUM -> isFloating(values) ? (Object) sum(values) : fold(values, 0, Long::sum);
      case MEAN -> sum(values) / values.size();
      case PROD ->
          isFloating(values)
              ? (Object) values.stream().mapToDouble(NaiveReduction::d).reduce(1, (a, b) -> a * b)
              : fold(values, 1, (a, b) -> a * b);
      case MAX -> values.get(best(values, 1));
      case MIN -> values.get(best(values, -1));
      case ARGMAX -> (long) best(values, 1);
      case ARGMIN -> (long) best(values, -1);
      case ANY -> values.stream().anyMatch(value -> d(value) != 0) ? 1L : 0L;
      case ALL -> values.stream().allMatch(value -> d(value) != 0) ? 1L : 0L;
      case NORM -> norm(parameter, values);
      case VAR -> variance(parameter, values);
      case STD -> Math.sqrt(variance(parameter, values));
    };
  }

  private static boolean isFloating(List<Object> values) {
    return values.isEmpty() || values.getFirst() instanceof Double;
  }

  private static double d(Object value) {
    return ((Number) value).doubleValue();
  }

  private static Long fold(
      List<Object> values, long start, java.util.function.LongBinaryOperator operator) {
    return values.stream().mapToLong(value -> (Long) value).reduce(start, operator);
  }

  /** Exact, unless a value is not finite. */
  private static double sum(List<Object> values) {
    return sumOf(values.stream().mapToDouble(NaiveReduction::d).toArray());
  }

  private static double sumOf(double[] values) {
    BigDecimal sum = BigDecimal.ZERO;
    double special = 0;
    for (double value : values) {
      if (Double.isFinite(value)) {
        sum = sum.add(new BigDecimal(value));
      } else {
        special += value;
      }
    }
    return special == 0 ? sum.doubleValue() : special;
  }

  /** Index of the first NaN, or else of the first largest or smallest value. */
  private static int best(List<Object> values, int sign) {
    int best = 0;
    for (int i = 0; i < values.size(); i++) {
      if (values.get(i) instanceof Double value && value.isNaN()) {
        return i;
      }
      if (compare(values.get(i), values.get(best)) * sign > 0) {
        best = i;
      }
    }
    return best;
  }

  private static int compare(Object a, Object b) {
    if (a instanceof Long integer) {
      return integer.compareTo((Long) b);
    }
    return d(a) < d(b) ? -1 : d(a) > d(b) ? 1 : 0;
  }

  private static double norm(double order, List<Object> values) {
    double[] magnitudes = values.stream().mapToDouble(value -> Math.abs(d(value))).toArray();
    if (Double.isInfinite(order)) {
      double best = order > 0 ? 0 : Double.POSITIVE_INFINITY;
      for (double magnitude : magnitudes) {
        best = order > 0 ? Math.max(best, magnitude) : Math.min(best, magnitude);
      }
      return best;
    }
    double[] powers = new double[magnitudes.length];
    for (int i = 0; i < powers.length; i++) {
      powers[i] = order == 0 ? (magnitudes[i] == 0 ? 0 : 1) : StrictMath.pow(magnitudes[i], order);
    }
    double sum = sumOf(powers);
    return order == 0 ? sum : StrictMath.pow(sum, 1 / order);
  }

  private static double variance(double correction, List<Object> values) {
    double mean = sum(values) / values.size();
    double[] squares =
        values.stream().mapToDouble(value -> (d(value) - mean) * (d(value) - mean)).toArray();
    return sumOf(squares) / Math.max(0, values.size() - correction);
  }
}

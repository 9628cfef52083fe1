package io.gpuos.cli.demo;

import static io.gpuos.layout.DType.BOOL;
import static io.gpuos.layout.DType.F32;
import static io.gpuos.layout.DType.I64;

import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Reductions over any axes, and expressions with reductions inside. */
final class Reductions {

  /**
   * A reduction of x over {@code %s}, and the same of the values that fold into one, in row-major
   * order.
   */
  private record Case(String expression, DType type, ToDoubleFunction<double[]> reference) {}

  private static final List<Case> CASES =
      List.of(
          new Case("sum(x%s)", F32, values -> Arrays.stream(values).sum()),
          new Case("mean(x * x%s)", F32, values -> squares(values) / values.length),
          new Case("max(x%s)", F32, values -> Arrays.stream(values).max().orElseThrow()),
          new Case("argmin(x%s)", I64, Reductions::indexOfLeast),
          new Case("all(x < 1.99%s)", BOOL, Reductions::allBelow),
          new Case("norm(x%s)", F32, values -> Math.sqrt(squares(values))),
          new Case("var(x%s)", F32, Reductions::variance));

  private static final List<int[]> TABLE_AXES =
      List.of(new int[] {0}, new int[] {1}, new int[] {0, 1});
  private static final List<int[]> CUBE_AXES =
      List.of(new int[] {0}, new int[] {1}, new int[] {2}, new int[] {0, 2}, new int[] {0, 1, 2});

  private Reductions() {}

  static void fill(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      if (k % 8 == 7) {
        softmax(space, space.any(space.shapes().tables()));
      } else {
        boolean cube = k / 8 % 2 == 1;
        int[] shape = space.any(cube ? space.shapes().cubes() : space.shapes().tables());
        int[] axes = space.any(cube ? CUBE_AXES : TABLE_AXES);
        reduce(space, CASES.get(k % 8), shape, axes);
      }
    }
  }

  private static void reduce(Workspace space, Case chosen, int[] shape, int[] axes) {
    boolean[] reduced = new boolean[shape.length];
    Arrays.stream(axes).forEach(axis -> reduced[axis] = true);
    int[] kept = new int[shape.length - axes.length];
    for (int d = 0, k = 0; d < shape.length; d++) {
      if (!reduced[d]) {
        kept[k++] = shape[d];
      }
    }
    Twin x = space.input(F32, shape);
    Twin out = space.output(chosen.type(), kept);
    Runnable reference =
        () -> {
          double[][] groups = groups(x, shape, reduced, out.length());
          for (int i = 0; i < groups.length; i++) {
            store(out, i, chosen.reference().applyAsDouble(groups[i]));
          }
        };
    String expression = chosen.expression().formatted(", axis=" + Arrays.toString(axes));
    space.add(expression, out, reference, x);
  }

  private static void store(Twin out, int index, double value) {
    if (out.type().isFloating()) {
      out.set(index, value);
    } else {
      out.set(index, (long) value);
    }
  }

  /** The values that fold into each result, in row-major order of the reduced dimensions. */
  private static double[][] groups(Twin x, int[] shape, boolean[] reduced, int results) {
    double[][] groups = new double[results][x.length() / results];
    int[] filled = new int[results];
    for (int i = 0; i < x.length(); i++) {
      int result = 0;
      int below = x.length();
      for (int d = 0; d < shape.length; d++) {
        below /= shape[d];
        if (!reduced[d]) {
          result = result * shape[d] + i / below % shape[d];
        }
      }
      groups[result][filled[result]++] = x.real(i);
    }
    return groups;
  }

  private static double squares(double[] values) {
    return Arrays.stream(values).map(x -> x * x).sum();
  }

  private static double variance(double[] values) {
    double mean = Arrays.stream(values).sum() / values.length;
    double sum = Arrays.stream(values).map(x -> (x - mean) * (x - mean)).sum();
    return sum / Math.max(values.length - 1, 0);
  }

  private static double indexOfLeast(double[] values) {
    int least = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] < values[least]) {
        least = i;
      }
    }
    return least;
  }

  private static double allBelow(double[] values) {
    return Arrays.stream(values).allMatch(x -> x < 1.99f) ? 1 : 0;
  }

  /** Two reductions and three elementwise operations in one expression. */
  private static void softmax(Workspace space, int[] shape) {
    int columns = shape[1];
    Twin x = space.input(F32, shape);
    Twin out = space.output(F32, shape);
    Runnable reference =
        () -> {
          for (int row = 0; row < x.length(); row += columns) {
            double sum = 0;
            for (int c = 0; c < columns; c++) {
              sum += Math.exp(x.real(row + c));
            }
            for (int c = 0; c < columns; c++) {
              out.set(row + c, Math.exp(x.real(row + c)) / sum);
            }
          }
        };
    space.add(
        "e = exp(x - max(x, axis=1, keepdim=true)); e / sum(e, axis=1, keepdim=true)",
        out,
        reference,
        x);
  }
}

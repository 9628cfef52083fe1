package io.gpuos.cli.bench;

import io.gpuos.Operator;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import java.util.Locale;

/** Scaled dot-product attention as programs record it: the one place that says which operators. */
final class Attention {

  private static final Operator MATMUL = Operator.of("matmul(a, b)");

  private Attention() {}

  /** Into a new tensor; q is (.., n, d), k and v are (.., keys, d). */
  static SymbolicTensor apply(
      Recording scope, SymbolicTensor q, SymbolicTensor k, SymbolicTensor v) {
    return scope.apply(MATMUL, weights(scope, q, k), v);
  }

  /** Into {@code target}. */
  static void into(
      Recording scope,
      SymbolicTensor target,
      SymbolicTensor q,
      SymbolicTensor k,
      SymbolicTensor v) {
    scope.applyInto(target, MATMUL, weights(scope, q, k), v);
  }

  private static SymbolicTensor weights(Recording scope, SymbolicTensor q, SymbolicTensor k) {
    double scale = 1 / Math.sqrt(q.shape()[q.rank() - 1]);
    Operator softmax = Operator.of(String.format(Locale.ROOT, "softmax(s * %.17g)", scale));
    SymbolicTensor transposed = k.transpose(k.rank() - 2, k.rank() - 1);
    return scope.apply(softmax, scope.apply(MATMUL, q, transposed));
  }
}

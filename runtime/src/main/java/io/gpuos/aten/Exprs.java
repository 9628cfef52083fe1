package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;

/** Short names for expressions that entries of the table are made of. */
final class Exprs {

  static final Expr ZERO = Expr.of(0);
  static final Expr ONE = Expr.of(1);

  private Exprs() {}

  static Expr call(Function function, Expr... arguments) {
    return new Expr.Call(function, List.of(arguments));
  }

  static Expr where(Expr condition, Expr then, Expr otherwise) {
    return call(Function.WHERE, condition, then, otherwise);
  }

  static Expr exp(Expr x) {
    return call(Function.EXP, x);
  }

  static Expr log(Expr x) {
    return call(Function.LOG, x);
  }

  static Expr sqrt(Expr x) {
    return call(Function.SQRT, x);
  }

  static Expr abs(Expr x) {
    return call(Function.ABS, x);
  }

  static Expr tanh(Expr x) {
    return call(Function.TANH, x);
  }

  static Expr sigmoid(Expr x) {
    return call(Function.SIGMOID, x);
  }

  static Expr square(Expr x) {
    return x.mul(x);
  }

  /** One less x. */
  static Expr rest(Expr x) {
    return ONE.sub(x);
  }

  static Expr greater(Expr a, Expr b) {
    return call(Function.GT, a, b);
  }

  static Expr atMost(Expr a, Expr b) {
    return call(Function.LE, a, b);
  }

  static Expr less(Expr a, Expr b) {
    return call(Function.LT, a, b);
  }

  static Expr equal(Expr a, Expr b) {
    return call(Function.EQ, a, b);
  }

  static Expr and(Expr a, Expr b) {
    return call(Function.LOGICAL_AND, a, b);
  }

  /** Folds axes; all of them if none is given. */
  static Expr fold(Reducer reducer, Expr x, List<Integer> axes, boolean keepdim) {
    return new Expr.Reduce(reducer, x, axes, keepdim, reducer.defaultParameter());
  }

  /** The value as it is after a half type was stored and read again, in the type it came in. */
  static Expr rounded(Expr value, DType stored) {
    DType computed = Operand.computeType(stored);
    return stored == computed ? value : value.to(stored).to(computed);
  }
}

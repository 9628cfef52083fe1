package io.gpuos.ir;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Functions of the expression language that stand for an expression of functions and reductions.
 * They go over rows, the elements along their axes, and one kernel computes them as far as its
 * limits allow.
 *
 * <p>The expressions avoid overflow where the result does not: exponentials are of differences to
 * the largest element, and variances of half types, which are rounded to them, are kept as standard
 * deviations.
 */
public enum Composite {
  SOFTMAX("x, axis=-1", "any type", "exp(x - m) / sum(exp(x - m)), where m is the maximum of x"),
  LOG_SOFTMAX("x, axis=-1", "any type", "log of softmax, without its loss of small values"),
  LOGSUMEXP("x, axis=-1, keepdim=false", "any type", "log(sum(exp(x)))"),
  LAYER_NORM(
      "x, weight=none, bias=none, axis=-1, eps=1e-5",
      "floating",
      "(x - mean) / sqrt(var + eps) * weight + bias; var without correction"),
  RMS_NORM("x, weight=none, axis=-1, eps=1e-6", "floating", "x / sqrt(mean of x^2 + eps) * weight"),
  NORMALIZE("x, ord=2, axis=-1, eps=1e-12", "floating", "x / maximum(norm(x, ord), eps)");

  /**
   * What a call says, defaults filled in.
   *
   * @param weight only of layer_norm and rms_norm
   * @param bias only of layer_norm
   * @param axes empty for all
   * @param ord only of normalize
   */
  record Arguments(
      Expr x,
      Optional<Expr> weight,
      Optional<Expr> bias,
      List<Integer> axes,
      boolean keepdim,
      double ord,
      double eps) {

    private Expr fold(Reducer reducer, Expr value, boolean keep, double parameter) {
      return new Expr.Reduce(reducer, value, axes, keep, parameter);
    }

    private Expr fold(Reducer reducer, Expr value) {
      return fold(reducer, value, true, reducer.defaultParameter());
    }

    private Expr scaled(Expr normalized) {
      Expr scaled = weight.map(normalized::mul).orElse(normalized);
      return bias.map(scaled::add).orElse(scaled);
    }
  }

  private final String functionName = name().toLowerCase(Locale.ROOT);
  private final List<Parameter> parameters;
  private final String types;
  private final String definition;

  Composite(String parameters, String types, String definition) {
    this.parameters = Parameter.parseList(parameters);
    this.types = types;
    this.definition = definition;
  }

  /** The function of that name in the expression language, if there is one. */
  public static Optional<Composite> byName(String name) {
    for (Composite composite : values()) {
      if (composite.functionName.equals(name)) {
        return Optional.of(composite);
      }
    }
    return Optional.empty();
  }

  /** Name in the expression language, lower case. */
  public String functionName() {
    return functionName;
  }

  /** Parameters in the order of the expression language. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /** Types of {@code x} that it has a meaning for, in words. */
  public String types() {
    return types;
  }

  /** One line that defines the value. */
  public String definition() {
    return definition;
  }

  /** What {@code gpuos ops} prints: {@code softmax(x, axis=-1)}. */
  public String signature() {
    return parameters.stream()
        .map(Parameter::toString)
        .collect(Collectors.joining(", ", functionName + "(", ")"));
  }

  /** The expression that a call means. */
  Expr expand(Arguments given) {
    Expr x = given.x();
    return switch (this) {
      case SOFTMAX -> {
        Expr powers = exp(x.sub(given.fold(Reducer.MAX, x)));
        yield powers.div(given.fold(Reducer.SUM, powers));
      }
      case LOG_SOFTMAX -> {
        Expr shifted = x.sub(given.fold(Reducer.MAX, x));
        yield shifted.sub(log(given.fold(Reducer.SUM, exp(shifted))));
      }
      case LOGSUMEXP -> logSumExp(given);
      case LAYER_NORM -> {
        Expr deviation = given.fold(Reducer.STD, x, true, 0);
        Expr distance = x.sub(given.fold(Reducer.MEAN, x));
        Expr variance = deviation.mul(deviation);
        yield given.scaled(distance.div(sqrt(variance.add(Expr.of(given.eps())))));
      }
      case RMS_NORM -> {
        Expr deviation = given.fold(Reducer.STD, x, true, 0);
        Expr mean = given.fold(Reducer.MEAN, x);
        Expr square = deviation.mul(deviation).add(mean.mul(mean));
        yield given.scaled(x.div(sqrt(square.add(Expr.of(given.eps())))));
      }
      case NORMALIZE -> {
        Expr norm = given.fold(Reducer.NORM, x, true, given.ord());
        yield x.div(new Expr.Call(Function.MAXIMUM, List.of(norm, Expr.of(given.eps()))));
      }
    };
  }

  /** An infinite maximum is not subtracted: the difference to itself would be NaN. */
  private static Expr logSumExp(Arguments given) {
    Expr x = given.x();
    Expr shift = finite(given.fold(Reducer.MAX, x));
    Expr sum =
        given.fold(Reducer.SUM, exp(x.sub(shift)), given.keepdim(), Reducer.SUM.defaultParameter());
    return log(sum).add(finite(given.fold(Reducer.MAX, x, given.keepdim(), 0)));
  }

  private static Expr finite(Expr x) {
    Expr condition = new Expr.Call(Function.ISFINITE, List.of(x));
    return new Expr.Call(Function.WHERE, List.of(condition, x, Expr.of(0)));
  }

  private static Expr exp(Expr x) {
    return new Expr.Call(Function.EXP, List.of(x));
  }

  private static Expr log(Expr x) {
    return new Expr.Call(Function.LOG, List.of(x));
  }

  private static Expr sqrt(Expr x) {
    return new Expr.Call(Function.SQRT, List.of(x));
  }
}

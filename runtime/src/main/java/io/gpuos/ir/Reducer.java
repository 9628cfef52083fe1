package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How a reduction folds; semantics, NaN handling and result types are PyTorch's, except that {@code
 * any} and {@code all} give BOOL for uint8 too. Accumulation is in the compute type or wider.
 *
 * <p>Over no elements: sum 0, prod 1, any false, all true, mean, var and std nan, a norm of order
 * zero or more 0; the others refuse an empty range.
 */
public enum Reducer {
  SUM(Argument.ANY, "x, axis=none, keepdim=false", "sum of the elements; integers give i64"),
  MEAN(Argument.FLOATING, "x, axis=none, keepdim=false", "sum / count"),
  PROD(Argument.ANY, "x, axis=none, keepdim=false", "product of the elements; integers give i64"),
  MAX(Argument.ANY, "x, axis=none, keepdim=false", "largest element; nan if there is a nan"),
  MIN(Argument.ANY, "x, axis=none, keepdim=false", "smallest element; nan if there is a nan"),
  /** The index counts row-major over the reduced axes in ascending order. */
  ARGMAX(Argument.NUMERIC, "x, axis=none, keepdim=false", "index of the first largest or nan, i64"),
  /** The index counts row-major over the reduced axes in ascending order. */
  ARGMIN(
      Argument.NUMERIC, "x, axis=none, keepdim=false", "index of the first smallest or nan, i64"),
  ANY(Argument.ANY, "x, axis=none, keepdim=false", "whether an element is not zero, bool"),
  ALL(Argument.ANY, "x, axis=none, keepdim=false", "whether no element is zero, bool"),
  NORM(
      Argument.FLOATING,
      "x, ord=2, axis=none, keepdim=false",
      "(sum |x|^ord)^(1/ord); inf: max |x|; -inf: min |x|; 0: count of x != 0"),
  VAR(
      Argument.FLOATING,
      "x, axis=none, correction=1, keepdim=false",
      "sum (x - mean)^2 / max(count - correction, 0)"),
  STD(Argument.FLOATING, "x, axis=none, correction=1, keepdim=false", "sqrt(var)");

  private enum Argument {
    ANY,
    NUMERIC,
    FLOATING
  }

  private final String functionName = name().toLowerCase(Locale.ROOT);
  private final Argument argument;
  private final List<Parameter> parameters;
  private final String definition;

  Reducer(Argument argument, String parameters, String definition) {
    this.argument = argument;
    this.parameters = Parameter.parseList(parameters);
    this.definition = definition;
  }

  /** The reduction of that name in the expression language, if there is one. */
  public static Optional<Reducer> byName(String name) {
    for (Reducer reducer : values()) {
      if (reducer.functionName.equals(name)) {
        return Optional.of(reducer);
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

  /** One line that defines the value. */
  public String definition() {
    return definition;
  }

  /** What {@code gpuos ops} prints: {@code sum(x, axis=none, keepdim=false)}. */
  public String signature() {
    return parameters.stream()
        .map(Parameter::toString)
        .collect(Collectors.joining(", ", functionName + "(", ")"));
  }

  /** Whether elements of that type can be folded. */
  public boolean accepts(DType type) {
    return switch (argument) {
      case ANY -> true;
      case NUMERIC -> type != DType.BOOL;
      case FLOATING -> type.isFloating();
    };
  }

  /**
   * The type that elements convert to before they are folded, which is the type of {@link
   * Kernel.Reduction#value}: I64 for sums and products of integers and BOOL, BOOL for any and all.
   */
  public DType valueType(DType element) {
    return switch (this) {
      case SUM, PROD -> element.isFloating() ? element : DType.I64;
      case ANY, ALL -> DType.BOOL;
      case MEAN, MAX, MIN, ARGMAX, ARGMIN, NORM, VAR, STD -> element;
    };
  }

  /** Type of the result, which is the type of the OUTPUT operand. */
  public DType resultType(DType value) {
    return switch (this) {
      case ARGMAX, ARGMIN -> DType.I64;
      case SUM, PROD, ANY, ALL, MEAN, MAX, MIN, NORM, VAR, STD -> valueType(value);
    };
  }

  /** Value of {@link Kernel.Reduction#parameter} where the caller gives none. */
  public double defaultParameter() {
    return switch (this) {
      case NORM -> 2;
      case VAR, STD -> 1;
      case SUM, MEAN, PROD, MAX, MIN, ARGMAX, ARGMIN, ANY, ALL -> 0;
    };
  }

  /** Whether {@code parameter} means something: the order of a norm, the correction of var. */
  boolean acceptsParameter(double parameter) {
    return switch (this) {
      case NORM -> !Double.isNaN(parameter);
      case VAR, STD -> Double.isFinite(parameter);
      case SUM, MEAN, PROD, MAX, MIN, ARGMAX, ARGMIN, ANY, ALL -> parameter == 0;
    };
  }

  /** Whether folding no elements at all has a value. */
  boolean acceptsEmpty(double parameter) {
    return switch (this) {
      case MAX, MIN, ARGMAX, ARGMIN -> false;
      case NORM -> parameter >= 0 && parameter != Double.POSITIVE_INFINITY;
      case SUM, MEAN, PROD, ANY, ALL, VAR, STD -> true;
    };
  }
}

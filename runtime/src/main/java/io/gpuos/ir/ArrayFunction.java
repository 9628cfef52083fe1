package io.gpuos.ir;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Functions of whole tensors: what they give depends on where elements are, not only on what they
 * are. Names and meaning are PyTorch's, but for what is said here.
 *
 * <p>Where an index names places to write to, it is I64 or I32; a place that is not on the axis is
 * not written. What is written to one place twice is written in the order of the index, so results
 * are the same on every run, sums of floating types among them. A sum is rounded to the type after
 * each addition.
 */
public enum ArrayFunction {
  /** As {@code torch.cumsum}. Sums of half types are rounded once, where they are stored. */
  CUMSUM(
      "x, axis", "any type", "sum of the elements up to each one along an axis; integers give i64"),

  /** As {@code torch.scatter}; of several that go to one place the last one stays. */
  SCATTER(
      "x, axis, index, src",
      Writes.TYPES,
      "x with elements of src, or a number, where the index says along an axis"),

  /** As {@code torch.scatter_add}; also with a number. */
  SCATTER_ADD(
      "x, axis, index, src",
      Writes.TYPES,
      "x plus elements of src, or a number, where the index says along an axis"),

  /** As {@code torch.index_copy}: the index has one axis. */
  INDEX_COPY(
      "x, axis, index, src",
      Writes.TYPES,
      "x with slices of src in place of those the index names"),

  /** As {@code torch.index_add}: the index has one axis. */
  INDEX_ADD(
      "x, axis, index, src", Writes.TYPES, "x plus slices of src at those that the index names"),

  /**
   * As {@code torch.index_put} with one index of any shape: {@code x[index] = values}, which have
   * the index's axes and then those of x but the first. Negative places count from the end.
   */
  INDEX_PUT(
      "x, index, values, accumulate=false",
      Writes.TYPES,
      "x after x[index] = values; += if accumulate; < 0 is from the end"),

  /** I64, of size 1 along other axes. The tensor tells the shape only. */
  POSITION("x, axis", "any type -> i64", "0, 1, .. along an axis of x, 1 long along the others"),

  /** As {@code torch.full}. */
  FULL("shape, value", "a number -> f32, i64 or bool", "a tensor of one value: full([2, 3], 0.5)"),

  /** As {@code torch.full_like}. */
  FULL_LIKE("x, value", "any type -> that type", "one value in the shape and type of x"),

  /** As {@code torch.arange}; {@code arange(n)} counts from 0. */
  ARANGE(
      "start, end=none, step=1",
      "numbers -> i64, or f32 if one is floating",
      "start, start + step, .. before end; arange(n) counts from 0"),

  /** As {@code torch.eye}. */
  EYE("rows, columns=none", "integers -> f32", "1 on the diagonal, else 0"),

  /** As {@code torch.tril}. */
  TRIL("x, diagonal=0", "any type -> that type", "x on and below a diagonal, else 0"),

  /** As {@code torch.triu}. */
  TRIU("x, diagonal=0", "any type -> that type", "x on and above a diagonal, else 0"),

  /** As {@code torch.nn.functional.pad} with a constant: the last axis comes first. */
  PAD(
      "x, pad, value=0",
      "any type -> that type",
      "x with value before and after: pad=[last axis before, after, ..]; < 0 cuts off"),

  /**
   * As {@code torch.nn.functional.batch_norm} with given statistics, one of each for a channel;
   * channels are axis 1 of x.
   */
  BATCH_NORM(
      "x, mean, var, weight=1, bias=0, eps=1e-5",
      "floating -> that type",
      "(x - mean) / sqrt(var + eps) * weight + bias, of each channel");

  /** What the functions have in common that write where an index says. */
  private static final class Writes {
    static final String TYPES = "one type, index i64 or i32 -> that type";
  }

  /** Parameters that are integers, lists of them, or truth values, and no expressions. */
  private static final Set<String> NUMBERS =
      Set.of("axis", "accumulate", "shape", "rows", "columns", "diagonal", "pad");

  private static final Set<String> LISTS = Set.of("shape", "pad");

  private final String functionName = name().toLowerCase(Locale.ROOT);
  private final List<Parameter> parameters;
  private final String types;
  private final String definition;

  ArrayFunction(String parameters, String types, String definition) {
    this.parameters = Parameter.parseList(parameters);
    this.types = types;
    this.definition = definition;
  }

  /** The function of that name in the expression language, if there is one. */
  public static Optional<ArrayFunction> byName(String name) {
    return Arrays.stream(values()).filter(f -> f.functionName.equals(name)).findFirst();
  }

  /** Name in the expression language. */
  public String functionName() {
    return functionName;
  }

  /** Parameters in the order of a call. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /** Types that it has a meaning for, in words. */
  public String types() {
    return types;
  }

  /** One line that defines the value. */
  public String definition() {
    return definition;
  }

  /** What {@code gpuos ops} prints: {@code tril(x, diagonal=0)}. */
  public String signature() {
    return parameters.stream()
        .map(Parameter::toString)
        .collect(Collectors.joining(", ", functionName + "(", ")"));
  }

  /** Whether the parameter is part of {@link Expr.ArrayCall#numbers}. */
  static boolean isNumber(Parameter parameter) {
    return NUMBERS.contains(parameter.name());
  }

  /** Whether a number is written as a list, whatever its length. */
  static boolean isList(Parameter parameter) {
    return LISTS.contains(parameter.name());
  }

  /** Whether it writes to a copy of its first argument. */
  public boolean writes() {
    return switch (this) {
      case SCATTER, SCATTER_ADD, INDEX_COPY, INDEX_ADD, INDEX_PUT -> true;
      default -> false;
    };
  }
}

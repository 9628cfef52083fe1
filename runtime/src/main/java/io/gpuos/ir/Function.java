package io.gpuos.ir;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The scalar functions of the expression language: the one table that the parser, the type rules,
 * both code generators and {@code gpuos ops} read. Names and meaning are PyTorch's.
 *
 * <p>A row holds the parameters with their defaults, the {@link TypeRule}, the definition and, where
 * the function has them, further columns: {@code infix} or {@code prefix} (symbol and precedence in
 * the expression language), {@code cuda} (the C++ operator that renders it), {@code jvm} (mnemonic
 * of the JVM instruction that computes it) and {@code aliases} (other names in the language).
 *
 * <p>Where a generator finds neither operator nor instruction it calls an implementation by
 * convention: {@link #cudaName} in the device header, {@link #javaName} in {@code ScalarMath}.
 *
 * <p>A default of {@code none} means "no bound"; a default in quotes marks a parameter that only
 * selects between functions and never becomes an argument.
 */
public enum Function {
  // Arithmetic. Integers wrap; division of an integer by zero gives 0.
  ADD("a, b", TypeRule.ANY, "a + b; logical or for bool",
      infix("+", 6), cuda("+"), jvm("add")),
  SUB("a, b", TypeRule.NUMERIC, "a - b",
      infix("-", 6), cuda("-"), jvm("sub"), aliases("subtract")),
  MUL("a, b", TypeRule.ANY, "a * b; logical and for bool",
      infix("*", 7), cuda("*"), jvm("mul"), aliases("multiply")),
  DIV("a, b", TypeRule.FLOATING, "a / b, true division",
      infix("/", 7), cuda("/"), jvm("div"), aliases("divide", "true_divide")),
  FLOOR_DIVIDE("a, b", TypeRule.NUMERIC, "floor(a / b)", infix("//", 7)),
  REMAINDER("a, b", TypeRule.NUMERIC, "a - b * floor(a / b), has the sign of b", infix("%", 7)),
  FMOD("a, b", TypeRule.NUMERIC, "a - b * trunc(a / b), has the sign of a"),
  POW("base, exponent", TypeRule.NUMERIC,
      "base to the power of exponent; integers: 0 for a negative exponent unless base is 1 or -1",
      infix("**", 9)),
  NEG("x", TypeRule.NUMERIC, "-x", prefix("-", 8), cuda("-"), jvm("neg"), aliases("negative")),
  ABS("x", TypeRule.NUMERIC, "|x|", aliases("absolute")),
  SIGN("x", TypeRule.NUMERIC, "-1, 0 or 1 as x is negative, zero or positive; nan for nan"),
  MAXIMUM("a, b", TypeRule.ANY, "the larger of a and b; nan if either is nan"),
  MINIMUM("a, b", TypeRule.ANY, "the smaller of a and b; nan if either is nan"),
  CLAMP("x, min=none, max=none", TypeRule.NUMERIC,
      "minimum(maximum(x, min), max); nan if any is nan", aliases("clip")),
  RECIPROCAL("x", TypeRule.FLOATING, "1 / x"),
  HYPOT("a, b", TypeRule.FLOATING_ONLY, "sqrt(a^2 + b^2) without undue overflow"),

  // Comparison and logic. A comparison with nan is false, except ne.
  EQ("a, b", TypeRule.COMPARISON, "a == b", infix("==", 1), cuda("==")),
  NE("a, b", TypeRule.COMPARISON, "a != b", infix("!=", 1), cuda("!="), aliases("not_equal")),
  LT("a, b", TypeRule.COMPARISON, "a < b", infix("<", 1), cuda("<"), aliases("less")),
  LE("a, b", TypeRule.COMPARISON, "a <= b", infix("<=", 1), cuda("<="), aliases("less_equal")),
  GT("a, b", TypeRule.COMPARISON, "a > b", infix(">", 1), cuda(">"), aliases("greater")),
  GE("a, b", TypeRule.COMPARISON, "a >= b", infix(">=", 1), cuda(">="), aliases("greater_equal")),
  LOGICAL_AND("a, b", TypeRule.LOGICAL, "a != 0 and b != 0", cuda("&&"), jvm("and")),
  LOGICAL_OR("a, b", TypeRule.LOGICAL, "a != 0 or b != 0", cuda("||"), jvm("or")),
  LOGICAL_XOR("a, b", TypeRule.LOGICAL, "exactly one of a != 0, b != 0", cuda("!="), jvm("xor")),
  LOGICAL_NOT("x", TypeRule.LOGICAL, "x == 0", cuda("!")),
  WHERE("condition, a, b", TypeRule.WHERE, "a where condition holds, else b"),
  ISNAN("x", TypeRule.PREDICATE, "x is nan"),
  ISINF("x", TypeRule.PREDICATE, "x is inf or -inf"),
  ISFINITE("x", TypeRule.PREDICATE, "x is neither nan nor inf nor -inf"),

  // Bits, of two's complement integers.
  BITWISE_AND("a, b", TypeRule.BITWISE, "a & b", infix("&", 4), cuda("&"), jvm("and")),
  BITWISE_OR("a, b", TypeRule.BITWISE, "a | b", infix("|", 2), cuda("|"), jvm("or")),
  BITWISE_XOR("a, b", TypeRule.BITWISE, "a ^ b", infix("^", 3), cuda("^"), jvm("xor")),
  BITWISE_NOT("x", TypeRule.BITWISE, "~x; logical not for bool", prefix("~", 8)),
  SHIFT_LEFT("a, bits", TypeRule.SHIFT, "a * 2^bits; 0 if bits is negative or at least the width",
      infix("<<", 5), aliases("bitwise_left_shift")),
  SHIFT_RIGHT("a, bits", TypeRule.SHIFT,
      "floor(a / 2^bits); the sign if bits is negative or at least the width",
      infix(">>", 5), aliases("bitwise_right_shift")),

  // Rounding. The identity on integers.
  FLOOR("x", TypeRule.NUMERIC, "largest integer <= x"),
  CEIL("x", TypeRule.NUMERIC, "smallest integer >= x"),
  ROUND("x", TypeRule.NUMERIC, "nearest integer, halves to even"),
  TRUNC("x", TypeRule.NUMERIC, "x without its fraction", aliases("fix")),

  // Exponentials, logarithms, roots.
  EXP("x", TypeRule.FLOATING, "e^x"),
  EXP2("x", TypeRule.FLOATING, "2^x"),
  EXPM1("x", TypeRule.FLOATING, "e^x - 1, accurate near 0"),
  LOG("x", TypeRule.FLOATING, "natural logarithm"),
  LOG2("x", TypeRule.FLOATING, "logarithm to base 2"),
  LOG10("x", TypeRule.FLOATING, "logarithm to base 10"),
  LOG1P("x", TypeRule.FLOATING, "log(1 + x), accurate near 0"),
  SQRT("x", TypeRule.FLOATING, "square root"),
  RSQRT("x", TypeRule.FLOATING, "1 / sqrt(x)"),

  // Trigonometric and hyperbolic, in radians.
  SIN("x", TypeRule.FLOATING, "sine"),
  COS("x", TypeRule.FLOATING, "cosine"),
  TAN("x", TypeRule.FLOATING, "tangent"),
  ASIN("x", TypeRule.FLOATING, "inverse sine", aliases("arcsin")),
  ACOS("x", TypeRule.FLOATING, "inverse cosine", aliases("arccos")),
  ATAN("x", TypeRule.FLOATING, "inverse tangent", aliases("arctan")),
  ATAN2("y, x", TypeRule.FLOATING, "angle of the point (x, y), in (-pi, pi]", aliases("arctan2")),
  SINH("x", TypeRule.FLOATING, "(e^x - e^-x) / 2"),
  COSH("x", TypeRule.FLOATING, "(e^x + e^-x) / 2"),
  TANH("x", TypeRule.FLOATING, "sinh(x) / cosh(x)"),
  ASINH("x", TypeRule.FLOATING, "inverse of sinh", aliases("arcsinh")),
  ACOSH("x", TypeRule.FLOATING, "inverse of cosh, >= 0", aliases("arccosh")),
  ATANH("x", TypeRule.FLOATING, "inverse of tanh", aliases("arctanh")),

  // Special functions.
  ERF("x", TypeRule.FLOATING, "2 / sqrt(pi) * integral of e^(-t^2) from 0 to x"),
  ERFC("x", TypeRule.FLOATING, "1 - erf(x), accurate for large x"),
  LGAMMA("x", TypeRule.FLOATING, "log |gamma(x)|"),
  SIGMOID("x", TypeRule.FLOATING, "1 / (1 + e^-x)", aliases("expit")),

  // Activations.
  RELU("x", TypeRule.NUMERIC, "maximum(x, 0)"),
  RELU6("x", TypeRule.FLOATING_ONLY, "clamp(x, 0, 6)"),
  LEAKY_RELU("x, slope=0.01", TypeRule.FLOATING_ONLY, "x if x > 0 else slope * x"),
  ELU("x, alpha=1", TypeRule.FLOATING_ONLY, "x if x > 0 else alpha * (e^x - 1)"),
  SELU("x", TypeRule.FLOATING_ONLY,
      "1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (e^x - 1))"),
  CELU("x, alpha=1", TypeRule.FLOATING_ONLY, "x if x > 0 else alpha * (e^(x / alpha) - 1)"),
  GELU("x, approximate='none'", TypeRule.FLOATING_ONLY, "x / 2 * (1 + erf(x / sqrt(2)))"),
  GELU_TANH("x", TypeRule.FLOATING_ONLY,
      "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))"),
  SILU("x", TypeRule.FLOATING_ONLY, "x * sigmoid(x)", aliases("swish")),
  MISH("x", TypeRule.FLOATING_ONLY, "x * tanh(log(1 + e^x))"),
  SOFTPLUS("x, beta=1, threshold=20", TypeRule.FLOATING_ONLY,
      "log(1 + e^(beta * x)) / beta; x where beta * x > threshold"),
  HARDTANH("x, min=-1, max=1", TypeRule.FLOATING_ONLY, "clamp(x, min, max)"),
  HARDSIGMOID("x", TypeRule.FLOATING_ONLY, "clamp(x + 3, 0, 6) / 6"),
  HARDSWISH("x", TypeRule.FLOATING_ONLY, "x * clamp(x + 3, 0, 6) / 6");

  /** A parameter of the language; without a default the caller must pass it. */
  public record Parameter(String name, Optional<String> defaultValue) {

    /** Whether the value selects a function and is no argument of a kernel's node. */
    public boolean selects() {
      return defaultValue.isPresent() && defaultValue.get().startsWith("'");
    }

    /** As it is written in a signature: {@code slope=0.01}. */
    @Override
    public String toString() {
      return defaultValue.map(value -> name + "=" + value).orElse(name);
    }

    private static Parameter parse(String text) {
      int equals = text.indexOf('=');
      return equals < 0
          ? new Parameter(text, Optional.empty())
          : new Parameter(text.substring(0, equals), Optional.of(text.substring(equals + 1)));
    }
  }

  /**
   * How the language writes the function with a symbol. Precedence as in Python, from 1 (comparison)
   * to 9 ({@code **}, the only one that groups to the right).
   */
  public record Operator(String symbol, int precedence, boolean isPrefix) implements Column {}

  private sealed interface Column permits Operator, Cuda, Jvm, Aliases {}

  private record Cuda(String operator) implements Column {}

  private record Jvm(String mnemonic) implements Column {}

  private record Aliases(List<String> names) implements Column {}

  private static final Map<String, Function> BY_NAME = new HashMap<>();

  static {
    for (Function function : values()) {
      BY_NAME.put(function.functionName(), function);
      function.aliases.forEach(alias -> BY_NAME.put(alias, function));
    }
  }

  private final String functionName = name().toLowerCase(Locale.ROOT);
  private final List<Parameter> parameters;
  private final TypeRule typeRule;
  private final String definition;
  private Optional<Operator> operator = Optional.empty();
  private Optional<String> cudaOperator = Optional.empty();
  private Optional<String> jvmMnemonic = Optional.empty();
  private List<String> aliases = List.of();

  Function(String parameters, TypeRule typeRule, String definition, Column... columns) {
    this.parameters = Arrays.stream(parameters.split(", ")).map(Parameter::parse).toList();
    this.typeRule = typeRule;
    this.definition = definition;
    for (Column column : columns) {
      switch (column) {
        case Operator symbol -> operator = Optional.of(symbol);
        case Cuda(String text) -> cudaOperator = Optional.of(text);
        case Jvm(String mnemonic) -> jvmMnemonic = Optional.of(mnemonic);
        case Aliases(List<String> names) -> aliases = names;
      }
    }
  }

  /** The function of that name or alias in the expression language, if there is one. */
  public static Optional<Function> byName(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** Name in the expression language, lower case. */
  public String functionName() {
    return functionName;
  }

  /** Other names in the expression language. */
  public List<String> aliases() {
    return aliases;
  }

  /** Parameters in order, with those that only select a function. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /** How many arguments a {@link Kernel.Node.Apply} of this function has. */
  public int arity() {
    return (int) parameters.stream().filter(parameter -> !parameter.selects()).count();
  }

  public TypeRule typeRule() {
    return typeRule;
  }

  /** One line that defines the value. */
  public String definition() {
    return definition;
  }

  /** The symbol of the expression language, if the function has one. */
  public Optional<Operator> operator() {
    return operator;
  }

  /**
   * The C++ operator, prefix for one argument and infix for two, that computes the function in the
   * compute type: on BOOL for {@link TypeRule#LOGICAL}, on every type for comparisons and bits, on
   * every type but BOOL for the rest. Integers must be unsigned in C++ for +, - and * to wrap.
   */
  public Optional<String> cudaOperator() {
    return cudaOperator;
  }

  /** The device function to call where {@link #cudaOperator} does not serve: {@code gpuos::add}. */
  public String cudaName() {
    return "gpuos::" + functionName;
  }

  /**
   * The JVM instruction without its type letter, {@code add} for {@code iadd}, {@code ladd}, {@code
   * fadd} and {@code dadd}, that computes the function in the compute type; not for BOOL, unless the
   * function is logical or bitwise.
   */
  public Optional<String> jvmMnemonic() {
    return jvmMnemonic;
  }

  /** Name of the static method to call where {@link #jvmMnemonic} does not serve. */
  public String javaName() {
    StringBuilder camel = new StringBuilder();
    for (String word : functionName.split("_")) {
      camel.append(
          camel.isEmpty() ? word : Character.toUpperCase(word.charAt(0)) + word.substring(1));
    }
    return camel.toString();
  }

  /** What {@code gpuos ops} prints: {@code leaky_relu(x, slope=0.01)}. */
  public String signature() {
    return parameters.stream()
        .map(Parameter::toString)
        .collect(Collectors.joining(", ", functionName + "(", ")"));
  }

  private static Column infix(String symbol, int precedence) {
    return new Operator(symbol, precedence, false);
  }

  private static Column prefix(String symbol, int precedence) {
    return new Operator(symbol, precedence, true);
  }

  private static Column cuda(String operator) {
    return new Cuda(operator);
  }

  private static Column jvm(String mnemonic) {
    return new Jvm(mnemonic);
  }

  private static Column aliases(String... names) {
    return new Aliases(List.of(names));
  }
}

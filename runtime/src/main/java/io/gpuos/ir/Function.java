package io.gpuos.ir;

import static io.gpuos.ir.TypeRule.ANY;
import static io.gpuos.ir.TypeRule.BITWISE;
import static io.gpuos.ir.TypeRule.COMPARISON;
import static io.gpuos.ir.TypeRule.FLOATING;
import static io.gpuos.ir.TypeRule.FLOATING_ONLY;
import static io.gpuos.ir.TypeRule.LOGICAL;
import static io.gpuos.ir.TypeRule.NUMERIC;
import static io.gpuos.ir.TypeRule.PREDICATE;
import static io.gpuos.ir.TypeRule.SHIFT;

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
 * <p>A row holds the parameters with their defaults, the {@link TypeRule}, the definition and,
 * where the function has them, further columns: {@code infix} or {@code prefix} (symbol and
 * precedence in the expression language), {@code cuda} (the C++ operator that renders it), {@code
 * jvm} (mnemonic of the JVM instruction that computes it) and {@code aliases} (other names in the
 * language).
 *
 * <p>Where a generator finds neither operator nor instruction it calls an implementation by
 * convention: {@link #cudaName} in the device header, {@link #javaName} in {@code ScalarMath}.
 *
 * <p>A default of {@code none} means "no bound"; a default in quotes marks a parameter that only
 * selects between functions and never becomes an argument.
 */
public enum Function {
  // Arithmetic. Integers wrap; division of an integer by zero gives 0.
  ADD("a, b", ANY, "a + b; or for bool", infix("+", 6), cuda("+"), jvm("add")),
  SUB("a, b", NUMERIC, "a - b", infix("-", 6), cuda("-"), jvm("sub"), aliases("subtract")),
  MUL(
      "a, b",
      ANY,
      "a * b; and for bool",
      infix("*", 7),
      cuda("*"),
      jvm("mul"),
      aliases("multiply")),
  DIV(
      "a, b",
      FLOATING,
      "a / b",
      infix("/", 7),
      cuda("/"),
      jvm("div"),
      aliases("divide", "true_divide")),
  FLOOR_DIVIDE("a, b", NUMERIC, "floor(a / b)", infix("//", 7)),
  REMAINDER("a, b", NUMERIC, "a - b * floor(a / b), has the sign of b", infix("%", 7)),
  FMOD("a, b", NUMERIC, "a - b * trunc(a / b), has the sign of a"),
  POW(
      "base, exponent",
      NUMERIC,
      "base^exponent; integers with exponent < 0: 0 unless |base| = 1",
      infix("**", 9)),
  NEG("x", NUMERIC, "-x", prefix("-", 8), cuda("-"), jvm("neg"), aliases("negative")),
  ABS("x", NUMERIC, "|x|", aliases("absolute")),
  SIGN("x", NUMERIC, "-1, 0 or 1 as x is negative, zero or positive; nan for nan"),
  MAXIMUM("a, b", ANY, "the larger of a and b; nan if either is nan"),
  MINIMUM("a, b", ANY, "the smaller of a and b; nan if either is nan"),
  CLAMP("x, min=none, max=none", NUMERIC, "minimum(maximum(x, min), max)", aliases("clip")),
  RECIPROCAL("x", FLOATING, "1 / x"),
  HYPOT("a, b", FLOATING_ONLY, "sqrt(a^2 + b^2) without undue overflow"),

  // Comparison and logic. A comparison with nan is false, except ne.
  EQ("a, b", COMPARISON, "a == b", infix("==", 1), cuda("==")),
  NE("a, b", COMPARISON, "a != b", infix("!=", 1), cuda("!="), aliases("not_equal")),
  LT("a, b", COMPARISON, "a < b", infix("<", 1), cuda("<"), aliases("less")),
  LE("a, b", COMPARISON, "a <= b", infix("<=", 1), cuda("<="), aliases("less_equal")),
  GT("a, b", COMPARISON, "a > b", infix(">", 1), cuda(">"), aliases("greater")),
  GE("a, b", COMPARISON, "a >= b", infix(">=", 1), cuda(">="), aliases("greater_equal")),
  LOGICAL_AND("a, b", LOGICAL, "a != 0 and b != 0", cuda("&&"), jvm("and")),
  LOGICAL_OR("a, b", LOGICAL, "a != 0 or b != 0", cuda("||"), jvm("or")),
  LOGICAL_XOR("a, b", LOGICAL, "(a != 0) != (b != 0)", cuda("!="), jvm("xor")),
  LOGICAL_NOT("x", LOGICAL, "x == 0", cuda("!")),
  WHERE("condition, a, b", TypeRule.WHERE, "a where condition holds, else b"),
  ISNAN("x", PREDICATE, "x is nan"),
  ISINF("x", PREDICATE, "x is inf or -inf"),
  ISFINITE("x", PREDICATE, "x is neither nan nor inf nor -inf"),

  // Bits, of two's complement integers.
  BITWISE_AND("a, b", BITWISE, "a & b", infix("&", 4), cuda("&"), jvm("and")),
  BITWISE_OR("a, b", BITWISE, "a | b", infix("|", 2), cuda("|"), jvm("or")),
  BITWISE_XOR("a, b", BITWISE, "a ^ b", infix("^", 3), cuda("^"), jvm("xor")),
  BITWISE_NOT("x", BITWISE, "~x; logical not for bool", prefix("~", 8)),
  SHIFT_LEFT(
      "a, bits",
      SHIFT,
      "a * 2^bits; 0 if bits < 0 or >= width",
      infix("<<", 5),
      aliases("bitwise_left_shift")),
  SHIFT_RIGHT(
      "a, bits",
      SHIFT,
      "floor(a / 2^bits); -1 or 0 if bits < 0 or >= width",
      infix(">>", 5),
      aliases("bitwise_right_shift")),

  // Rounding. The identity on integers.
  FLOOR("x", NUMERIC, "largest integer <= x"),
  CEIL("x", NUMERIC, "smallest integer >= x"),
  ROUND("x", NUMERIC, "nearest integer, halves to even"),
  TRUNC("x", NUMERIC, "x without its fraction", aliases("fix")),

  // Exponentials, logarithms, roots.
  EXP("x", FLOATING, "e^x"),
  EXP2("x", FLOATING, "2^x"),
  EXPM1("x", FLOATING, "e^x - 1, accurate near 0"),
  LOG("x", FLOATING, "natural logarithm"),
  LOG2("x", FLOATING, "logarithm to base 2"),
  LOG10("x", FLOATING, "logarithm to base 10"),
  LOG1P("x", FLOATING, "log(1 + x), accurate near 0"),
  SQRT("x", FLOATING, "square root"),
  RSQRT("x", FLOATING, "1 / sqrt(x)"),

  // Trigonometric and hyperbolic, in radians.
  SIN("x", FLOATING, "sine"),
  COS("x", FLOATING, "cosine"),
  TAN("x", FLOATING, "tangent"),
  ASIN("x", FLOATING, "inverse sine", aliases("arcsin")),
  ACOS("x", FLOATING, "inverse cosine", aliases("arccos")),
  ATAN("x", FLOATING, "inverse tangent", aliases("arctan")),
  ATAN2("y, x", FLOATING, "angle of the point (x, y), in (-pi, pi]", aliases("arctan2")),
  SINH("x", FLOATING, "(e^x - e^-x) / 2"),
  COSH("x", FLOATING, "(e^x + e^-x) / 2"),
  TANH("x", FLOATING, "sinh(x) / cosh(x)"),
  ASINH("x", FLOATING, "inverse of sinh", aliases("arcsinh")),
  ACOSH("x", FLOATING, "inverse of cosh, >= 0", aliases("arccosh")),
  ATANH("x", FLOATING, "inverse of tanh", aliases("arctanh")),

  // Special functions.
  ERF("x", FLOATING, "2 / sqrt(pi) * integral of e^(-t^2) from 0 to x"),
  ERFC("x", FLOATING, "1 - erf(x), accurate for large x"),
  LGAMMA("x", FLOATING, "log |gamma(x)|"),
  SIGMOID("x", FLOATING, "1 / (1 + e^-x)", aliases("expit")),

  // Activations.
  RELU("x", NUMERIC, "maximum(x, 0)"),
  RELU6("x", FLOATING_ONLY, "clamp(x, 0, 6)"),
  LEAKY_RELU("x, slope=0.01", FLOATING_ONLY, "x if x > 0 else slope * x"),
  ELU("x, alpha=1", FLOATING_ONLY, "x if x > 0 else alpha * expm1(x)"),
  SELU("x", FLOATING_ONLY, "1.0507009873554805 * elu(x, 1.6732632423543772)"),
  CELU("x, alpha=1", FLOATING_ONLY, "x if x > 0 else alpha * expm1(x / alpha)"),
  GELU("x, approximate='none'", FLOATING_ONLY, "x / 2 * (1 + erf(x / sqrt(2)))"),
  GELU_TANH("x", FLOATING_ONLY, "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))"),
  SILU("x", FLOATING_ONLY, "x * sigmoid(x)", aliases("swish")),
  MISH("x", FLOATING_ONLY, "x * tanh(log(1 + e^x))"),
  SOFTPLUS(
      "x, beta=1, threshold=20",
      FLOATING_ONLY,
      "log(1 + e^(beta x)) / beta; x if beta x > threshold"),
  HARDTANH("x, min=-1, max=1", FLOATING_ONLY, "clamp(x, min, max)"),
  HARDSIGMOID("x", FLOATING_ONLY, "clamp(x + 3, 0, 6) / 6"),
  HARDSWISH("x", FLOATING_ONLY, "x * clamp(x + 3, 0, 6) / 6");

  /**
   * How the language writes the function with a symbol. Precedence as in Python, from 1
   * (comparison) to 9 ({@code **}, the only one that groups to the right).
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
  private final int arity;
  private final TypeRule typeRule;
  private final String definition;
  private Optional<Operator> operator = Optional.empty();
  private Optional<String> cudaOperator = Optional.empty();
  private Optional<String> jvmMnemonic = Optional.empty();
  private List<String> aliases = List.of();

  Function(String parameters, TypeRule typeRule, String definition, Column... columns) {
    this.parameters = Parameter.parseList(parameters);
    this.arity = (int) this.parameters.stream().filter(p -> !p.selects()).count();
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
    return arity;
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
   * fadd} and {@code dadd}, that computes the function in the compute type; not for BOOL, unless
   * the function is logical or bitwise.
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

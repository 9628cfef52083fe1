package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * Functions of the expression language that stand for matrix products and what is computed of them.
 * One kernel computes each: of half types nothing is rounded but the result.
 */
public enum ProductFunction {
  /** As {@code torch.nn.functional.linear}: the weight has a row for each column of the result. */
  LINEAR("x, w, b=none", "matmul(x, w with its last two axes swapped) + b"),

  /** As {@code torch.addmm}. With a beta of 0, b is not read, so that its NaN does not count. */
  ADDMM("b, x, y, beta=1, alpha=1", "beta * b + alpha * matmul(x, y); as torch.addmm"),

  /** As {@code torch.baddbmm}; otherwise as {@link #ADDMM}. */
  BADDBMM("b, x, y, beta=1, alpha=1", "beta * b + alpha * matmul(x, y); as torch.baddbmm"),

  /** See {@link Expr.Attention}. */
  ATTENTION(
      "q, k, v, mask=none, causal=false, scale=none",
      "softmax(q k^T * scale + mask) v; scale is 1/sqrt(D), D q's last size");

  /** What PyTorch calls the parameters. */
  private static final Map<ProductFunction, Map<String, String>> KEYWORDS =
      Map.of(
          LINEAR, Map.of("input", "x", "weight", "w", "bias", "b"),
          ADDMM, Map.of("input", "b", "mat1", "x", "mat2", "y"),
          BADDBMM, Map.of("input", "b", "batch1", "x", "batch2", "y"),
          ATTENTION,
              Map.of(
                  "query",
                  "q",
                  "key",
                  "k",
                  "value",
                  "v",
                  "attn_mask",
                  "mask",
                  "is_causal",
                  "causal"));

  private final String functionName = name().toLowerCase(Locale.ROOT);
  private final List<Parameter> parameters;
  private final String definition;

  ProductFunction(String parameters, String definition) {
    this.parameters = Parameter.parseList(parameters);
    this.definition = definition;
  }

  /** The function of that name in the expression language, if there is one. */
  public static Optional<ProductFunction> byName(String name) {
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

  /** Other keywords for the parameters: those of PyTorch. */
  Map<String, String> keywords() {
    return KEYWORDS.get(this);
  }

  /** One line that defines the value. */
  public String definition() {
    return definition;
  }

  /** Types that it has a meaning for, in words. */
  public String types() {
    return this == ATTENTION ? "f32, f16 or bf16 -> that type" : "one type, no bool -> that type";
  }

  /** What {@code gpuos ops} prints: {@code linear(x, w, b=none)}. */
  public String signature() {
    return parameters.stream()
        .map(Parameter::toString)
        .collect(Collectors.joining(", ", functionName + "(", ")"));
  }

  /**
   * The expression that a call means.
   *
   * @param given by parameter, defaults filled in; without those that are none
   * @throws ExpressionException if causal is no truth value, or scale no number
   */
  Expr expand(Map<String, Expr> given) {
    return switch (this) {
      case LINEAR -> {
        Expr product = new Expr.MatMul(given.get("x"), given.get("w"), true);
        yield given.containsKey("b") ? product.add(given.get("b")) : product;
      }
      case ATTENTION -> attention(given);
      case ADDMM, BADDBMM -> {
        Expr product = times(given.get("alpha"), given.get("x").matmul(given.get("y")));
        boolean alone = isNumber(given.get("beta"), 0);
        yield alone ? product : times(given.get("beta"), given.get("b")).add(product);
      }
    };
  }

  private static Expr attention(Map<String, Expr> given) {
    if (!(given.get("causal") instanceof Expr.Literal causal) || causal.type() != DType.BOOL) {
      throw noMeaning("causal", given.get("causal"), "true or false");
    }
    OptionalDouble scale = OptionalDouble.empty();
    if (given.get("scale") instanceof Expr factor) {
      if (!(factor instanceof Expr.Literal literal) || literal.type() == DType.BOOL) {
        throw noMeaning("scale", factor, "a number");
      }
      scale = OptionalDouble.of(Scalars.asDouble(literal.type(), literal.bits()));
    }
    return new Expr.Attention(
        given.get("q"),
        given.get("k"),
        given.get("v"),
        Optional.ofNullable(given.get("mask")),
        causal.bits() != 0,
        scale);
  }

  private static ExpressionException noMeaning(String name, Expr value, String expected) {
    return new ExpressionException(
        "argument has no meaning: name=%s, function=attention, value=%s, expected=%s"
            .formatted(name, ExprPrinter.brief(value), expected));
  }

  private static Expr times(Expr factor, Expr value) {
    return isNumber(factor, 1) ? value : value.mul(factor);
  }

  private static boolean isNumber(Expr expr, double number) {
    return expr instanceof Expr.Literal(var type, long bits)
        && Scalars.asDouble(type, bits) == number;
  }
}

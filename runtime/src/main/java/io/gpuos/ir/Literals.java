package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.ir.Lexer.Token;
import java.util.Locale;

/** Reads the numbers and named constants of the expression language. */
final class Literals {

  private Literals() {}

  /** Whether the name stands for a number or truth value. */
  static boolean isConstant(String name) {
    return constant(name) != null;
  }

  /** Value of a name that is a constant, else null. */
  private static Expr constant(String name) {
    return switch (name) {
      case "true", "True" -> Expr.of(true);
      case "false", "False" -> Expr.of(false);
      case "inf" -> Expr.of(Double.POSITIVE_INFINITY);
      case "nan" -> Expr.of(Double.NaN);
      case "pi" -> Expr.of(Math.PI);
      default -> null;
    };
  }

  /**
   * The value of an INTEGER or FLOATING token, or of a NAME that is a constant.
   *
   * @param negative whether a minus sign stands before it, which makes the smallest integer
   *     readable
   * @throws ExpressionException if the value does not fit 64 bits
   */
  static Expr read(Token token, boolean negative) {
    return switch (token.kind()) {
      case INTEGER -> integer(token, negative);
      case FLOATING -> Expr.of(negative ? -floating(token) : floating(token));
      default -> negate(constant(token.text()), negative);
    };
  }

  private static Expr negate(Expr constant, boolean negative) {
    if (negative && constant instanceof Expr.Literal(var type, long bits) && type.isFloating()) {
      return Expr.of(-Scalars.asDouble(type, bits));
    }
    return negative ? constant.neg() : constant;
  }

  private static double floating(Token token) {
    double value = Double.parseDouble(token.text());
    if (Double.isInfinite(value)) {
      throw outOfRange(token, "at most " + Double.MAX_VALUE + ", or inf");
    }
    return value;
  }

  private static Expr integer(Token token, boolean negative) {
    String text = token.text();
    boolean hexadecimal = text.startsWith("0x") || text.startsWith("0X");
    String digits = (negative ? "-" : "") + (hexadecimal ? text.substring(2) : text);
    try {
      return Expr.of(Long.parseLong(digits, hexadecimal ? 16 : 10));
    } catch (NumberFormatException _) {
      throw outOfRange(token, "a 64-bit integer; write a decimal point for a floating number");
    }
  }

  private static ExpressionException outOfRange(Token token, String expected) {
    return new ExpressionException(
        String.format(
            Locale.ROOT,
            "number out of range: number=%s, column=%d, expected=%s",
            token.text(),
            token.column(),
            expected));
  }
}

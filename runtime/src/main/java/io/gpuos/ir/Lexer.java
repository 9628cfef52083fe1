package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Cuts the text of an expression into tokens. White space, line ends included, separates. */
final class Lexer {

  enum Kind {
    NAME,
    INTEGER,
    FLOATING,
    /** Text in single or double quotes, on one line; the token holds what is between them. */
    QUOTED,
    SYMBOL,
    END
  }

  /**
   * @param column of the first character, from 1
   */
  record Token(Kind kind, String text, int column) {
    boolean is(String symbol) {
      return kind == Kind.SYMBOL && text.equals(symbol);
    }

    /** For messages. */
    @Override
    public String toString() {
      return kind == Kind.END ? "end of text" : "'" + text + "'";
    }
  }

  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*+");

  // Possessive throughout: a token never depends on what follows, and nothing backtracks.
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\s++"
              + "|(?<NAME>"
              + NAME.pattern()
              + ")|(?<FLOATING>(?:[0-9]++\\.[0-9]*+|\\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
              + "|[0-9]++[eE][+-]?[0-9]++)"
              + "|(?<INTEGER>0[xX][0-9a-fA-F]++|[0-9]++)"
              + "|'(?<SINGLE>[^'\\p{Cntrl}]*+)'|\"(?<DOUBLE>[^\"\\p{Cntrl}]*+)\""
              + "|(?<SYMBOL>\\*\\*|//|<<|>>|==|!=|<=|>=|[-+*/%&|^~<>=(),;\\[\\]])");

  /** Characters of a name, number or quoted text; keeps messages that repeat it readable. */
  private static final int MAX_TOKEN = 256;

  private Lexer() {}

  static boolean isName(String text) {
    return NAME.matcher(text).matches();
  }

  /**
   * The tokens of {@code text}, the last of kind END.
   *
   * @throws ExpressionException at a character that starts no token
   */
  static List<Token> tokens(String text) {
    List<Token> tokens = new ArrayList<>();
    Matcher matcher = TOKEN.matcher(text);
    int position = 0;
    while (position < text.length()) {
      if (!matcher.region(position, text.length()).lookingAt()) {
        throw unexpected(text, position);
      }
      Token token = token(matcher, position + 1);
      if (token != null) {
        rejectLong(token);
        rejectGluedNumber(tokens, token);
        tokens.add(token);
      }
      position = matcher.end();
    }
    tokens.add(new Token(Kind.END, "", text.length() + 1));
    return tokens;
  }

  /** The token just matched, or null for white space. */
  private static Token token(Matcher matcher, int column) {
    for (Kind kind : List.of(Kind.NAME, Kind.FLOATING, Kind.INTEGER, Kind.SYMBOL)) {
      if (matcher.group(kind.name()) != null) {
        return new Token(kind, matcher.group(), column);
      }
    }
    String single = matcher.group("SINGLE");
    String quoted = single == null ? matcher.group("DOUBLE") : single;
    return quoted == null ? null : new Token(Kind.QUOTED, quoted, column);
  }

  private static void rejectLong(Token token) {
    if (token.text().length() > MAX_TOKEN) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "name or number too long: length=%d, column=%d, expected=at most %d characters",
              token.text().length(),
              token.column(),
              MAX_TOKEN));
    }
  }

  /** {@code 2x} and {@code 1.2.3} are no two tokens. */
  private static void rejectGluedNumber(List<Token> before, Token token) {
    if (before.isEmpty() || token.kind() == Kind.SYMBOL || token.kind() == Kind.QUOTED) {
      return;
    }
    Token last = before.getLast();
    boolean glued = last.column() + last.text().length() == token.column();
    if (glued && (last.kind() == Kind.INTEGER || last.kind() == Kind.FLOATING)) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "malformed number: text=%s%s, column=%d, expected=a number, then an operator",
              last.text(),
              token.text(),
              last.column()));
    }
  }

  private static ExpressionException unexpected(String text, int position) {
    int codePoint = text.codePointAt(position);
    String shown =
        Character.isISOControl(codePoint)
            ? String.format(Locale.ROOT, "U+%04X", codePoint)
            : Character.toString(codePoint);
    String remedy =
        switch (codePoint) {
          case '\'', '"' -> "a closing quote";
          case '!' -> "!= or logical_not(x)";
          case '?', ':' -> "where(condition, a, b)";
          default -> "a name, a number, an operator or a bracket";
        };
    return new ExpressionException(
        String.format(
            Locale.ROOT,
            "unexpected character: character=%s, column=%d, expected=%s",
            shown,
            position + 1,
            remedy));
  }
}

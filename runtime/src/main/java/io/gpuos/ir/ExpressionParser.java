package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.ir.CallBinder.Actual;
import io.gpuos.ir.CallBinder.Value;
import io.gpuos.ir.Lexer.Kind;
import io.gpuos.ir.Lexer.Token;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the expression language:
 *
 * <pre>
 * program     := { name "=" expression ";" } expression { "," expression }
 * expression  := comparison; operators, precedence and grouping are Python's
 *                  == != &lt; &lt;= &gt; &gt;=     (do not chain)
 *                  |   ^   &amp;   &lt;&lt; &gt;&gt;   + -   * / // %   unary - + ~   **
 * primary     := number | true | false | inf | nan | pi | name | call | "(" expression ")"
 * call        := name "(" argument { "," argument } ")"
 * argument    := [ name "=" ] ( expression | axes | 'text' | none )
 * axes        := "[" integer { "," integer } "]" | "(" integer "," { integer } ")"
 * </pre>
 *
 * <p>A statement {@code t = a * b;} names a value for what follows; every other name is an input
 * tensor. Expressions separated by commas are several outputs. Functions are those of {@link
 * Function} and {@link Reducer}, and {@link #CAST}.
 *
 * <p>Text of up to {@value #MAX_LENGTH} characters and nesting of {@value #MAX_NESTING} brackets or
 * powers; chains of operators may be of any length.
 */
public final class ExpressionParser {

  /** Signature of the conversion, the one function outside the tables. */
  public static final String CAST = "cast(x, dtype)";

  public static final int MAX_LENGTH = 1_000_000;
  public static final int MAX_NESTING = 500;

  private static final Map<String, Function> PREFIX = symbols(true);
  private static final Map<String, Function> INFIX = symbols(false);
  private static final int LOWEST = 1;
  private static final Set<String> NOTHING = Set.of("none", "None");
  private static final Set<String> PYTHON_WORDS = Set.of("and", "or", "not", "if", "else", "in");

  private final List<Token> tokens;
  private final Map<String, Expr> named = new HashMap<>();
  private int next;
  private int nesting;

  private ExpressionParser(List<Token> tokens) {
    this.tokens = tokens;
  }

  /**
   * The outputs of a program, in order.
   *
   * @throws ExpressionException with the column, if the text is no program
   */
  public static List<Expr> parse(String text) {
    if (text.length() > MAX_LENGTH) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "expression too long: length=%d, expected=at most %d characters",
              text.length(),
              MAX_LENGTH));
    }
    ExpressionParser parser = new ExpressionParser(Lexer.tokens(text));
    try {
      return parser.program();
    } catch (StackOverflowError _) {
      // Half a megabyte of stack is enough for any text; some threads have less.
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "expression nested too deeply for this thread's stack: column=%d, expected=a larger"
                  + " stack, or fewer levels; name parts: t = ...;",
              parser.peek().column()));
    }
  }

  /**
   * The only output of a program.
   *
   * @throws ExpressionException as {@link #parse}, and if there are several outputs
   */
  public static Expr parseSingle(String text) {
    List<Expr> outputs = parse(text);
    if (outputs.size() != 1) {
      throw new ExpressionException(
          "several outputs: count=" + outputs.size() + ", expected=one expression");
    }
    return outputs.getFirst();
  }

  private static Map<String, Function> symbols(boolean prefix) {
    return Stream.of(Function.values())
        .filter(f -> f.operator().isPresent() && f.operator().get().isPrefix() == prefix)
        .collect(Collectors.toUnmodifiableMap(f -> f.operator().get().symbol(), f -> f));
  }

  private List<Expr> program() {
    while (peek().kind() == Kind.NAME && tokens.get(next + 1).is("=")) {
      statement();
    }
    List<Expr> outputs = new ArrayList<>();
    do {
      outputs.add(expression(LOWEST));
    } while (accept(","));
    if (peek().kind() != Kind.END) {
      throw unexpected("an operator or the end of the text");
    }
    return List.copyOf(outputs);
  }

  private void statement() {
    Token name = take();
    if (isReserved(name.text()) || named.containsKey(name.text())) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "name is taken: name=%s, column=%d, expected=a new name",
              name.text(),
              name.column()));
    }
    expect("=");
    Expr value = expression(LOWEST);
    if (!accept(";")) {
      throw unexpected("; after the value of " + name.text());
    }
    named.put(name.text(), value);
  }

  private static boolean isReserved(String name) {
    return Literals.isConstant(name) || NOTHING.contains(name);
  }

  /** Operators of at least that precedence, grouping to the left. */
  private Expr expression(int lowest) {
    enter();
    Expr left = unary();
    while (true) {
      Function function = infix();
      if (function == null || precedence(function) < lowest) {
        nesting--;
        return left;
      }
      take();
      Expr right = expression(precedence(function) + 1);
      left = new Expr.Call(function, List.of(left, right));
      rejectChain(function);
    }
  }

  /** The function of the infix operator that comes next, other than the power; else null. */
  private Function infix() {
    Function function = peek().kind() == Kind.SYMBOL ? INFIX.get(peek().text()) : null;
    return function == Function.POW ? null : function;
  }

  private static int precedence(Function function) {
    return function.operator().orElseThrow().precedence();
  }

  private void rejectChain(Function function) {
    Function following = infix();
    if (function.typeRule() == TypeRule.COMPARISON
        && following != null
        && following.typeRule() == TypeRule.COMPARISON) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "comparisons do not chain: column=%d, expected=(a < b) & (b < c)",
              peek().column()));
    }
  }

  private Expr unary() {
    Deque<Function> prefixes = new ArrayDeque<>();
    while (true) {
      if (peek().is("-") && isNumber(next + 1) && !tokens.get(next + 2).is("**")) {
        take();
        Expr negative = Literals.read(take(), true);
        return apply(prefixes, negative);
      }
      if (accept("+")) {
        continue;
      }
      Function prefix = peek().kind() == Kind.SYMBOL ? PREFIX.get(peek().text()) : null;
      if (prefix == null) {
        return apply(prefixes, power());
      }
      take();
      prefixes.push(prefix);
    }
  }

  private static Expr apply(Deque<Function> innermostFirst, Expr operand) {
    Expr result = operand;
    for (Function prefix : innermostFirst) {
      result = new Expr.Call(prefix, List.of(result));
    }
    return result;
  }

  /** A power groups to the right; its exponent may have a sign. */
  private Expr power() {
    Expr base = primary();
    if (!accept("**")) {
      return base;
    }
    enter();
    Expr exponent = unary();
    nesting--;
    return new Expr.Call(Function.POW, List.of(base, exponent));
  }

  private Expr primary() {
    if (isNumber(next)) {
      return Literals.read(take(), false);
    }
    if (peek().kind() == Kind.NAME) {
      Token name = take();
      return peek().is("(") ? call(name) : name(name);
    }
    if (accept("(")) {
      Expr inner = expression(LOWEST);
      expect(")");
      return inner;
    }
    throw unexpected("a name, a number or (");
  }

  private Expr name(Token name) {
    if (isReserved(name.text())) {
      next--;
      throw unexpected("a value; none only stands for an argument that is not given");
    }
    if (PYTHON_WORDS.contains(name.text())) {
      next--;
      throw unexpected("logical_and, logical_or, logical_not or where");
    }
    Expr value = named.get(name.text());
    return value == null ? new Expr.Input(name.text()) : value;
  }

  private Expr call(Token function) {
    expect("(");
    List<Actual> arguments = new ArrayList<>();
    while (!peek().is(")")) {
      if (!arguments.isEmpty()) {
        expectCommaOr(")");
      }
      arguments.add(argument());
    }
    expect(")");
    return CallBinder.bind(function.text(), function.column(), arguments);
  }

  private Actual argument() {
    int column = peek().column();
    Optional<String> keyword = Optional.empty();
    if (peek().kind() == Kind.NAME && tokens.get(next + 1).is("=")) {
      keyword = Optional.of(take().text());
      take();
    }
    return new Actual(keyword, value(), column);
  }

  private Value value() {
    Token token = peek();
    if (token.kind() == Kind.QUOTED) {
      return new Value.Text(take().text());
    }
    if (token.kind() == Kind.NAME && NOTHING.contains(token.text())) {
      take();
      return new Value.Nothing();
    }
    if (token.is("[") || (token.is("(") && isTuple())) {
      return axes(token.is("[") ? "]" : ")");
    }
    return new Value.Of(expression(LOWEST));
  }

  /** An integer and a comma follow the opening parenthesis. */
  private boolean isTuple() {
    int integer = tokens.get(next + 1).is("-") ? next + 2 : next + 1;
    return tokens.get(integer).kind() == Kind.INTEGER && tokens.get(integer + 1).is(",");
  }

  private Value axes(String close) {
    take();
    List<Integer> axes = new ArrayList<>();
    while (!peek().is(close)) {
      if (!axes.isEmpty()) {
        expectCommaOr(close);
        if (peek().is(close)) {
          break;
        }
      }
      axes.add(axis());
    }
    take();
    return new Value.Axes(axes);
  }

  private int axis() {
    boolean negative = accept("-");
    if (peek().kind() != Kind.INTEGER) {
      throw unexpected("an integer, the number of an axis");
    }
    int column = peek().column();
    Expr.Literal literal = (Expr.Literal) Literals.read(take(), negative);
    return CallBinder.axis(literal, column);
  }

  /** Whether the token there is a literal that a minus sign may precede. */
  private boolean isNumber(int index) {
    Token token = tokens.get(index);
    return switch (token.kind()) {
      case INTEGER, FLOATING -> true;
      case NAME -> Literals.isConstant(token.text()) && !tokens.get(index + 1).is("(");
      case QUOTED, SYMBOL, END -> false;
    };
  }

  private void enter() {
    if (++nesting > MAX_NESTING) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "expression nested too deeply: column=%d, expected=at most %d levels; name parts: t = ...;",
              peek().column(),
              MAX_NESTING));
    }
  }

  private Token peek() {
    return tokens.get(next);
  }

  private Token take() {
    return tokens.get(next++);
  }

  private boolean accept(String symbol) {
    if (peek().is(symbol)) {
      next++;
      return true;
    }
    return false;
  }

  private void expect(String symbol) {
    if (!accept(symbol)) {
      throw unexpected(symbol);
    }
  }

  /** Another element of a list, which could also have ended here. */
  private void expectCommaOr(String close) {
    if (!accept(",")) {
      throw unexpected(close + " or ,");
    }
  }

  private ExpressionException unexpected(String expected) {
    return new ExpressionException(
        String.format(
            Locale.ROOT,
            "unexpected text: found=%s, column=%d, expected=%s",
            peek(),
            peek().column(),
            expected));
  }
}

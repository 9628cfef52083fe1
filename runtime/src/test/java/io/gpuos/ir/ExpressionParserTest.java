package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExpressionParserTest {

  private static final Expr A = Expr.input("a");
  private static final Expr B = Expr.input("b");

  private static String repeat(String text, int times) {
    return text.repeat(times);
  }

  /** The right column has every bracket that the left one implies. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      commentCharacter = '$',
      textBlock =
          """
          a + b * c          # a + (b * c)
          a - b - c          # (a - b) - c
          a / b * c          # (a / b) * c
          -a ** b            # -(a ** b)
          a ** -b            # a ** (-b)
          a ** b ** c        # a ** (b ** c)
          -2 ** a            # neg(2 ** a)
          ~a & b             # (~a) & b
          a | b ^ c & d      # a | (b ^ (c & d))
          a & b << c + d     # a & (b << (c + d))
          a << b >> c        # (a << b) >> c
          a < b | c          # a < (b | c)
          a == b + 1         # a == (b + 1)
          a // b % c         # (a // b) % c
          - - a              # -(-a)
          +a                 # a
          not_a + 1          # (not_a) + 1
          a+-b               # a + (-b)
          a--1               # a - (-1)
          """)
  void shouldGroupAsPython(String text, String grouped) {
    assertEquals(ExpressionParser.parseSingle(grouped), ExpressionParser.parseSingle(text));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          12           | 12
          0x1F         | 31
          -0x10        | -16
          1.5          | 1.5
          1.           | 1.0
          .5           | 0.5
          1e3          | 1000.0
          2.5E-3       | 0.0025
          -1e3         | -1000.0
          true         | true
          False        | false
          inf          | inf
          -inf         | -inf
          nan          | nan
          pi           | 3.141592653589793
          9223372036854775807  | 9223372036854775807
          -9223372036854775808 | -9223372036854775808
          """)
  void shouldReadNumbers(String text, String value) {
    Expr expr = ExpressionParser.parseSingle(text);
    assertTrue(expr instanceof Expr.Literal);
    assertEquals(value, expr.toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sum(x)                        | sum(x)
          sum(x, axis=-1, keepdim=true) | sum(x, axis=-1, keepdim=true)
          sum(x, -1, True)              | sum(x, axis=-1, keepdim=true)
          sum(x, axis=none)             | sum(x)
          sum(x, dim=[0, 2])            | sum(x, axis=[0, 2])
          sum(x, dim=(0, -2))           | sum(x, axis=[0, -2])
          max(x, (1,))                  | max(x, axis=1)
          max(x, 1)                     | max(x, axis=1)
          norm(x, p=1, axis=0)          | norm(x, ord=1.0, axis=0)
          norm(x, -inf)                 | norm(x, ord=-inf)
          var(x, unbiased=false)        | var(x, correction=0.0)
          std(x, correction=1)          | std(x)
          cast(x, float16)              | cast(x, f16)
          cast(x, dtype=int64)          | cast(x, i64)
          cast(half, half)              | cast(half, f16)
          leaky_relu(x)                 | leaky_relu(x, 0.01)
          leaky_relu(x, slope=0.2)      | leaky_relu(x, 0.2)
          softplus(x, threshold=5)      | softplus(x, 1, 5)
          gelu(x)                       | gelu(x)
          gelu(x, approximate='tanh')   | gelu_tanh(x)
          gelu(x, "none")               | gelu(x)
          clamp(x, 0, 1)                | clamp(x, 0, 1)
          clamp(x, max=1)               | minimum(x, 1)
          clip(x, none, 1)              | minimum(x, 1)
          clamp(min=0, x=y)             | maximum(y, 0)
          (a)                           | a
          sum((a + b) * c)              | sum((a + b) * c)
          a<b                           | a < b
          """)
  void shouldBindArguments(String text, String canonical) {
    assertEquals(canonical, ExpressionParser.parseSingle(text).toString());
  }

  @Test
  void shouldReadStatementsAndSeveralOutputs() {
    assertEquals(
        List.of(A.mul(B).add(Expr.of(1)), A.mul(B)),
        ExpressionParser.parse(
            """
            t = a * b;
            u = t + 1;
            u, t
            """));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          relux(a)       | unknown function: name=relux, column=1, expected=a function that 'gpuos ops' lists (closest: relu)
          1 + flor(a)    | unknown function: name=flor, column=5, expected=a function that 'gpuos ops' lists (closest: floor)
          qqqqqqqqqq(a)  | unknown function: name=qqqqqqqqqq, column=1, expected=a function that 'gpuos ops' lists
          atan2(a)       | wrong number of arguments: function=atan2, count=1, column=1, expected=atan2(y, x)
          relu(a, b)     | wrong number of arguments: function=relu, count=2, column=1, expected=relu(x)
          relu()         | wrong number of arguments: function=relu, count=0, column=1, expected=relu(x)
          max(a, b)      | a reduction takes one tensor: function=max, column=1, expected=maximum(a, b) for two tensors, or axis=integer
          min(a, b + 1)  | a reduction takes one tensor: function=min, column=1, expected=minimum(a, b) for two tensors, or axis=integer
          sum(a, axes=1) | unknown argument: name=axes, function=sum, argument column=8, column=1, expected=one of x, axis, keepdim
          sum(a, axis=b) | argument has no meaning: name=axis, function=sum, argument column=8, column=1, expected=an integer or a list of them, such as [0, -1]
          sum(a, axis=[]) | argument has no meaning: name=axis, function=sum, argument column=8, column=1, expected=an integer or a list of them, such as [0, -1]
          sum(a, axis=0, dim=1) | argument given twice: name=axis, function=sum, argument column=16, column=1, expected=once
          sum(axis=0, a) | positional argument after a keyword: function=sum, argument column=13, column=1, expected=positional ones first
          sum(a, axis=99999999999) | axis out of range: axis=99999999999, column=8, expected=an axis of the tensor
          cast(a, f17)   | argument has no meaning: name=dtype, function=cast, argument column=9, column=1, expected=one of f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool
          clamp(a)       | no bound: function=clamp, column=1, expected=min, max or both
          gelu(a, approximate='erf') | argument has no meaning: name=approximate, function=gelu, argument column=9, column=1, expected='none' or 'tanh'
          a < b < c      | comparisons do not chain: column=7, expected=(a < b) & (b < c)
          a +            | unexpected text: found=end of text, column=4, expected=a name, a number or (
          (a + b         | unexpected text: found=end of text, column=7, expected=)
          relu(a         | unexpected text: found=end of text, column=7, expected=) or ,
          atan2(a b)     | unexpected text: found='b', column=9, expected=) or ,
          sum(a, axis=[0 | unexpected text: found=end of text, column=15, expected=] or ,
          a b            | unexpected text: found='b', column=3, expected=an operator or the end of the text
          2a             | malformed number: text=2a, column=1, expected=a number, then an operator
          1.2.3          | malformed number: text=1.2.3, column=1, expected=a number, then an operator
          a ? b          | unexpected character: character=?, column=3, expected=where(condition, a, b)
          !a             | unexpected character: character=!, column=1, expected=!= or logical_not(x)
          a @ b          | unexpected character: character=@, column=3, expected=a name, a number, an operator or a bracket
          not a          | unexpected text: found='not', column=1, expected=logical_and, logical_or, logical_not or where
          none + 1       | unexpected text: found='none', column=1, expected=a value; none only stands for an argument that is not given
          1e999          | number out of range: number=1e999, column=1, expected=at most 1.7976931348623157E308, or inf
          9223372036854775808 | number out of range: number=9223372036854775808, column=1, expected=a 64-bit integer; write a decimal point for a floating number
          t = a          | unexpected text: found=end of text, column=6, expected=; after the value of t
          t = a; t = b; t | name is taken: name=t, column=8, expected=a new name
          pi = a; pi     | name is taken: name=pi, column=1, expected=a new name
          """)
  void shouldExplainErrorsInOneLine(String text, String message) {
    assertEquals(
        message,
        assertThrows(ExpressionException.class, () -> ExpressionParser.parse(text)).getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        ";",
        ",",
        "a,",
        "=",
        "a=",
        "()",
        "f(",
        "[1]",
        "'x'",
        "a;b",
        "\0",
        "a 'x\ny'",
        "'x\u0085'"
      })
  void shouldRefuseWhatIsNoExpression(String text) {
    ExpressionException thrown =
        assertThrows(ExpressionException.class, () -> ExpressionParser.parse(text));
    assertEquals(1, thrown.getMessage().lines().count());
  }

  @Test
  void shouldRefuseDeepNestingWithoutOverflow() {
    List<String> texts =
        List.of(
            repeat("(", 10_000) + "a" + repeat(")", 10_000),
            repeat("relu(", 10_000) + "a" + repeat(")", 10_000),
            repeat("a ** ", 10_000) + "a",
            repeat("a ** -(", 10_000) + "a" + repeat(")", 10_000),
            repeat("a + a * a ** (", 10_000) + "a" + repeat(")", 10_000),
            repeat("(", 900_000));
    for (String text : texts) {
      ExpressionException thrown =
          assertThrows(ExpressionException.class, () -> ExpressionParser.parse(text));
      assertTrue(thrown.getMessage().startsWith("expression nested too deeply"));
    }
  }

  @Test
  void shouldReadNestingWithinTheLimit() {
    int depth = ExpressionParser.MAX_NESTING - 1;
    Expr expr =
        ExpressionParser.parseSingle(
            repeat("a | a ** (", depth / 4) + "a" + repeat(")", depth / 4));
    assertEquals(expr, ExpressionParser.parseSingle(expr.toString()));
    assertEquals(A, ExpressionParser.parseSingle(repeat("(", depth) + "a" + repeat(")", depth)));
  }

  @Test
  void shouldReadChainsOfAnyLength() {
    Expr sum = ExpressionParser.parseSingle("a" + repeat(" + b", 20_000));
    Expr signs = ExpressionParser.parseSingle(repeat("-", 20_000) + "a");

    assertEquals(sum, ExpressionParser.parseSingle(sum.toString()));
    assertEquals(sum.hashCode(), ExpressionParser.parseSingle(sum.toString()).hashCode());
    assertEquals(signs, ExpressionParser.parseSingle(signs.toString()));
  }

  @Test
  void shouldRefuseLongTextAndLongNames() {
    assertThrows(
        ExpressionException.class,
        () -> ExpressionParser.parse(repeat(" ", ExpressionParser.MAX_LENGTH + 1)));
    String message =
        assertThrows(ExpressionException.class, () -> ExpressionParser.parse(repeat("a", 900_000)))
            .getMessage();
    assertTrue(message.length() < 200);
  }

  @Test
  void shouldReadBackWhatItPrints() {
    Random random = new Random(7);
    for (int round = 0; round < 2_000; round++) {
      Expr expr = new ExprGenerator(random, 5).expression(random.nextInt(1, 9));
      assertEquals(expr, ExpressionParser.parseSingle(expr.toString()), expr::toString);
    }
  }

  @Test
  void shouldBuildTheSameExpressionsFromJava() {
    assertEquals(ExpressionParser.parseSingle("a * b + 2 ** a"), A.mul(B).add(Expr.of(2).pow(A)));
    assertEquals(
        ExpressionParser.parseSingle("cast(-a / b - 1.5, f16)"),
        A.neg().div(B).sub(Expr.of(1.5)).to(DType.F16));
    assertEquals(ExpressionParser.parseSingle("elu(a)"), Expr.call("elu", A));
    assertEquals(ExpressionParser.parseSingle("sum(a, axis=-1)"), Expr.call("sum", A, Expr.of(-1)));
    assertEquals(
        ExpressionParser.parseSingle("var(a, axis=[0, 1], keepdim=true)"),
        A.reduceKeeping(Reducer.VAR, 0, 1));
    assertEquals(ExpressionParser.parseSingle("max(a)"), A.reduce(Reducer.MAX));
    assertEquals("no", Expr.input("no").toString());
    assertThrows(ExpressionException.class, () -> Expr.input("no name"));
    assertThrows(ExpressionException.class, () -> Expr.call("nothing", A));
  }

  @Test
  void shouldCompareStructureNotSharing() {
    Expr shared = A.add(B);
    assertEquals(shared.mul(A.add(B)), shared.mul(shared));
    assertEquals(shared.mul(A.add(B)).hashCode(), shared.mul(shared).hashCode());
    assertEquals("t0 = a + b; t0 * t0", shared.mul(shared).toString());
    assertEquals("(a + b) * (a + b)", shared.mul(A.add(B)).toString());
  }

  @Test
  void shouldTellThatAStackIsTooSmall() throws InterruptedException {
    int levels = ExpressionParser.MAX_NESTING - 1;
    String text = "relu(".repeat(levels) + "a" + ")".repeat(levels);
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Thread small =
        new Thread(
            null,
            () ->
                thrown.set(assertThrows(Throwable.class, () -> atTheEnd(text, Integer.MAX_VALUE))),
            "",
            1);
    small.start();
    small.join();
    assertEquals(ExpressionException.class, thrown.get().getClass());
    assertTrue(thrown.get().getMessage().contains("stack"), thrown.get()::getMessage);
  }

  /** Parses with what is left when the stack has been used up, long before {@code calls} are. */
  private static void atTheEnd(String text, int calls) {
    try {
      if (calls > 0) {
        atTheEnd(text, calls - 1);
      }
    } catch (StackOverflowError _) {
      ExpressionParser.parse(text);
    }
  }
}

package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SubstitutionTest {

  private static String substituted(String text, Map<String, Expr> by) {
    List<Expr> result = Substitution.apply(ExpressionParser.parse(text), by);
    return String.join(", ", result.stream().map(Expr::toString).toList());
  }

  @Test
  void shouldReplaceInputsEverywhereAtOnce() {
    Expr sum = ExpressionParser.parse("b + 1").getFirst();
    assertEquals(
        "max((b + 1) * a, axis=-1), cast(b + 1, f16)",
        substituted("max(a * b, axis=-1), cast(a, f16)", Map.of("a", sum, "b", Expr.input("a"))));
  }

  /** Sharing stays: a tree of this depth would not end. */
  @Test
  void shouldKeepWhatIsShared() {
    Expr expr = Expr.input("a");
    for (int k = 0; k < 60; k++) {
      expr = expr.add(expr);
    }
    List<Expr> result = Substitution.apply(List.of(expr), Map.of("a", Expr.input("b")));
    assertEquals(61, ExprGraph.postOrder(result).size());
  }
}

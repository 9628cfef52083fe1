package io.gpuos.error;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Operator;
import org.junit.jupiter.api.Test;

class MessagesTest {

  @Test
  void shouldPutTextOnOneLine() {
    assertEquals("a + b", Messages.line("a +\r\n  b\n"));
    assertEquals("a b c d", Messages.line("a\tb\u0085c\u2028d"));
    assertEquals("a  b", Messages.line("a  b"));
  }

  @Test
  void shouldShortenInTheMiddle() {
    assertEquals("short\u00e9", Messages.quoted("short\u00e9"));
    String quoted = Messages.quoted("begin" + "\n".repeat(100_000) + "end");
    assertEquals("begin ... end", quoted);
    String digits = Messages.quoted("1".repeat(161));
    assertEquals(160, digits.length());
    assertTrue(digits.startsWith("111") && digits.endsWith("111"), digits);
  }

  @Test
  void shouldNameAnOperatorBriefly() {
    Operator operator = Operator.of("a" + " +\n a".repeat(30_000));
    assertTrue(operator.toString().length() <= 160, operator::toString);
    assertTrue(operator.toString().startsWith("a + a + a"), operator::toString);
  }
}

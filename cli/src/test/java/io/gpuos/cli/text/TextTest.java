package io.gpuos.cli.text;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Locale;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** {@link Table}, {@link Units} and {@link Progress}. */
class TextTest {

  private static String printed(Consumer<PrintWriter> print) {
    StringWriter text = new StringWriter();
    print.accept(new PrintWriter(text, true));
    return text.toString().replace(System.lineSeparator(), "\n");
  }

  @Test
  void shouldAlignColumns() {
    Table table = Table.of("name", ">number", "note");
    table.row("a", "1", "x").row("longer", "12345678", "");
    assertEquals(
        """
          name      number  note
          a              1  x
          longer  12345678
        """,
        printed(table.indent(2)::print));
  }

  @Test
  void shouldRefuseRowsOfAnotherLength() {
    assertThrows(IllegalArgumentException.class, () -> Table.withoutTitles(2).row("a"));
  }

  @Test
  void shouldWriteThreeDigitsAndTheUnitThatSuits() {
    assertAll(
        () -> assertEquals("0.00", Units.digits(0)),
        () -> assertEquals("9.99", Units.digits(9.994)),
        () -> assertEquals("10.0", Units.digits(9.996)),
        () -> assertEquals("99.9", Units.digits(99.94)),
        () -> assertEquals("100", Units.digits(99.96)),
        () -> assertEquals("-41.3", Units.digits(-41.31)),
        () -> assertEquals("12346", Units.digits(12345.6)),
        () -> assertEquals("0.00", Units.small(0)),
        () -> assertEquals("0.0240", Units.small(0.02404)),
        () -> assertEquals("0.100", Units.small(0.09996)),
        () -> assertEquals("1.00", Units.small(0.9996)),
        () -> assertEquals("50.0", Units.small(50)),
        () -> assertEquals("999 ns", Units.nanos(999)),
        () -> assertEquals("1.00 us", Units.nanos(999.6)),
        () -> assertEquals("1.50 ms", Units.nanos(1.5e6)),
        () -> assertEquals("2.00 s", Units.nanos(2e9)),
        () -> assertEquals("1 byte", Units.bytes(1)),
        () -> assertEquals("1023 bytes", Units.bytes(1023)),
        () -> assertEquals("1 KiB", Units.bytes(1024)),
        () -> assertEquals("1.50 KiB", Units.bytes(1536)),
        () -> assertEquals("1 MiB", Units.bytes(1 << 20)),
        () -> assertEquals("139 GiB", Units.bytes(139L << 30)),
        () -> assertEquals("0", Units.error(0)),
        () -> assertEquals("1.2e-07", Units.error(1.2e-7)),
        () -> assertEquals("1 task", Units.count(1, "task")),
        () -> assertEquals("0 tasks", Units.count(0, "task")));
  }

  @Test
  void shouldSpeakOfStepsThatTakeLongOnly() throws InterruptedException {
    StringWriter text = new StringWriter();
    try (Progress progress = new Progress(new PrintWriter(text, true), "run", false)) {
      progress.longStep("short");
      progress.longStep("long");
      Thread.sleep(2_800);
    }
    assertEquals("gpuos: run: long, 2 s" + System.lineSeparator(), text.toString());
  }

  @Test
  void shouldWriteTheSameInEveryLocale() {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
      assertEquals("1.50 ms", Units.nanos(1.5e6));
      assertEquals("\"\\u0000\"", Json.of("\0"));
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  void shouldWriteProgressAsLinesAndRewriteOneOnATerminal() {
    assertEquals("gpuos: demo: one\ngpuos: demo: two\n", printed(err -> progress(err, false)));
    assertEquals(
        "\r\u001b[Kgpuos: demo: one\r\u001b[Kgpuos: demo: two\r\u001b[K",
        printed(err -> progress(err, true)));
  }

  @Test
  void shouldKeepDetailsToTerminalsWhileStepsAreShort() {
    assertEquals("", printed(err -> new Progress(err, "demo", false).detail("one")));
    assertEquals(
        "\r\u001b[Kgpuos: demo: one",
        printed(err -> new Progress(err, "demo", true).detail("one")));
  }

  private static void progress(PrintWriter err, boolean terminal) {
    try (Progress progress = new Progress(err, "demo", terminal)) {
      progress.step("one");
      progress.step("two");
    }
  }
}

package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ExpressionException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class MainTest {

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(CommandLine command, String... arguments) {
    return command
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(arguments);
  }

  @Test
  void shouldPrintVersionWithCommitAndJdk() {
    assertEquals(0, execute(Main.commandLine(), "--version"));
    assertTrue(
        out.toString().matches("gpuos \\d+\\.\\d+\\.\\d+\\S* \\(commit \\S+, JDK \\S+\\)\\R"),
        out::toString);
  }

  @Test
  void shouldPrintHelpOnStandardOutput() {
    assertEquals(0, execute(Main.commandLine(), "--help"));
    assertTrue(out.toString().startsWith("Usage: gpuos "), out::toString);
    assertEquals("", err.toString());
  }

  @Test
  void shouldRefuseUnknownCommandsAndOptionsWithExitCodeTwo() {
    assertAll(
        () -> assertEquals(2, execute(Main.commandLine(), "no-such-command")),
        () -> assertEquals(2, execute(Main.commandLine(), "--no-such-option")),
        () -> assertEquals(2, execute(Main.commandLine())));
    assertEquals("", out.toString());
    assertTrue(err.toString().contains("no-such-command"), err::toString);
    assertTrue(err.toString().contains("no command given"), err::toString);
  }

  @Test
  void shouldReportBadInputAsOneLineWithExitCodeTwo() {
    CommandLine command = Main.commandLine();
    command.addSubcommand(
        new Failing(new ExpressionException("unknown function: name=f, expected=ops")));
    assertEquals(2, execute(command, "fail"));
    assertEquals("gpuos: unknown function: name=f, expected=ops\n", err.toString());
  }

  @Test
  void shouldReportDefectsWithStackTraceAndExitCodeOne() {
    CommandLine command = Main.commandLine();
    command.addSubcommand(new Failing(new IllegalStateException("broken")));
    assertEquals(1, execute(command, "fail"));
    assertTrue(err.toString().contains("IllegalStateException: broken"), err::toString);
    assertTrue(err.toString().contains("\tat "), err::toString);
    assertFalse(out.toString().contains("broken"));
  }

  @Command(name = "fail")
  private record Failing(RuntimeException failure) implements Callable<Integer> {
    @Override
    public Integer call() {
      throw failure;
    }
  }
}

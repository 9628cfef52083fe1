package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.CompileException;
import io.gpuos.error.ExpressionException;
import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class MainTest {

  @Test
  void shouldPrintVersionWithCommitAndJdk() {
    Program.Result result = Command.run("--version");
    assertEquals(0, result.exitCode());
    assertTrue(
        result.out().matches("gpuos \\d+\\.\\d+\\.\\d+\\S* \\(commit \\S+, JDK \\S+\\)\\R"),
        result::out);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "run",
        "inject",
        "demo",
        "ops",
        "doctor",
        "bench",
        "bench micro",
        "bench programs"
      })
  void shouldPrintHelpOnStandardOutput(String command) {
    Program.Result result = Command.run((Object[]) (command + " --help").strip().split(" "));
    assertEquals(0, result.exitCode());
    assertTrue(result.out().startsWith(("Usage: gpuos " + command).strip()), result::out);
    assertEquals("", result.err());
  }

  @ParameterizedTest
  @CsvSource({
    "no-such-command, no-such-command, gpuos --help",
    "--no-such-option, --no-such-option, gpuos --help",
    "'', no command given, gpuos --help",
    "run, '--out=FILE', gpuos run --help",
    "inject, FILE, gpuos inject --help",
    "demo --operations ten, 'ten', gpuos demo --help",
    "demo --seed, --seed, gpuos demo --help",
    "ops sum, sum, gpuos ops --help",
    "bench, no benchmark given, gpuos bench --help",
    "bench macro, macro, gpuos bench --help",
    "bench micro --rounds 3, --rounds, gpuos bench micro --help",
  })
  void shouldRefuseMisuseInOneLine(String line, String cause, String remedy) {
    Object[] arguments = line.isEmpty() ? new Object[0] : line.split(" ");
    Program.Result result = Command.run(arguments);
    assertAll(
        () -> assertEquals(2, result.exitCode()),
        () -> assertEquals("", result.out()),
        () -> assertTrue(result.err().matches("gpuos: .*; try: " + remedy + "\\R"), result::err),
        () -> assertTrue(result.err().contains(cause), result::err));
  }

  @ParameterizedTest
  @ValueSource(strings = {"ops", "ops --json", "--help", "--version", "demo --operations 100"})
  void shouldFailWhereResultsCannotBeWritten(String line) throws IOException {
    StringWriter err = new StringWriter();
    try (OutputStream full = new FileOutputStream("/dev/full")) {
      int exitCode =
          Main.execute(
              Main.commandLine().setErr(new PrintWriter(err, true)), full, line.split(" "));
      assertEquals(1, exitCode);
    }
    String last = err.toString().lines().reduce((_, next) -> next).orElse("");
    assertTrue(
        last.matches("gpuos: cannot write: file=standard output, reason=.+, expected=.+"), last);
  }

  @Test
  void shouldReportBadInputAsOneLine() {
    Program.Result result =
        failing(new ExpressionException("unknown function: name=f, expected=ops"));
    assertEquals(2, result.exitCode());
    assertEquals("gpuos: unknown function: name=f, expected=ops\n", result.err());
    assertEquals(
        "gpuos: rule: name=a b, expected=c\n",
        failing(new ExpressionException("rule: name=a\nb, expected=c")).err());
  }

  @Test
  void shouldLeaveOutACompilersLogUnlessAskedForIt() {
    CompileException failure = new CompileException("does not compile: line=1\nlog line");
    Program.Result result = failing(failure);
    assertEquals(2, result.exitCode());
    assertEquals("gpuos: does not compile: line=1\n", result.err());

    Program.Result full = failing(failure, "--debug");
    assertEquals(2, full.exitCode());
    assertTrue(full.err().startsWith("gpuos: does not compile: line=1\n"), full::err);
    assertTrue(full.err().contains("log line"), full::err);
    assertTrue(full.err().contains("\tat "), full::err);
  }

  @Test
  void shouldReportWrongResultsWithExitCodeOne() {
    Program.Result result = failing(new WrongResultException("wrong result: element=1"));
    assertEquals(1, result.exitCode());
    assertEquals("gpuos: wrong result: element=1\n", result.err());
  }

  @Test
  void shouldAskToReportDefects() {
    for (Throwable defect :
        new Throwable[] {new IllegalStateException("broken"), new StackOverflowError("broken")}) {
      Program.Result result = failing(defect);
      assertEquals(3, result.exitCode());
      assertTrue(result.err().startsWith("gpuos: internal error: " + defect), result::err);
      assertTrue(result.err().contains("\tat "), result::err);
      assertTrue(result.err().contains("please report it"), result::err);
      assertFalse(result.out().contains("broken"));
    }
  }

  @Test
  void shouldLogInOneLineOnStandardError() {
    PrintStream before = System.err;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
      System.Logger log = System.getLogger("io.gpuos.test");
      log.log(System.Logger.Level.INFO, "device={0}; {1}", "cpu", 12345);
      log.log(System.Logger.Level.DEBUG, "not shown");
      log.log(System.Logger.Level.WARNING, "odd", new IllegalStateException("why"));
      System.getLogger("jdk.other").log(System.Logger.Level.INFO, "not shown");
    } finally {
      System.setErr(before);
    }
    assertEquals(
        "gpuos: device=cpu; 12,345\ngpuos: warning: odd: java.lang.IllegalStateException: why\n",
        bytes.toString(StandardCharsets.UTF_8));
  }

  private static Program.Result failing(Throwable failure, Object... options) {
    CommandLine command = Main.commandLine();
    command.addSubcommand(new Failing(failure));
    Object[] arguments = new Object[options.length + 1];
    arguments[0] = "fail";
    System.arraycopy(options, 0, arguments, 1, options.length);
    return Command.run(command, arguments);
  }

  @CommandLine.Command(name = "fail")
  private record Failing(Throwable failure) implements Callable<Integer> {
    @Override
    public Integer call() throws Exception {
      if (failure instanceof Error error) {
        throw error;
      }
      throw (Exception) failure;
    }
  }
}

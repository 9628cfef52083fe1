package io.gpuos.cli.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.doctor.ProbeVerdict.Result;
import io.gpuos.device.cuda.LiveVerdicts.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class SelfTestTest {

  private static final Duration LONG = Duration.ofSeconds(100);

  @TempDir private Path directory;

  private static ProbeVerdict shell(String script, Duration limit) {
    return SelfTest.run(List.of("sh", "-c", script), limit);
  }

  /** The process that doctor starts, with the device that every machine has. */
  @Test
  void shouldProbeADeviceInAProcessOfItsOwn() {
    ProbeVerdict verdict = SelfTest.run(SelfTest.command("cpu"), LONG);
    assertEquals(
        new ProbeVerdict(
            Result.PASSED,
            4,
            "plain, tables and slow paths, replaced and rolled back, generations"),
        verdict);
  }

  @Test
  void shouldSayNothingOfADeviceThatIsNotThere() {
    ProbeVerdict verdict = SelfTest.run(SelfTest.command("cuda:4711"), LONG);
    assertEquals(Result.NOT_RUN, verdict.result(), verdict::toString);
    assertFalse(verdict.reason().isEmpty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "plain",
        "says \"so\", in C:\\u0041\\ and $1",
        "b\u00fccher \u2260 \ud83d\ude00\tend",
      })
  void shouldReadWhatTheProbeSays(String reason) {
    var said = new ProbeVerdict(Result.FAILED, 3, reason);
    assertEquals(1, said.line().lines().count());
    assertEquals(Optional.of(said), ProbeVerdict.in("warning: any\n" + said.line() + "\nbye\n"));
  }

  @Test
  void shouldTakeNothingElseForAVerdict() {
    String line = new ProbeVerdict(Result.PASSED, 4, "all").line();
    for (String other :
        List.of(
            "",
            "passed",
            line.replace("passed", "fine"),
            line.replace(": 1,", ": 2,"),
            line + "}")) {
      assertEquals(Optional.empty(), ProbeVerdict.in(other), other);
    }
  }

  @Test
  void shouldFailWithTheLastWordsOfAProcessThatDies() {
    ProbeVerdict verdict = shell("echo first; echo the end >&2; exit 7", LONG);
    assertEquals(
        new ProbeVerdict(
            Result.FAILED,
            0,
            "self-test died: exit_code=7, expected=0 and a verdict; it said last: the end"),
        verdict);
    assertEquals(Result.FAILED, shell("kill -9 $$", LONG).result());
  }

  @Test
  void shouldNotBelieveAVerdictBeforeADeath() {
    String line = new ProbeVerdict(Result.PASSED, 4, "all").line();
    ProbeVerdict verdict = shell("echo '" + line + "'; exit 1", LONG);
    assertEquals(Result.FAILED, verdict.result(), verdict::toString);
  }

  @Test
  void shouldKillAProcessThatHangsAndWhatItStarted() throws Exception {
    Path started = directory.resolve("started");
    long begin = System.nanoTime();
    ProbeVerdict verdict =
        shell("sleep 600 & echo $! > '" + started + "'; echo stuck; wait", Duration.ofSeconds(2));
    assertTrue(System.nanoTime() - begin < 30_000_000_000L);
    assertEquals(
        "self-test killed: seconds=2, expected=an end within them; it said last: stuck",
        verdict.reason());
    assertEquals(Result.FAILED, verdict.result());
    long child = Long.parseLong(Files.readString(started).strip());
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (isRunning(child)) {
      assertTrue(System.nanoTime() - deadline < 0, "still running: pid=" + child);
      Thread.sleep(10);
    }
  }

  /** A process that nobody has waited for yet is a zombie, and does not run. */
  private static boolean isRunning(long pid) {
    try {
      String state = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return state.charAt(state.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException _) {
      return false;
    }
  }

  @Test
  void shouldReadAllThatAProcessSays() {
    String line = new ProbeVerdict(Result.PASSED, 4, "all").line();
    ProbeVerdict verdict = shell("head -c 3000000 /dev/zero; echo; echo '" + line + "'", LONG);
    assertEquals(Result.PASSED, verdict.result(), verdict::toString);
  }

  @Test
  void shouldSayThatThereIsNoSuchProgram() {
    ProbeVerdict verdict = SelfTest.run(List.of("/nowhere/java"), LONG);
    assertEquals(Result.NOT_RUN, verdict.result());
    assertTrue(verdict.reason().startsWith("no process for the self-test: "), verdict::toString);
  }

  @Test
  void shouldKeepVerdictsAndNothingElse() {
    List<Verdict> kept = new ArrayList<>();
    for (Result result : Result.values()) {
      String line = new ProbeVerdict(result, 1, "why").line();
      DoctorReport.SelfTest test =
          Doctor.selfTest("cuda:0", List.of("echo", line), LONG, kept::add);
      assertEquals(result, test.result());
      assertEquals(result != Result.NOT_RUN, test.kept());
    }
    assertEquals(List.of(true, false), kept.stream().map(Verdict::passed).toList());
    assertEquals("why", kept.getFirst().reason());
  }

  /** What only a CUDA device runs must at least be accepted there. */
  @Test
  void shouldCompileTheOperatorWithAStack() {
    assertTrue(ProbeChecks.STACK.compile("sm_90").length > 0);
  }
}

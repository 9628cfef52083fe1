package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Searches every interleaving of {@code models/lease.pml}, the lease's protocol, with Spin: as it
 * is, nothing hangs and every task runs once and in order; with any one step left out, something
 * does hang. Skipped where {@code spin} or {@code gcc} is missing.
 */
@Timeout(300)
class LeaseModelTest {

  private static final Path MODEL = Path.of("src/test/models/lease.pml").toAbsolutePath();

  @TempDir private Path folder;

  @BeforeAll
  static void requireSpin() {
    for (String program : List.of("spin", "gcc")) {
      assumeTrue(isInstalled(program), "not installed: " + program);
    }
  }

  private static boolean isInstalled(String program) {
    for (String entry : System.getenv("PATH").split(":")) {
      if (Files.isExecutable(Path.of(entry, program))) {
        return true;
      }
    }
    return false;
  }

  /** The handshake alone, and with all that happens around it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "PRODUCERS=1",
        "PRODUCERS=2 TASKS=2",
        "PRODUCERS=1 KEEPER STOP_NOW DEPENDENT",
        "PRODUCERS=1 TASKS=2 STOPS=1 LOADER",
        "PRODUCERS=1 TASKS=2 STOPS=1 KEEPER LOADER DEPENDENT"
      })
  void shouldLoseNothing(String parts) throws IOException, InterruptedException {
    assertEquals("nothing hangs", search(parts, "-O1"));
  }

  /** Without the keeper: the fences and the second look suffice when workers leave idle. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "NO_HOST_FENCE",
        "NO_KERNEL_FENCE",
        "NO_SECOND_LOOK",
        "NO_LOOK_FENCE",
        "DROP_CLAIM",
        // Workers that leave with work outstanding need a keeper.
        "STOP_NOW",
        "DEPENDENT",
        // A worker that waits for a task must leave when asked: another that has left may hold it.
        "KEEPER DEPENDENT HOLD_ON",
        "KEEPER STOP_NOW DEPENDENT DROP_CLAIM",
        "TASKS=2 STOPS=1 KEEPER LOADER NO_RELEASE_WAKE"
      })
  void shouldHangWithoutAnyOneStep(String parts) throws IOException, InterruptedException {
    assertEquals("hangs", search("PRODUCERS=1 " + parts, "-O0"));
  }

  private String search(String parts, String optimization)
      throws IOException, InterruptedException {
    List<String> spin = new ArrayList<>(List.of("spin", "-a"));
    for (String part : parts.split(" ")) {
      spin.add("-D" + part);
    }
    spin.add(MODEL.toString());
    run(spin);
    run(List.of("gcc", optimization, "-w", "-DCOLLAPSE", "-DSAFETY", "-o", "pan", "pan.c"));
    String report = run(List.of("./pan"));
    if (report.contains("error: max search depth too small") || !report.contains("errors: ")) {
      throw new AssertionError(report);
    }
    if (report.contains("errors: 0")) {
      return "nothing hangs";
    }
    return report.contains("invalid end state") ? "hangs" : report;
  }

  private String run(List<String> command) throws IOException, InterruptedException {
    Path output = folder.resolve("output");
    Process process =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      if (!process.waitFor(200, TimeUnit.SECONDS)) {
        throw new AssertionError("no end within 200 s: " + command);
      }
    } finally {
      process.destroyForcibly();
    }
    String text = Files.readString(output);
    assertEquals(0, process.exitValue(), () -> command + ":\n" + text);
    return text;
  }
}

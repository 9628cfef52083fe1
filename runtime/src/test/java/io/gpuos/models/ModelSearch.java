package io.gpuos.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Searches all states of one model of {@code src/test/models}. Not for several threads. */
final class ModelSearch {

  /** What a search found. */
  enum Outcome {
    /** Every state was seen, and no claim is broken in any. */
    HOLDS,
    /** A state in which somebody waits for ever. */
    HANGS,
    /** A state in which an assertion fails. */
    BREAKS
  }

  private static final Path MODELS = Path.of("src/test/models").toAbsolutePath();
  private static final List<String> PROGRAMS = List.of("spin", "gcc");
  private static final int LIMIT_SECONDS = 200;

  private final Path model;
  private final Path folder;

  /**
   * Skips the test that asks if a program is missing.
   *
   * @param model its file's name
   * @param folder for what is generated; overwritten by each search
   */
  ModelSearch(String model, Path folder) {
    for (String program : PROGRAMS) {
      assumeTrue(isInstalled(program), "not installed: " + program);
    }
    this.model = MODELS.resolve(model);
    this.folder = folder;
  }

  private static boolean isInstalled(String program) {
    for (String entry : System.getenv("PATH").split(":")) {
      if (Files.isExecutable(Path.of(entry, program))) {
        return true;
      }
    }
    return false;
  }

  /**
   * Every state is seen, and every claim holds in each.
   *
   * @param parts names to define, with or without a value, separated by spaces; may be empty
   */
  void assertHolds(String parts) throws IOException, InterruptedException {
    assertEquals(Outcome.HOLDS, search(parts, "-O1"));
  }

  /** Some state breaks a claim in the way that {@code expected} says. */
  void assertFails(Outcome expected, String parts) throws IOException, InterruptedException {
    // The search is short: compiling takes longer.
    assertEquals(expected, search(parts, "-O0"));
  }

  private Outcome search(String parts, String optimization)
      throws IOException, InterruptedException {
    List<String> spin = new ArrayList<>(List.of("spin", "-a"));
    if (!parts.isEmpty()) {
      for (String part : parts.split(" ")) {
        spin.add("-D" + part);
      }
    }
    spin.add(model.toString());
    run(spin);
    run(List.of("gcc", optimization, "-w", "-DCOLLAPSE", "-DSAFETY", "-o", "pan", "pan.c"));
    return outcome(run(List.of("./pan", "-w22")));
  }

  private static Outcome outcome(String report) {
    if (!report.contains("max search depth too small")) {
      if (report.contains("errors: 0")) {
        return Outcome.HOLDS;
      }
      if (report.contains("pan:1: invalid end state")) {
        return Outcome.HANGS;
      }
      if (report.contains("pan:1: assertion violated")) {
        return Outcome.BREAKS;
      }
    }
    throw new AssertionError(report);
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
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("no end within " + LIMIT_SECONDS + " s: " + command);
      }
    } finally {
      process.destroyForcibly();
    }
    String text = Files.readString(output);
    assertEquals(0, process.exitValue(), () -> command + ":\n" + text);
    return text;
  }
}

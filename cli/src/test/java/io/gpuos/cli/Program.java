package io.gpuos.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** A program run by a test, as a user's shell would: given environment only, no standard input. */
final class Program {

  /** What a finished program left. */
  record Result(int exitCode, String out, String err) {}

  private final Path directory;
  private final Map<String, String> environment = new TreeMap<>();

  /** Runs in {@code directory} with an empty environment. */
  Program(Path directory) {
    this.directory = directory;
  }

  Program with(String variable, String value) {
    environment.put(variable, value);
    return this;
  }

  /** Runs to the end; fails after five minutes. */
  Result run(Object... command) throws IOException, InterruptedException {
    return start(command).await();
  }

  Running start(Object... command) throws IOException {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    Path out = Files.createTempFile("program", ".out");
    Path err = Files.createTempFile("program", ".err");
    ProcessBuilder builder =
        new ProcessBuilder(words)
            .directory(directory.toFile())
            .redirectInput(Path.of("/dev/null").toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    return new Running(builder.start(), out, err);
  }

  /** A program that was started. */
  record Running(Process process, Path out, Path err) {

    Result await() throws IOException, InterruptedException {
      try {
        if (!process.waitFor(5, TimeUnit.MINUTES)) {
          process.destroyForcibly();
          throw new AssertionError("still running: " + process.info().commandLine());
        }
        return new Result(process.exitValue(), read(out), read(err));
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    }

    private static String read(Path file) throws IOException {
      return Files.readString(file, StandardCharsets.UTF_8);
    }
  }
}

package io.gpuos.cli;

import io.gpuos.cli.bench.PaperReport;
import io.gpuos.cli.text.Json;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.Messages;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * {@code python -m gpuos.bench}, run as a process: found, told of the Java column, and waited for.
 */
final class PythonBenchmark {

  private static final int PATIENCE_SECONDS = 180;

  private final PaperOptions options;
  private final String command;
  private final String reason;

  private PythonBenchmark(PaperOptions options, String command, String reason) {
    this.options = options;
    this.command = command;
    this.reason = reason;
  }

  /**
   * The first Python that has PyTorch and this package; if there is none, {@link #reason} says why.
   */
  static PythonBenchmark find(PaperOptions options) {
    List<String> candidates =
        options.python() != null ? List.of(options.python()) : List.of("python3", "python");
    String first = null;
    for (String candidate : candidates) {
      String missing = missing(candidate, options);
      if (missing == null) {
        return new PythonBenchmark(options, candidate, null);
      }
      first = first == null ? candidate + ": " + missing : first;
    }
    return new PythonBenchmark(
        options,
        null,
        "no Python with PyTorch and gpuos: found=%s, expected=one; name it with --python"
            .formatted(first));
  }

  /**
   * What a Python does not have, or null. It is asked for the list of tables, so that it also says
   * at once if it does not know one.
   */
  private static String missing(String python, PaperOptions options) {
    List<String> words = new ArrayList<>(List.of(python, "-m", "gpuos.bench", "--list"));
    options.only().forEach(table -> words.add("--only=" + table));
    words.add("--device=cpu");
    try {
      Process process = builder(words).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return "no answer";
      }
      List<String> lines = said.lines().filter(line -> !line.isBlank()).toList();
      if (process.exitValue() == Main.EXIT_INVALID && !lines.isEmpty()) {
        throw new InvalidInputException(lines.getLast());
      }
      return process.exitValue() == 0 ? null : lines.isEmpty() ? "it fails" : lines.getLast();
    } catch (IOException e) {
      return Messages.line(e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "interrupted";
    }
  }

  /** In a checkout the package is its own; elsewhere it is the installed one. */
  private static ProcessBuilder builder(List<String> words) {
    ProcessBuilder builder = new ProcessBuilder(words);
    String checkout = System.getProperty("gpuos.checkout");
    if (checkout != null) {
      String old = builder.environment().get("PYTHONPATH");
      String sources = Path.of(checkout, "python", "src").toString();
      builder.environment().put("PYTHONPATH", old == null ? sources : sources + ":" + old);
    }
    return builder;
  }

  boolean isThere() {
    return command != null;
  }

  String reason() {
    return reason;
  }

  /**
   * Runs it on a device, beside the Java column, and passes on what it prints.
   *
   * @return its exit code
   */
  int run(PaperReport java, String device) {
    try {
      Path file = Files.createTempFile("gpuos-paper-", ".json");
      try {
        Files.writeString(file, Json.of(java));
        List<String> words = new ArrayList<>(List.of(command, "-m", "gpuos.bench"));
        words.addAll(List.of("--java=" + file, "--device=" + device));
        words.addAll(options.forPython());
        return run(words);
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private int run(List<String> words) throws IOException {
    Process process =
        builder(words).redirectInput(Redirect.INHERIT).redirectError(Redirect.INHERIT).start();
    // Ctrl-C reaches both. Python keeps what it has done; this process waits for that.
    Thread wait = new Thread(() -> await(process));
    Runtime.getRuntime().addShutdownHook(wait);
    try (Reader said = process.inputReader(StandardCharsets.UTF_8)) {
      said.transferTo(options.out());
      options.out().flush();
      int code = process.waitFor();
      if (code == Main.EXIT_INVALID) {
        throw new InvalidInputException("python -m gpuos.bench refuses its options: see above");
      }
      return code;
    } catch (InterruptedException _) {
      process.destroy();
      throw new InterruptedIOException("interrupted while Python measures");
    } finally {
      removeHook(wait);
    }
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException _) {
      // The process is ending already, and the hook runs.
    }
  }

  private static void await(Process process) {
    try {
      process.waitFor(1, TimeUnit.MINUTES);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.gpuos.cli.doctor;

import io.gpuos.cli.doctor.ProbeVerdict.Result;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Runs {@link Probe} in a process of its own, since code that does not work there may lose the GPU
 * for its process, or never return.
 */
final class SelfTest {

  /** Far more than compiling and running the checks takes with an empty cache. */
  static final Duration LIMIT = Duration.ofSeconds(180);

  /** Of what the process prints, enough to find the verdict or the last words in. */
  private static final int MOST_OUTPUT = 1 << 20;

  private static final int MOST_WORDS = 300;
  private static final Duration END_WAIT = Duration.ofSeconds(5);

  private SelfTest() {}

  /**
   * The command that probes {@code device}: this Java runtime with this module path or class path,
   * and this process's {@code gpuos.} properties.
   */
  static List<String> command(String device) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:+UseSerialGC");
    command.add("-XX:-UsePerfData");
    System.getProperties().stringPropertyNames().stream()
        .filter(name -> name.startsWith("gpuos."))
        .sorted()
        .forEach(name -> command.add("-D" + name + "=" + System.getProperty(name)));
    Module module = Probe.class.getModule();
    if (module.isNamed()) {
      String path = System.getProperty("jdk.module.path");
      // A runtime image that holds the modules has no path.
      if (path != null) {
        command.add("--module-path=" + path);
      }
      command.add("--enable-native-access=io.gpuos");
      command.add("--module=" + module.getName() + "/" + Probe.class.getName());
    } else {
      command.add("--enable-native-access=ALL-UNNAMED");
      command.add("--class-path=" + System.getProperty("java.class.path"));
      command.add(Probe.class.getName());
    }
    command.add(device);
    return command;
  }

  /**
   * Runs a command and reads its verdict. A process that ends without one, or does not end within
   * {@code limit}, has failed; in the latter case it is killed with all it started.
   */
  static ProbeVerdict run(List<String> command, Duration limit) {
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
    } catch (IOException e) {
      return new ProbeVerdict(Result.NOT_RUN, 0, "no process for the self-test: " + e.getMessage());
    }
    Output output = new Output(process.getInputStream());
    boolean ended = false;
    try {
      ended = process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException _) {
      kill(process);
      Thread.currentThread().interrupt();
      return new ProbeVerdict(Result.NOT_RUN, 0, "self-test interrupted");
    }
    if (!ended) {
      kill(process);
      return failed(
          String.format(
              Locale.ROOT,
              "self-test killed: seconds=%d, expected=an end within them",
              limit.toSeconds()),
          output.text());
    }
    String text = output.text();
    return ProbeVerdict.in(text)
        .filter(verdict -> process.exitValue() == 0)
        .orElseGet(
            () ->
                failed(
                    String.format(
                        Locale.ROOT,
                        "self-test died: exit_code=%d, expected=0 and a verdict",
                        process.exitValue()),
                    text));
  }

  private static ProbeVerdict failed(String what, String output) {
    String last = output.lines().filter(line -> !line.isBlank()).reduce("", (_, line) -> line);
    String words = last.length() > MOST_WORDS ? last.substring(0, MOST_WORDS) : last;
    return new ProbeVerdict(
        Result.FAILED, 0, words.isEmpty() ? what : what + "; it said last: " + words.strip());
  }

  private static void kill(Process process) {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  /** Reads what a process prints, so that it never waits for a reader. */
  private static final class Output {

    private final StringBuilder text = new StringBuilder();
    private final Thread reader;

    Output(InputStream in) {
      reader = Thread.ofPlatform().daemon().name("self-test-output").start(() -> read(in));
    }

    private void read(InputStream in) {
      byte[] buffer = new byte[8192];
      try (in) {
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
          append(new String(buffer, 0, count, StandardCharsets.ISO_8859_1));
        }
      } catch (IOException _) {
        // The process was killed; what it said before is what there is.
      }
    }

    private synchronized void append(String read) {
      text.append(read);
      text.delete(0, Math.max(0, text.length() - MOST_OUTPUT));
    }

    /** All of it, or what came until now if somebody else keeps the pipe open. */
    String text() {
      try {
        reader.join(END_WAIT);
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
      synchronized (this) {
        return text.toString();
      }
    }
  }
}

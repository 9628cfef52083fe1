package io.gpuos.cli.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What Linux says about the computer; elsewhere {@code unknown} or -1. */
final class Machine {

  private Machine() {}

  /** The processor's model. */
  static String processor() {
    return field("/proc/cpuinfo", "model name");
  }

  /** Bytes of main memory. */
  static long memory() {
    String kilobytes = field("/proc/meminfo", "MemTotal").replace(" kB", "");
    return kilobytes.matches("\\d+") ? Long.parseLong(kilobytes) * 1024 : -1;
  }

  /** Runnable threads, on average over the last minute. */
  static double load() {
    String first = read("/proc/loadavg").split(" ", 2)[0];
    return first.matches("[0-9.]+") ? Double.parseDouble(first) : -1;
  }

  /** Value of the first line {@code name: value} of a file. */
  private static String field(String file, String name) {
    return read(file)
        .lines()
        .filter(line -> line.startsWith(name))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst()
        .orElse("unknown");
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException _) {
      return "";
    }
  }
}

package io.gpuos.driver;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the compiler's log. */
final class CompileLog {

  /** {@code op.cu(12): error: text}, also {@code error #20-D:} and {@code catastrophic error:}. */
  private static final Pattern ERROR =
      Pattern.compile(
          "^(?<file>.*)\\((?<line>\\d+)\\):\\s*"
              + "(?:catastrophic )?error(?:\\s+#\\S+)?:\\s*(?<text>.*)$",
          Pattern.MULTILINE);

  private CompileLog() {}

  /**
   * Message of a failed compile: one line with the first error, then the log.
   *
   * @param name of the source
   * @param result what kind of failure the compiler reports
   */
  static String message(String name, String result, List<String> options, String log) {
    Matcher error = ERROR.matcher(log);
    String where =
        error.find()
            ? "file=%s, line=%s, error=%s"
                .formatted(error.group("file"), error.group("line"), error.group("text"))
            : "file=%s, error=%s".formatted(name, firstLine(log, result));
    return "source does not compile: %s, result=%s, options=%s, expected=CUDA C++%s"
        .formatted(where, result, options, log.isEmpty() ? "" : "\n" + log);
  }

  private static String firstLine(String log, String otherwise) {
    return log.lines().filter(line -> !line.isBlank()).findFirst().orElse(otherwise);
  }
}

package io.gpuos.cli.doctor;

import io.gpuos.cli.text.Json;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * What the probe says in the end: one line of JSON on standard output, such as
 *
 * <pre>
 * {"probe": 1, "result": "passed", "checks": 5, "reason": "plain, stack"}
 * </pre>
 *
 * <p>Both ends are the same build, so the form is fixed; {@code probe} is its version.
 *
 * @param checks that passed
 * @param reason one line: names of the checks, or what failed
 */
public record ProbeVerdict(Result result, int checks, String reason) {

  private static final Pattern LINE =
      Pattern.compile(
          "\\{\"probe\": 1, \"result\": \"(passed|failed|not_run)\", \"checks\": (\\d{1,6}),"
              + " \"reason\": \"((?:[^\"\\\\]|\\\\.)*)\"\\}");
  private static final Pattern ESCAPE = Pattern.compile("\\\\(?:u([0-9a-f]{4})|(.))");

  /** Outcome of a self-test. */
  public enum Result {
    /** Every check passed. */
    PASSED,
    /** A check failed, or the probe did not come to an end. */
    FAILED,
    /** Nothing can be said: the probe did not come as far as its first check. */
    NOT_RUN
  }

  public ProbeVerdict {
    reason = reason.lines().findFirst().orElse("");
  }

  /** The line, without its end. */
  String line() {
    return String.format(
        Locale.ROOT,
        "{\"probe\": 1, \"result\": \"%s\", \"checks\": %d, \"reason\": %s}",
        result.name().toLowerCase(Locale.ROOT),
        checks,
        Json.of(reason));
  }

  /** The verdict in what a process printed: the last line that is one. */
  static Optional<ProbeVerdict> in(String output) {
    return output
        .lines()
        .map(line -> LINE.matcher(line.strip()))
        .filter(matcher -> matcher.matches())
        .map(
            matcher ->
                new ProbeVerdict(
                    Result.valueOf(matcher.group(1).toUpperCase(Locale.ROOT)),
                    Integer.parseInt(matcher.group(2)),
                    unescaped(matcher.group(3))))
        .reduce((_, last) -> last);
  }

  private static String unescaped(String text) {
    return ESCAPE
        .matcher(text)
        .replaceAll(found -> java.util.regex.Matcher.quoteReplacement(character(found)));
  }

  private static String character(MatchResult escape) {
    if (escape.group(1) != null) {
      return String.valueOf((char) Integer.parseInt(escape.group(1), 16));
    }
    return switch (escape.group(2)) {
      case "n" -> "\n";
      case "t" -> "\t";
      default -> escape.group(2);
    };
  }
}

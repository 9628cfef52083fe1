package io.gpuos.readme;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The README's Java example is {@link ReadmeExample}, and it prints what its comments say. */
class ReadmeTest {

  private static final Path README = Path.of("../README.md");
  private static final Path EXAMPLE = Path.of("src/test/java/io/gpuos/readme/ReadmeExample.java");

  /** What a line that prints says it prints. */
  private static final Pattern PRINTED = Pattern.compile("System\\.out\\.println.*; // (.*)");

  @Test
  void shouldShowTheExampleThatRuns() throws IOException {
    String source = between(EXAMPLE, "// example: begin\n", "// example: end\n");
    String shown =
        between(README, "<!-- example: begin -->\n```java\n", "```\n<!-- example: end -->\n");
    assertEquals(source, shown, "copy the example from " + EXAMPLE + " to the README");
  }

  @Test
  void shouldPrintWhatTheExampleSays() throws IOException {
    List<String> said =
        PRINTED.matcher(Files.readString(EXAMPLE)).results().map(m -> m.group(1)).toList();
    assertEquals(5, said.size(), "lines that print");
    assertEquals(said, printed().lines().toList());
  }

  private static String between(Path file, String begin, String end) throws IOException {
    String text = Files.readString(file);
    int from = text.indexOf(begin);
    assertTrue(from >= 0, () -> "marker missing: file=" + file + ", expected=" + begin);
    int to = text.indexOf(end, from);
    assertTrue(to >= 0, () -> "marker missing: file=" + file + ", expected=" + end);
    return text.substring(from + begin.length(), to);
  }

  private static String printed() {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      ReadmeExample.main(new String[0]);
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}

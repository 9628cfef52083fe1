package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/aten.md} is rendered from the table. Run with {@code -Dgpuos.golden.update=true} to
 * rewrite it, and look at the difference.
 */
class AtenPageTest {

  private static final Path PAGE = Path.of("../docs/aten.md");

  @Test
  void shouldEqualTheTable() throws IOException {
    String rendered = AtenPage.render();
    if (Boolean.getBoolean("gpuos.golden.update")) {
      Files.writeString(PAGE, rendered);
    }
    assertEquals(
        Files.readString(PAGE),
        rendered,
        "operators changed: run with -Dgpuos.golden.update=true and look at the difference");
  }
}

package io.gpuos.abi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/**
 * The rendered header against the golden file, which readers of the device code look at. Run with
 * {@code -Dgpuos.golden.update=true} to rewrite it, and look at the difference.
 */
class CudaHeaderTest {

  private static final Path GOLDEN = Path.of("src/test/resources/golden", CudaHeader.NAME);

  @Test
  void shouldEqualTheGoldenFile() throws IOException {
    String header = CudaHeader.render();
    if (Boolean.getBoolean("gpuos.golden.update")) {
      Files.createDirectories(GOLDEN.getParent());
      Files.writeString(GOLDEN, header);
    }
    assertEquals(
        Files.readString(GOLDEN),
        header,
        "shared records changed: raise CudaHeader.ABI_VERSION and run with"
            + " -Dgpuos.golden.update=true");
  }

  @Test
  void shouldRenderTheSameTextEveryTime() {
    assertEquals(CudaHeader.render(), CudaHeader.render());
  }

  @Test
  void shouldAssertSizeAndEveryOffsetOfEveryRecord() {
    String header = CudaHeader.render();
    for (Record record : RecordTest.all()) {
      assertTrue(
          header.contains(
              String.format(Locale.ROOT, "sizeof(%s) == %d", record.name(), record.bytes())));
      for (Field field : record.fields()) {
        String assertion =
            String.format(
                Locale.ROOT, "(%s, %s) == %d,", record.name(), field.name(), field.offset());
        assertTrue(header.contains(assertion), assertion);
      }
    }
  }

  @Test
  void shouldSayOfEveryWordWhoWritesItAndHow() {
    for (Record record : RecordTest.all()) {
      for (Field field : record.fields()) {
        String line = CudaHeader.render().lines().filter(l -> declares(l, field)).findFirst().get();
        assertTrue(line.contains(field.unit() + "; "), line);
        assertTrue(line.contains(field.order().text() + ": " + field.meaning()), line);
      }
    }
  }

  private static boolean declares(String line, Field field) {
    String words = "  " + field.type().c() + " " + field.name();
    return line.startsWith(words + ";") || line.startsWith(words + "[");
  }
}

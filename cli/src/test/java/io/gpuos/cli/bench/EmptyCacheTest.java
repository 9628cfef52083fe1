package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.CudaOperator;
import io.gpuos.device.Injections;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class EmptyCacheTest {

  private static final CudaOperator TWICE =
      CudaOperator.of(
          "twice", "__device__ float twice(float x) { return x + x; }", "f32 twice(f32 x)");

  @Test
  void shouldBeEmptyAgainForTheSameOperator() throws IOException {
    String before = System.getProperty("gpuos.cache");
    Path first;
    try (EmptyCache cache = EmptyCache.use()) {
      first = cache.folder();
      cache.requireUsed();
      assertEquals(0, entries(first));
      TWICE.compile("sm_90");
      assertTrue(entries(first) > 0, "what is compiled lies in this cache");
    }
    assertEquals(before, System.getProperty("gpuos.cache"));
    assertFalse(Files.exists(first));
    try (EmptyCache cache = EmptyCache.use()) {
      assertNotEquals(first, cache.folder());
      assertEquals(0, entries(cache.folder()));
    }
  }

  private static long entries(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).count();
    }
  }

  @Test
  void shouldTellThatAnotherCacheIsUsed() {
    try (EmptyCache outer = EmptyCache.use()) {
      EmptyCache inner = EmptyCache.use();
      assertThrows(WrongResult.class, outer::requireUsed);
      inner.close();
      outer.requireUsed();
    }
  }

  @Test
  void shouldNotMeasureWhatStaysInterpreted() {
    Injections injections = new Injections();
    InjectBenchmark.requireCompiled(injections);
    injections.add(new Injections.Failure("exp", "registers"));
    WrongResult refusal =
        assertThrows(WrongResult.class, () -> InjectBenchmark.requireCompiled(injections));
    assertTrue(refusal.getMessage().contains("operator=exp, reason=registers"));
  }
}

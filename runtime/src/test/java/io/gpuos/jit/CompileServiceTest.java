package io.gpuos.jit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ClosedException;
import io.gpuos.error.CompileException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class CompileServiceTest {

  @TempDir Path temp;

  private final AtomicInteger compiled = new AtomicInteger();
  private final AtomicInteger running = new AtomicInteger();
  private final AtomicInteger mostRunning = new AtomicInteger();
  private final CountDownLatch gate = new CountDownLatch(1);
  private String version = "1";

  private static CompileRequest request(String source) {
    return new CompileRequest(source, Map.of("h", "1"), List.of("-a"), "sm_90");
  }

  private DiskCache cache() {
    return DiskCache.open(temp.resolve("cache"), 1 << 20);
  }

  private static DiskCache noCache() {
    return DiskCache.open(Path.of("/proc/self/gpuos"), 1 << 20);
  }

  private CompileService service(DiskCache cache) {
    var compiler =
        new CompileService.Compiler() {
          @Override
          public String version() {
            return version;
          }

          @Override
          public byte[] compile(CompileRequest request) {
            return CompileServiceTest.this.compile(request);
          }
        };
    return new CompileService(compiler, List.of("abi 1"), cache);
  }

  /** Waits at the gate, then answers with the source itself. */
  private byte[] compile(CompileRequest request) {
    mostRunning.accumulateAndGet(running.incrementAndGet(), Math::max);
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    } finally {
      running.decrementAndGet();
    }
    compiled.incrementAndGet();
    if (request.source().startsWith("bad")) {
      throw new CompileException("refused: " + request.source());
    }
    return request.source().getBytes(StandardCharsets.UTF_8);
  }

  /** Code is handed on before it is on disk. */
  private static void compileAndStore(CompileService service, String source) {
    service.compile(request(source)).join();
    awaitIdle(service);
  }

  private static void awaitIdle(CompileService service) {
    while (!service.isIdle()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void shouldCompileEqualRequestsOnce() {
    try (CompileService service = service(cache())) {
      List<CompletableFuture<byte[]>> futures = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        futures.add(service.compile(request(i % 2 == 0 ? "even" : "odd")));
      }
      futures.get(2).cancel(true);
      gate.countDown();
      byte[] first = futures.get(0).join();
      assertArrayEquals("even".getBytes(StandardCharsets.UTF_8), first);
      assertArrayEquals(first, futures.get(4).join());
      assertNotSame(first, futures.get(4).join());
      assertArrayEquals("odd".getBytes(StandardCharsets.UTF_8), futures.get(1).join());
      assertEquals(2, compiled.get());
      CompileService.Counters counters = service.counters();
      assertEquals(
          List.of(0L, 2L, 18L), List.of(counters.hits(), counters.misses(), counters.shared()));
      assertTrue(counters.compileNanos() > 0);
    }
  }

  @Test
  void shouldAnswerFromDiskLater() {
    gate.countDown();
    try (CompileService service = service(cache())) {
      compileAndStore(service, "x");
      compileAndStore(service, "x");
      assertEquals(1, service.counters().hits());
    }
    try (CompileService service = service(cache())) {
      assertArrayEquals("x".getBytes(StandardCharsets.UTF_8), service.compile(request("x")).join());
      assertEquals(1, compiled.get());
    }
    version = "2";
    try (CompileService service = service(cache())) {
      compileAndStore(service, "x");
      assertEquals(2, compiled.get());
    }
  }

  @Test
  void shouldCompileAgainWhenTheEntryIsDamaged() throws Exception {
    gate.countDown();
    try (CompileService service = service(cache())) {
      compileAndStore(service, "x");
      try (Stream<Path> files = Files.list(temp.resolve("cache/cubin"))) {
        Path file = files.findFirst().orElseThrow();
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
      }
      assertArrayEquals("x".getBytes(StandardCharsets.UTF_8), service.compile(request("x")).join());
      assertEquals(2, compiled.get());
      assertEquals(1, service.cache().status().damaged());
      compileAndStore(service, "x");
      assertEquals(2, compiled.get());
    }
  }

  @Test
  void shouldWorkWithoutADisk() {
    gate.countDown();
    try (CompileService service = service(noCache())) {
      compileAndStore(service, "x");
      compileAndStore(service, "x");
      assertEquals(2, service.counters().misses());
    }
  }

  @Test
  void shouldPassErrorsOnAndNotKeepThem() {
    gate.countDown();
    try (CompileService service = service(cache())) {
      for (int i = 1; i <= 2; i++) {
        var e =
            assertThrows(CompletionException.class, () -> service.compile(request("bad")).join());
        assertInstanceOf(CompileException.class, e.getCause());
        assertEquals(i, compiled.get());
      }
      assertEquals(2, service.counters().failures());
    }
  }

  @Test
  void shouldBoundItsThreads() {
    try (CompileService service = service(cache())) {
      List<CompletableFuture<byte[]>> futures =
          Stream.iterate(0, i -> i + 1)
              .limit(8)
              .map(i -> service.compile(request("s" + i)))
              .toList();
      gate.countDown();
      futures.forEach(CompletableFuture::join);
      assertTrue(mostRunning.get() <= 2, mostRunning::toString);
      assertEquals(8, compiled.get());
    }
  }

  @Test
  void shouldEndWaitingRequestsWhenClosed() {
    CompileService service = service(noCache());
    List<CompletableFuture<byte[]>> futures =
        Stream.of("a", "b", "c", "d").map(s -> service.compile(request(s))).toList();
    service.close();
    service.close();
    for (CompletableFuture<byte[]> future : futures) {
      var e = assertThrows(CompletionException.class, future::join);
      assertInstanceOf(ClosedException.class, e.getCause());
    }
    var e = assertThrows(CompletionException.class, () -> service.compile(request("e")).join());
    assertInstanceOf(ClosedException.class, e.getCause());
    gate.countDown();
  }

  @Test
  void shouldTellAllThatDecidesOverTheCodeApart() {
    List<String> environment = List.of("driver 13000", "abi 1");
    var base =
        new CompileRequest("n", "s", Map.of("h", "1", "i", "2"), List.of("-a", "-b"), "sm_90");
    var same =
        new CompileRequest("n", "s", Map.of("i", "2", "h", "1"), List.of("-a", "-b"), "sm_90");
    CacheKey key = base.key("c", environment);
    assertEquals(key, same.key("c", environment));
    Stream.of(
            new CompileRequest("m", "s", base.headers(), base.options(), "sm_90"),
            new CompileRequest("n", "t", base.headers(), base.options(), "sm_90"),
            new CompileRequest("n", "s", Map.of("h", "2", "i", "1"), base.options(), "sm_90"),
            new CompileRequest("n", "s", Map.of("h", "1"), base.options(), "sm_90"),
            new CompileRequest("n", "s", base.headers(), List.of("-b", "-a"), "sm_90"),
            new CompileRequest("n", "s", base.headers(), List.of("-a-b"), "sm_90"),
            new CompileRequest("n", "s", base.headers(), base.options(), "sm_100"))
        .forEach(other -> assertNotEquals(key, other.key("c", environment), other::toString));
    assertNotEquals(key, base.key("c", List.of("driver 13010", "abi 1")));
    assertNotEquals(key, base.key("c", List.of("driver 13000", "abi 2")));
    assertNotEquals(key, base.key("d", environment));
    assertNotEquals(CacheKey.of(List.of("ab", "c")), CacheKey.of(List.of("a", "bc")));
  }

  @Test
  void shouldCompileForRealAndKeepTheResult() {
    String source = "#include \"k.h\"\nextern \"C\" __global__ void k(float* x) { *x = K; }";
    var request =
        new CompileRequest(
            source, Map.of("k.h", "#define K 2.0f"), List.of("--std=c++17"), "sm_90");
    try (var service = new CompileService(new NvrtcCompiler(), List.of(), cache())) {
      byte[] cubin = service.compile(request).join();
      assertEquals("\u007fELF", new String(cubin, 0, 4, StandardCharsets.ISO_8859_1));
      awaitIdle(service);
      assertArrayEquals(cubin, service.compile(request).join());
      assertEquals(1, service.counters().hits());
      var broken = new CompileRequest("int f() { return x; }", Map.of(), List.of(), "sm_90");
      var e = assertThrows(CompletionException.class, () -> service.compile(broken).join());
      assertTrue(e.getCause().getMessage().contains("file=operator.cu, line=1"));
      assertFalse(service.counters().compileNanos() == 0);
    }
  }
}

package io.gpuos.jit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskCacheTest {

  private static final long LIMIT = 1 << 20;

  @TempDir Path temp;

  private DiskCache open() {
    return DiskCache.open(temp.resolve("cache"), LIMIT);
  }

  private Path folder() {
    return temp.resolve("cache/cubin");
  }

  private static CacheKey key(String text) {
    return CacheKey.of(List.of(text));
  }

  private static byte[] payload(int seed, int size) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder())) {
      return files.toList();
    }
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void shouldGiveBackWhatWasPutAlsoToAnotherProcess() {
    DiskCache cache = open();
    assertEquals(Optional.empty(), cache.get(key("a")));
    cache.put(key("a"), payload(1, 1000));
    cache.put(key("empty"), new byte[0]);
    for (DiskCache reader : List.of(cache, open())) {
      assertArrayEquals(payload(1, 1000), reader.get(key("a")).orElseThrow());
      assertArrayEquals(new byte[0], reader.get(key("empty")).orElseThrow());
      assertEquals(Optional.empty(), reader.get(key("b")));
    }
    DiskCache.Status status = cache.status();
    assertEquals(Optional.of(folder()), status.folder());
    assertEquals(List.of(2L, 2L, 2L), List.of(status.entries(), status.hits(), status.misses()));
    assertEquals(2L * EntryFormat.HEADER_BYTES + 1000, status.bytes());
  }

  @Test
  void shouldServeAThreadThatIsInterrupted() throws IOException {
    DiskCache cache = open();
    Thread.currentThread().interrupt();
    cache.put(key("a"), payload(1, 1000));
    assertEquals(0, cache.status().failures());
    Optional<byte[]> found = cache.get(key("a"));
    assertTrue(Thread.interrupted(), "the interrupt is pending as before");
    assertArrayEquals(payload(1, 1000), found.orElseThrow());
    assertEquals(1, files().size());
    assertEquals(0, cache.status().damaged());
  }

  @Test
  void shouldKeepFilesPrivate() throws IOException {
    open().put(key("a"), payload(1, 10));
    assertEquals("rwx------", mode(temp.resolve("cache")));
    assertEquals("rwx------", mode(folder()));
    assertEquals(List.of("rw-------"), List.of(mode(files().getFirst())));
    assertEquals(1, files().size());
  }

  @Test
  void shouldDeleteEveryKindOfDamagedFile() throws IOException {
    DiskCache cache = open();
    cache.put(key("a"), payload(1, 100));
    Path file = files().getFirst();
    byte[] good = Files.readAllBytes(file);
    int damaged = 0;
    for (int position = 0; position < good.length; position += 3) {
      byte[] bad = good.clone();
      bad[position] ^= 0x40;
      damaged += assertDeleted(cache, file, bad);
    }
    damaged += assertDeleted(cache, file, Arrays.copyOf(good, good.length - 1));
    damaged += assertDeleted(cache, file, Arrays.copyOf(good, good.length + 1));
    damaged += assertDeleted(cache, file, Arrays.copyOf(good, 20));
    damaged += assertDeleted(cache, file, new byte[0]);
    assertEquals(damaged, cache.status().damaged());
    Files.write(file, good);
    assertArrayEquals(payload(1, 100), cache.get(key("a")).orElseThrow());
  }

  private static int assertDeleted(DiskCache cache, Path file, byte[] bytes) throws IOException {
    Files.write(file, bytes);
    assertEquals(Optional.empty(), cache.get(key("a")));
    assertFalse(Files.exists(file));
    return 1;
  }

  @Test
  void shouldRefuseAFileMadeForAnotherKey() throws IOException {
    DiskCache cache = open();
    cache.put(key("a"), payload(1, 100));
    Files.move(files().getFirst(), folder().resolve(key("b").hex() + ".entry"));
    assertEquals(Optional.empty(), cache.get(key("b")));
    assertEquals(1, cache.status().damaged());
  }

  @Test
  void shouldRefuseLinksAndFilesOthersCanWrite() throws IOException {
    DiskCache cache = open();
    cache.put(key("a"), payload(1, 100));
    Path file = files().getFirst();
    Path elsewhere = temp.resolve("elsewhere");
    Files.move(file, elsewhere);
    Files.createSymbolicLink(file, elsewhere);
    assertEquals(Optional.empty(), cache.get(key("a")));
    assertTrue(Files.notExists(file, LinkOption.NOFOLLOW_LINKS));
    assertTrue(Files.exists(elsewhere));
    Files.move(elsewhere, file);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw----"));
    assertEquals(Optional.empty(), cache.get(key("a")));
    assertEquals(2, cache.status().damaged());
  }

  @Test
  void shouldEvictWhatWasNotUsedForLongest() throws IOException {
    DiskCache cache = open();
    int size = (int) LIMIT / 4 - EntryFormat.HEADER_BYTES;
    for (int i = 0; i < 4; i++) {
      cache.put(key("k" + i), payload(i, size));
      Path file = folder().resolve(key("k" + i).hex() + ".entry");
      Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(100 - i)));
    }
    assertEquals(0, cache.status().evicted());
    assertTrue(cache.get(key("k0")).isPresent());
    cache.put(key("k4"), payload(4, size));
    assertEquals(1, cache.status().evicted());
    assertTrue(cache.status().bytes() <= LIMIT);
    assertEquals(Optional.empty(), cache.get(key("k1")));
    for (int i : new int[] {0, 2, 3, 4}) {
      assertArrayEquals(payload(i, size), cache.get(key("k" + i)).orElseThrow());
    }
    cache.put(key("large"), new byte[(int) LIMIT]);
    assertEquals(4, cache.status().entries());
  }

  @Test
  void shouldDoWithoutAFolder() {
    DiskCache cache = DiskCache.open(Path.of("/proc/self/gpuos"), LIMIT);
    cache.put(key("a"), payload(1, 10));
    assertEquals(Optional.empty(), cache.get(key("a")));
    assertEquals(Optional.empty(), cache.status().folder());
    assertTrue(cache.status().reason().contains("/proc/self/gpuos"), cache.status().reason());
  }

  @Test
  void shouldSurviveAFolderThatGoesAway() throws IOException {
    DiskCache cache = open();
    Files.delete(folder());
    Files.delete(folder().getParent());
    cache.put(key("a"), payload(1, 10));
    assertArrayEquals(payload(1, 10), cache.get(key("a")).orElseThrow());
  }

  @Test
  void shouldReportWritesThatFail() throws IOException {
    DiskCache cache = open();
    Files.delete(folder());
    Files.createFile(folder());
    cache.put(key("a"), payload(1, 10));
    assertEquals(Optional.empty(), cache.get(key("a")));
    DiskCache.Status status = cache.status();
    assertEquals(1, status.failures());
    assertTrue(status.reason().startsWith("entry not written: cache refused: path="));
  }

  @Test
  void shouldServeFromAFolderItCannotWrite() throws IOException {
    open().put(key("a"), payload(1, 10));
    Files.setPosixFilePermissions(folder(), PosixFilePermissions.fromString("r-x------"));
    try {
      assertArrayEquals(payload(1, 10), open().get(key("a")).orElseThrow());
    } finally {
      Files.setPosixFilePermissions(folder(), PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void shouldRemoveWhatDeadWritersLeft() throws IOException {
    open();
    Path old = Files.createFile(folder().resolve("x.1.1.tmp"));
    Path young = Files.createFile(folder().resolve("x.1.2.tmp"));
    Instant past = Instant.now().minus(Duration.ofHours(2));
    Files.setLastModifiedTime(old, FileTime.from(past));
    open();
    assertEquals(List.of(young), files());
  }

  /** Writers in other processes on the same keys: whatever is read is whole and right. */
  @Test
  void shouldKeepConcurrentProcessesApart() throws IOException, InterruptedException {
    List<Process> writers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      writers.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin/java").toString(),
                  "-XX:TieredStopAtLevel=1",
                  "--enable-native-access=ALL-UNNAMED",
                  "-cp",
                  // The tests' own JVM has this module on its module path.
                  String.join(
                      File.pathSeparator,
                      "target/classes",
                      "target/test-classes",
                      System.getProperty("java.class.path")),
                  Writer.class.getName(),
                  temp.resolve("cache").toString())
              .inheritIO()
              .start());
    }
    DiskCache reader = open();
    while (writers.stream().anyMatch(Process::isAlive)) {
      assertRight(reader);
    }
    for (Process writer : writers) {
      assertTrue(writer.waitFor(10, TimeUnit.SECONDS));
      assertEquals(0, writer.exitValue());
    }
    assertEquals(Writer.KEYS, assertRight(reader));
    assertEquals(0, reader.status().damaged());
    assertEquals(Writer.KEYS, files().size());
  }

  private static int assertRight(DiskCache reader) {
    int found = 0;
    for (int i = 0; i < Writer.KEYS; i++) {
      Optional<byte[]> read = reader.get(key("shared" + i));
      if (read.isPresent()) {
        assertArrayEquals(payload(i, Writer.SIZE), read.get());
        found++;
      }
    }
    return found;
  }

  /** The other process: puts and gets the same few keys over and over. */
  static final class Writer {
    static final int KEYS = 3;
    static final int SIZE = 20_000;
    private static final int ROUNDS = 40;

    private Writer() {}

    public static void main(String[] args) {
      DiskCache cache = DiskCache.open(Path.of(args[0]), LIMIT);
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < KEYS; i++) {
          cache.put(key("shared" + i), payload(i, SIZE));
          if (!Arrays.equals(payload(i, SIZE), cache.get(key("shared" + i)).orElseThrow())) {
            System.exit(1);
          }
        }
      }
      System.exit(cache.status().failures() == 0 ? 0 : 2);
    }
  }
}

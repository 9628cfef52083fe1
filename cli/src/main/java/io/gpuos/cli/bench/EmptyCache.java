package io.gpuos.cli.bench;

import io.gpuos.driver.CacheDirectory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A cache on disk that is empty, for every device opened in this process until it is closed; then
 * it is deleted and the cache from before is used again. One at a time: it is a system property.
 */
final class EmptyCache implements AutoCloseable {

  private static final String PROPERTY = "gpuos.cache";

  private final Path folder;
  private final String before;

  private EmptyCache(Path folder, String before) {
    this.folder = folder;
    this.before = before;
  }

  static EmptyCache use() {
    try {
      Path folder = Files.createTempDirectory("gpuos-bench-cache");
      EmptyCache cache = new EmptyCache(folder, System.getProperty(PROPERTY));
      System.setProperty(PROPERTY, folder.toString());
      return cache;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Where it is. */
  Path folder() {
    return folder;
  }

  /**
   * Throws if devices use another cache.
   *
   * @throws WrongResult with the place
   */
  void requireUsed() {
    CacheDirectory.Located located = CacheDirectory.locate();
    if (!located.path().equals(Optional.of(folder))) {
      throw new WrongResult("cache: used=%s, expected=%s, empty".formatted(located, folder));
    }
  }

  @Override
  public void close() {
    if (before == null) {
      System.clearProperty(PROPERTY);
    } else {
      System.setProperty(PROPERTY, before);
    }
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
      for (Path file : deepestFirst) {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      System.getLogger("io.gpuos")
          .log(System.Logger.Level.WARNING, "not deleted: folder={0}, reason={1}", folder, e);
    }
  }
}

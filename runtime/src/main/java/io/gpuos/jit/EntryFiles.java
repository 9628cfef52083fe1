package io.gpuos.jit;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * The cache's folder as a whole: names, sizes, and who has to go. Other processes work in it at the
 * same time, so a file that is gone meanwhile is no error.
 */
final class EntryFiles {

  static final String SUFFIX = ".entry";

  private static final String TEMPORARY_SUFFIX = ".tmp";

  /** A temporary file this old belongs to a process that died while writing. */
  private static final Duration ABANDONED = Duration.ofHours(1);

  private EntryFiles() {}

  /** Number and bytes of entries. */
  record Total(long files, long bytes) {
    static final Total NONE = new Total(0, 0);
  }

  private record Entry(Path path, long bytes, Instant used) {}

  /** A name no other writer uses, in this process or another. */
  static String temporaryName(CacheKey key, long number) {
    return String.format(
        Locale.ROOT,
        "%s.%d.%d%s",
        key.hex(),
        ProcessHandle.current().pid(),
        number,
        TEMPORARY_SUFFIX);
  }

  /** What the folder holds; nothing when it cannot be read. */
  static Total total(Path folder) {
    List<Entry> entries = list(folder, SUFFIX);
    return new Total(entries.size(), entries.stream().mapToLong(Entry::bytes).sum());
  }

  /**
   * Deletes the entries not used for longest until the rest fits.
   *
   * @return number of files deleted
   */
  static int evict(Path folder, long limit) {
    List<Entry> entries = list(folder, SUFFIX);
    long bytes = entries.stream().mapToLong(Entry::bytes).sum();
    if (bytes <= limit) {
      return 0;
    }
    entries.sort(Comparator.comparing(Entry::used));
    int deleted = 0;
    for (Entry entry : entries) {
      if (bytes <= limit) {
        break;
      }
      deleteQuietly(entry.path());
      bytes -= entry.bytes();
      deleted++;
    }
    return deleted;
  }

  /** Removes what processes that died while writing have left. */
  static void deleteAbandoned(Path folder) {
    Instant limit = Instant.now().minus(ABANDONED);
    list(folder, TEMPORARY_SUFFIX).stream()
        .filter(entry -> entry.used().isBefore(limit))
        .forEach(entry -> deleteQuietly(entry.path()));
  }

  /** Deletes a file, or the link of that name; whoever needs it gone finds out by trying. */
  static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException _) {
      // It stays, and fails its checks again.
    }
  }

  /** Makes a rename in the folder outlast a power cut. */
  static void sync(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static List<Entry> list(Path folder, String suffix) {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + suffix)) {
      for (Path file : files) {
        add(entries, file);
      }
    } catch (IOException | DirectoryIteratorException _) {
      // Unreadable or gone: as if empty; writing will report it.
    }
    return entries;
  }

  private static void add(List<Entry> entries, Path file) {
    try {
      var attributes =
          Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      entries.add(new Entry(file, attributes.size(), attributes.lastModifiedTime().toInstant()));
    } catch (IOException _) {
      // Deleted by another process between listing and looking.
    }
  }
}

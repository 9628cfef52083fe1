package io.gpuos.jit;

import io.gpuos.driver.CacheDirectory;
import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Machine code on disk, one file an entry, shared by all processes of a user.
 *
 * <p>An entry appears by a rename and is complete when it does. What is read is checked in full, as
 * {@link EntryFormat} lays it out, every time; a file that is damaged, a link, or open to other
 * writers is deleted and counts as absent. Files have mode 0600 in a folder of mode 0700 (see
 * {@link CacheDirectory}). When the whole grows over its limit, the entries not used for longest
 * go.
 *
 * <p>A cache never stands in the way: without a usable folder, or on a full or read-only disk, it
 * holds nothing, warns once, and {@link #status} says why. No method throws for such reasons.
 * Thread-safe.
 */
public final class DiskCache {

  /** Bytes of entries kept by default: 512 MiB. */
  public static final long DEFAULT_LIMIT = 512L << 20;

  private static final String CODE = "cubin";

  private static final Logger LOG = System.getLogger("io.gpuos.jit");
  private static final Set<OpenOption> CREATE =
      Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
  private static final AtomicLong TEMPORARY = new AtomicLong();

  private final Path folder;
  private final long limit;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();
  private final LongAdder damaged = new LongAdder();
  private final LongAdder failures = new LongAdder();
  private final LongAdder evicted = new LongAdder();
  private final AtomicBoolean warned = new AtomicBoolean();
  private volatile String reason;

  private DiskCache(Path folder, String name, long limit, String reason) {
    this.folder = folder;
    // The cache of code speaks for all: what it cannot write, others cannot.
    this.warned.set(!name.equals(CODE));
    this.limit = limit;
    this.reason = reason;
  }

  /**
   * Account of the cache for people.
   *
   * @param folder where entries lie; empty when there is no usable place
   * @param reason why there is none, or the last write that failed; else how the place was chosen
   * @param entries files in it now, of all processes
   * @param bytes their size
   * @param limit most bytes kept
   * @param hits entries found intact by this object
   * @param misses entries not found
   * @param damaged files deleted because they did not pass the checks
   * @param failures writes that failed
   * @param evicted files deleted to keep the limit
   */
  public record Status(
      Optional<Path> folder,
      String reason,
      long entries,
      long bytes,
      long limit,
      long hits,
      long misses,
      long damaged,
      long failures,
      long evicted) {}

  /** The cache of this user, as the settings place it. */
  public static DiskCache open() {
    return open(CacheDirectory.locate(), CODE, DEFAULT_LIMIT);
  }

  /**
   * A cache of something else than code, in a folder of its own beside that of code.
   *
   * @param folder name of the folder, a word
   */
  public static DiskCache beside(String folder, long limit) {
    return open(CacheDirectory.locate(), folder, limit);
  }

  /** A cache in a folder of its own; the folder is created if needed. */
  public static DiskCache open(Path root, long limit) {
    try {
      return open(
          new CacheDirectory.Located(Optional.of(CacheDirectory.create(root)), "given"),
          CODE,
          limit);
    } catch (IOException e) {
      return without(CODE, limit, CacheDirectory.describe(e));
    }
  }

  private static DiskCache open(CacheDirectory.Located located, String name, long limit) {
    if (located.path().isEmpty()) {
      return without(name, limit, located.reason());
    }
    try {
      Path folder = CacheDirectory.create(located.path().get().resolve(name));
      EntryFiles.deleteAbandoned(folder);
      return new DiskCache(folder, name, limit, located.reason());
    } catch (IOException e) {
      return without(name, limit, CacheDirectory.describe(e));
    }
  }

  private static DiskCache without(String name, long limit, String reason) {
    DiskCache cache = new DiskCache(null, name, limit, reason);
    cache.warnOnce(reason);
    return cache;
  }

  /** The entry, if it is there and intact; marks it as used now. */
  public Optional<byte[]> get(CacheKey key) {
    Optional<byte[]> found = folder == null ? Optional.empty() : read(key);
    (found.isPresent() ? hits : misses).increment();
    return found;
  }

  private Optional<byte[]> read(CacheKey key) {
    Path file = file(key);
    try {
      CacheDirectory.check(file, false);
      byte[] payload = EntryFormat.decode(key, readAll(file));
      markUsed(file);
      return Optional.of(payload);
    } catch (NoSuchFileException _) {
      return Optional.empty();
    } catch (IOException e) {
      damaged.increment();
      LOG.log(Level.DEBUG, "deleted from cache: file={0}, reason={1}", file, e.getMessage());
      EntryFiles.deleteQuietly(file);
      return Optional.empty();
    }
  }

  private static void markUsed(Path file) {
    try {
      Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
    } catch (IOException _) {
      // A read-only cache still serves; it evicts nothing either.
    }
  }

  /** By a stream, as an interrupt of the calling thread breaks off what a channel reads. */
  private byte[] readAll(Path file) throws IOException {
    OpenOption[] options = {StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS};
    try (InputStream in = Files.newInputStream(file, options)) {
      byte[] bytes = in.readNBytes((int) Math.min(limit + 1, Integer.MAX_VALUE - 8));
      if (bytes.length > limit) {
        throw new IOException("cache entry damaged: defect=larger than the cache");
      }
      return bytes;
    }
  }

  /** Stores an entry, in place of one with the same key. */
  public void put(CacheKey key, byte[] payload) {
    if (folder == null || EntryFormat.HEADER_BYTES + payload.length > limit) {
      return;
    }
    // A pending interrupt would break off the writing.
    boolean interrupted = Thread.interrupted();
    try {
      write(key, payload);
      evicted.add(EntryFiles.evict(folder, limit));
    } catch (IOException e) {
      failures.increment();
      reason = "entry not written: " + CacheDirectory.describe(e);
      warnOnce(reason);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void write(CacheKey key, byte[] payload) throws IOException {
    // The user may have removed the folder since; this also looks again at whose it is.
    CacheDirectory.create(folder.getParent());
    CacheDirectory.create(folder);
    Path aside = folder.resolve(EntryFiles.temporaryName(key, TEMPORARY.incrementAndGet()));
    try {
      writeAll(aside, EntryFormat.encode(key, payload));
      Files.move(aside, file(key), StandardCopyOption.ATOMIC_MOVE);
      EntryFiles.sync(folder);
    } catch (IOException e) {
      EntryFiles.deleteQuietly(aside);
      throw e;
    }
  }

  private static void writeAll(Path file, ByteBuffer bytes) throws IOException {
    var mode = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    try (FileChannel channel = FileChannel.open(file, CREATE, mode)) {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
  }

  /** What the cache holds and has done. Reads the folder. */
  public Status status() {
    EntryFiles.Total total = folder == null ? EntryFiles.Total.NONE : EntryFiles.total(folder);
    return new Status(
        Optional.ofNullable(folder),
        reason,
        total.files(),
        total.bytes(),
        limit,
        hits.sum(),
        misses.sum(),
        damaged.sum(),
        failures.sum(),
        evicted.sum());
  }

  private Path file(CacheKey key) {
    return folder.resolve(key.hex() + EntryFiles.SUFFIX);
  }

  private void warnOnce(String why) {
    if (warned.compareAndSet(false, true)) {
      LOG.log(Level.WARNING, "compiled operators are not kept on disk: reason={0}", why);
    }
  }

  @Override
  public String toString() {
    return folder == null ? "no cache (" + reason + ")" : folder.toString();
  }
}

package io.gpuos.file;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A new file beside another whose place it is to take. Those that have not when the process is told
 * to end are removed by then.
 */
final class AsideFile implements AutoCloseable {

  private static final Object LOCK = new Object();

  /** What is to be removed when the process ends; null before the first. Guarded by LOCK. */
  private static Set<Path> unfinished;

  /** Whether it ends, and no more may be made. Guarded by LOCK. */
  private static boolean ending;

  private final Path path;
  private final Path target;

  private AsideFile(Path path, Path target) {
    this.path = path;
    this.target = target;
  }

  /** Makes an empty file in the directory of {@code target}, with its permissions if it exists. */
  static AsideFile of(Path target) throws IOException {
    while (true) {
      String suffix = Long.toUnsignedString(ThreadLocalRandom.current().nextLong(), 36);
      Path path = target.resolveSibling(".gpuos-" + suffix + ".tmp");
      try {
        create(path);
      } catch (FileAlreadyExistsException _) {
        continue;
      }
      AsideFile aside = new AsideFile(path, target);
      try {
        Files.setPosixFilePermissions(path, Files.getPosixFilePermissions(target));
      } catch (NoSuchFileException | UnsupportedOperationException _) {
        // A new file, which gets what is usual here.
      } catch (IOException failure) {
        aside.close();
        throw failure;
      }
      return aside;
    }
  }

  private static void create(Path path) throws IOException {
    synchronized (LOCK) {
      if (ending) {
        throw new IOException("the process is ending");
      }
      if (unfinished == null) {
        unfinished = new HashSet<>();
        Runtime.getRuntime().addShutdownHook(new Thread(AsideFile::removeAll, "gpuos-aside"));
      }
      Files.createFile(path);
      unfinished.add(path);
    }
  }

  private static void removeAll() {
    synchronized (LOCK) {
      ending = true;
      for (Path path : unfinished) {
        try {
          Files.deleteIfExists(path);
        } catch (IOException _) {
          // Nobody is left to tell.
        }
      }
    }
  }

  FileChannel open() throws IOException {
    return FileChannel.open(path, StandardOpenOption.WRITE);
  }

  /** Takes the target's place. */
  void rename() throws IOException {
    Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
    forget();
  }

  /** Removes it, unless it was renamed. */
  @Override
  public void close() throws IOException {
    try {
      Files.deleteIfExists(path);
    } finally {
      forget();
    }
  }

  private void forget() {
    synchronized (LOCK) {
      unfinished.remove(path);
    }
  }
}

package io.gpuos.file;

import io.gpuos.error.FileFormatException;
import io.gpuos.file.Destination.Kind;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Files that are written together: all of them appear, or none. The package's documentation says
 * how each kind of file is written. What goes to a device, a pipe or standard output is gone at
 * once, and cannot be taken back.
 *
 * <pre>{@code
 * try (OutputFiles files = new OutputFiles()) {
 *   files.write(first, channel -> ...);
 *   files.write(second, channel -> ...);
 *   files.commit();
 * }
 * }</pre>
 *
 * <p>Not thread-safe. All failures are {@link FileFormatException}s of one line.
 */
public final class OutputFiles implements AutoCloseable {

  private static final String EXPECTED = "a path that can be written";

  /** A file that is complete, and waits for the others. */
  private record Complete(Path named, AsideFile aside) {}

  private final List<Complete> complete = new ArrayList<>();

  /** What a file shall hold. */
  @FunctionalInterface
  public interface Contents {

    /** Writes all of it, front to back. */
    void writeTo(WritableByteChannel channel) throws IOException;
  }

  /** Nothing is written yet. */
  public OutputFiles() {}

  /**
   * Writes one file; unless it is written straight, it waits for {@link #commit} to appear.
   *
   * @throws FileFormatException if the path is not to be written, or the write fails
   */
  @SuppressWarnings("resource") // standard output and error stay open: they are the process's
  public void write(Path file, Contents contents) {
    Destination destination = Destination.of(file);
    destination.requirePermission();
    try {
      switch (destination.kind()) {
        case REPLACED -> writeAside(destination, contents);
        case STRAIGHT -> {
          try (FileChannel channel =
              FileChannel.open(
                  destination.path(),
                  StandardOpenOption.WRITE,
                  StandardOpenOption.TRUNCATE_EXISTING)) {
            contents.writeTo(channel);
          }
        }
        case STANDARD_OUTPUT -> contents.writeTo(Channels.newChannel(new StandardOutput()));
        case STANDARD_ERROR ->
            contents.writeTo(Channels.newChannel(new FileOutputStream(FileDescriptor.err)));
      }
    } catch (IOException e) {
      throw FileErrors.failed(Destination.RULE, file, e, EXPECTED);
    }
  }

  private void writeAside(Destination destination, Contents contents) throws IOException {
    AsideFile aside = AsideFile.of(destination.path());
    complete.add(new Complete(destination.named(), aside));
    try (FileChannel channel = aside.open()) {
      contents.writeTo(channel);
    }
  }

  /**
   * Lets every file take its place. Each by itself is replaced in one step.
   *
   * @throws FileFormatException if one cannot, which it could when it was begun; those before it
   *     have been replaced
   */
  public void commit() {
    while (!complete.isEmpty()) {
      Complete file = complete.getFirst();
      try {
        file.aside().rename();
      } catch (IOException e) {
        throw FileErrors.failed(Destination.RULE, file.named(), e, EXPECTED);
      }
      complete.removeFirst();
    }
  }

  /** Removes what was written aside and has not been committed. */
  @Override
  public void close() {
    for (Complete file : complete) {
      try {
        file.aside().close();
      } catch (IOException e) {
        throw FileErrors.failed(
            "cannot remove", file.named(), e, "a directory that can be written");
      }
    }
    complete.clear();
  }

  /** Writes one file by itself, as {@link #write} and {@link #commit}. */
  public static void writeOne(Path file, Contents contents) {
    try (OutputFiles files = new OutputFiles()) {
      files.write(file, contents);
      files.commit();
    }
  }

  /**
   * Checks that {@link #write} could write to this path now, by making and removing an empty file
   * beside it: for callers with much to do before they have something to write. A device or a pipe
   * is not opened.
   *
   * @throws FileFormatException as {@link #write}
   */
  public static void requireWritable(Path file) {
    Destination destination = Destination.of(file);
    destination.requirePermission();
    if (destination.kind() == Kind.REPLACED) {
      try {
        AsideFile.of(destination.path()).close();
      } catch (IOException e) {
        throw FileErrors.failed(Destination.RULE, file, e, EXPECTED);
      }
    }
  }

  /**
   * The regular file that a write to this path makes or replaces, behind all links; empty where it
   * replaces none. Two outputs of one name are one too few.
   *
   * @throws FileFormatException if the path cannot be an output
   */
  public static Optional<Path> replaced(Path file) {
    Destination destination = Destination.of(file);
    return destination.kind() == Kind.REPLACED
        ? Optional.of(realFolder(destination.path()))
        : Optional.empty();
  }

  private static Path realFolder(Path path) {
    try {
      return path.resolveSibling(path.getParent().toRealPath().resolve(path.getFileName()));
    } catch (IOException e) {
      throw FileErrors.failed(Destination.RULE, path, e, EXPECTED);
    }
  }

  /** Whether the path is this process's standard output, which is then not free for words. */
  public static boolean isStandardOutput(Path file) {
    return Destination.of(file).kind() == Kind.STANDARD_OUTPUT;
  }
}

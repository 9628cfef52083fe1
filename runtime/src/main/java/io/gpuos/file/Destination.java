package io.gpuos.file;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * What a name given for an output stands for.
 *
 * @param named as it was given, for messages
 * @param kind how it is written
 * @param path what to open or replace, behind all symbolic links
 */
record Destination(Path named, Kind kind, Path path) {

  enum Kind {
    /** A regular file, or nothing yet: written aside and renamed. */
    REPLACED,
    /** A device, a pipe or an inherited descriptor: opened and written. */
    STRAIGHT,
    STANDARD_OUTPUT,
    STANDARD_ERROR
  }

  static final String RULE = "cannot write";

  /** As Linux counts them. */
  private static final int MOST_LINKS = 40;

  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

  /**
   * Looks the name up.
   *
   * @throws io.gpuos.error.FileFormatException if it cannot be an output
   */
  static Destination of(Path named) {
    if (named.toString().equals("-")) {
      return new Destination(named, Kind.STANDARD_OUTPUT, named);
    }
    Path path = named.toAbsolutePath();
    try {
      for (int links = 0; links <= MOST_LINKS; links++) {
        if (isDescriptor(path)) {
          return new Destination(named, descriptorKind(path), path);
        }
        if (!Files.isSymbolicLink(path)) {
          return behindLinks(named, path);
        }
        path = path.resolveSibling(Files.readSymbolicLink(path));
      }
    } catch (IOException e) {
      throw FileErrors.failed(RULE, named, e, "a path that can be written");
    }
    throw FileErrors.refused(
        RULE, named, "found=a loop of symbolic links", "a path that can be written");
  }

  /** The links there lead to open files, which need not have a name. */
  private static boolean isDescriptor(Path path) {
    Path folder = path.getParent();
    try {
      return folder != null
          && path.getFileName().toString().matches("[0-9]+")
          && folder.toRealPath().equals(DESCRIPTORS.toRealPath());
    } catch (IOException _) {
      return false;
    }
  }

  private static Kind descriptorKind(Path path) {
    return switch (path.getFileName().toString()) {
      case "1" -> Kind.STANDARD_OUTPUT;
      case "2" -> Kind.STANDARD_ERROR;
      default -> Kind.STRAIGHT;
    };
  }

  private static Destination behindLinks(Path named, Path path) throws IOException {
    Path folder = path.getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw FileErrors.refused(
          RULE, named, "found=no such directory", "a path in an existing directory");
    }
    try {
      BasicFileAttributes found =
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (found.isDirectory()) {
        throw FileErrors.refused(RULE, named, "found=a directory", "the path of a file");
      }
      return new Destination(named, found.isOther() ? Kind.STRAIGHT : Kind.REPLACED, path);
    } catch (NoSuchFileException _) {
      return new Destination(named, Kind.REPLACED, path);
    }
  }

  /** Refuses what is known not to take a byte, without opening it. */
  void requirePermission() {
    if (kind != Kind.STANDARD_OUTPUT
        && kind != Kind.STANDARD_ERROR
        && Files.exists(path)
        && !Files.isWritable(path)) {
      throw FileErrors.refused(
          RULE, named, "reason=permission denied", "a path that can be written");
    }
  }
}

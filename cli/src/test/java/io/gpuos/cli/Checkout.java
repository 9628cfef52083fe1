package io.gpuos.cli;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The checkout these tests run in, and copies of what the launcher needs of it. */
final class Checkout {

  private static final List<String> NEEDED =
      List.of(
          ".mvn",
          "LICENSE",
          "README.md",
          "bridge",
          "cli",
          "concurrency-tests/pom.xml",
          "gpuos",
          "pom.xml",
          "runtime",
          "tools");

  private Checkout() {}

  static Path root() {
    return Path.of(System.getProperty("gpuos.checkout"));
  }

  /** The JDK of this build. */
  static String jdk() {
    return System.getProperty("java.home");
  }

  /** Copies the sources, without anything built, into {@code target}. */
  static Path copyTo(Path target) throws IOException {
    for (String name : NEEDED) {
      copy(root().resolve(name), target.resolve(name));
    }
    return target;
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            if (directory.endsWith("target")) {
              return FileVisitResult.SKIP_SUBTREE;
            }
            Files.createDirectories(to.resolve(from.relativize(directory)));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Path relative = from.relativize(file);
            Files.copy(
                file,
                relative.toString().isEmpty() ? to : to.resolve(relative),
                StandardCopyOption.COPY_ATTRIBUTES);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /**
   * A directory that holds the named programs and no others, to be somebody's whole {@code PATH}.
   * Programs this machine lacks are left out.
   */
  static Path pathWith(Path directory, List<String> programs) throws IOException {
    Files.createDirectories(directory);
    for (String program : programs) {
      Optional<Path> found =
          Stream.of(System.getenv("PATH").split(":", -1))
              .map(bin -> Path.of(bin, program))
              .filter(Files::isExecutable)
              .findFirst();
      if (found.isPresent()) {
        Path file = directory.resolve(program);
        Files.writeString(file, "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(found.get()));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
      }
    }
    return directory;
  }
}

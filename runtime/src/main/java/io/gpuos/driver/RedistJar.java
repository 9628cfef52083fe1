package io.gpuos.driver;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Takes libraries out of the CUDA redistribution jar ({@code org.bytedeco:cuda-redist}) in the
 * local Maven repository. The few files a library needs are unpacked once, into {@code
 * libraries/<jar>/<library>} of the cache; a folder appears there only when complete, so processes
 * that start together do no harm to each other.
 */
final class RedistJar {

  private static final String ARTIFACT = "org/bytedeco/cuda-redist";

  private RedistJar() {}

  /** Redistribution jars for this machine in the local repository, newest version first. */
  static List<Path> jars(Surroundings surroundings) {
    Optional<Path> repository =
        surroundings
            .property("maven.repo.local")
            .map(Path::of)
            .or(() -> surroundings.home().map(home -> home.resolve(".m2/repository")));
    List<Path> jars = new ArrayList<>();
    repository
        .map(path -> SitePackages.children(path.resolve(ARTIFACT), "*"))
        .orElse(List.of())
        .forEach(
            version -> jars.addAll(SitePackages.children(version, "*-" + platform() + ".jar")));
    return jars;
  }

  /**
   * Folder with the library's files, unpacked now if they were not before.
   *
   * @throws IOException the cache is not usable, or the jar is damaged or lacks the library
   */
  static Path unpack(Path jar, Library library, Surroundings surroundings) throws IOException {
    CacheDirectory.Located cache = CacheDirectory.locate(surroundings);
    Path root = cache.path().orElseThrow(() -> new IOException(cache.reason()));
    String name = jar.getFileName().toString().replaceFirst("\\.jar$", "");
    Path libraries = CacheDirectory.create(root.resolve("libraries"));
    Path parent = CacheDirectory.create(libraries.resolve(name));
    Path folder = parent.resolve(library.name().toLowerCase(Locale.ROOT));
    if (!Files.exists(folder)) {
      Path aside = Files.createTempDirectory(parent, ".unpacking-");
      try {
        extract(jar, library, aside);
        publish(aside, folder);
      } finally {
        deleteAll(aside);
      }
    }
    CacheDirectory.check(folder, true);
    return folder;
  }

  private static void extract(Path jar, Library library, Path folder) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      List<? extends ZipEntry> entries =
          zip.stream().filter(entry -> belongs(entry, library)).toList();
      if (entries.isEmpty()) {
        throw new IOException("jar lacks the library: file=" + jar + ", library=" + library);
      }
      for (ZipEntry entry : entries) {
        extract(zip, entry, folder.resolve(fileName(entry)));
      }
    }
  }

  private static void extract(ZipFile zip, ZipEntry entry, Path file) throws IOException {
    CRC32 crc = new CRC32();
    try (var in = new CheckedInputStream(zip.getInputStream(entry), crc)) {
      Files.copy(in, file);
    }
    if (crc.getValue() != entry.getCrc()) {
      throw new IOException("jar is damaged: file=" + zip.getName() + ", entry=" + entry.getName());
    }
    // On disk before the folder gets its name, so that a crash leaves no empty library behind.
    try (FileChannel written = FileChannel.open(file, StandardOpenOption.WRITE)) {
      written.force(true);
    }
  }

  /** {@code libnvrtc.so.13} belongs to NVRTC, and so does {@code libnvrtc-builtins.so.13.3}. */
  private static boolean belongs(ZipEntry entry, Library library) {
    String stem = library.sonames().getFirst().replaceFirst("\\.so.*", "");
    String name = fileName(entry);
    return name.startsWith(stem + ".so") || name.startsWith(stem + "-builtins.so");
  }

  private static String fileName(ZipEntry entry) {
    return entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
  }

  private static void publish(Path aside, Path folder) throws IOException {
    try {
      Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      throw e;
    } catch (FileSystemException e) {
      // Another process was faster; its folder is as complete as this one.
      if (!Files.isDirectory(folder)) {
        throw e;
      }
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.deleteIfExists(file);
      }
    }
    Files.deleteIfExists(folder);
  }

  private static String platform() {
    return System.getProperty("os.arch").equals("aarch64") ? "linux-arm64" : "linux-x86_64";
  }
}

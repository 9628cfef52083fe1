package io.gpuos.driver;

import java.io.IOException;
import java.nio.channels.FileChannel;
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
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Takes libraries out of the CUDA redistribution jar ({@code org.bytedeco:cuda-redist}) in the
 * local Maven repository. The few files a library needs are unpacked into {@code
 * libraries/<jar>/<library>} of the cache, once: a folder appears there only when complete.
 *
 * <p>Loading a damaged library can end the process, so before each use the files are compared with
 * the jar's own list: sizes always, checksums unless {@link UnpackedFiles} knows that nobody has
 * touched them since they were right. What is wrong is unpacked anew. Processes that come together
 * take turns by a lock on {@code .lock} beside the folders; whoever has it removes what killed
 * processes left.
 */
final class RedistJar {

  private static final String ARTIFACT = "org/bytedeco/cuda-redist";
  private static final String ASIDE = ".unpacking-";

  private RedistJar() {}

  /** Redistribution jars for this machine in the local repository, newest version first. */
  static List<Path> jars(Surroundings surroundings) {
    Optional<Path> repository =
        surroundings
            .property("maven.repo.local")
            .flatMap(Surroundings::path)
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
   * Folder with the library's files, complete and unharmed; unpacked now if it was not.
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
    if (Files.exists(folder)) {
      CacheDirectory.check(folder, true);
    }
    try (ZipFile zip = open(jar)) {
      List<? extends ZipEntry> entries = entries(zip, library);
      UnpackedFiles files = new UnpackedFiles(folder, entries);
      if (!files.areIntact() || !leftBehind(parent).isEmpty()) {
        Path lock = parent.resolve(".lock");
        try (FileChannel channel =
                FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            var _ = channel.lock()) {
          for (Path left : leftBehind(parent)) {
            deleteAll(left);
          }
          if (!files.areIntact()) {
            unpack(zip, entries, folder);
            if (!files.areIntact()) {
              throw new IOException(
                  "unpacked differently: folder=%s, expected=what the jar holds; check the disk"
                      .formatted(folder));
            }
          }
        }
      }
    }
    return folder;
  }

  private static ZipFile open(Path jar) throws IOException {
    try {
      return new ZipFile(jar.toFile());
    } catch (ZipException e) {
      throw new IOException("jar is damaged: file=%s, reason=%s".formatted(jar, e.getMessage()), e);
    }
  }

  private static List<? extends ZipEntry> entries(ZipFile zip, Library library) throws IOException {
    List<? extends ZipEntry> entries =
        zip.stream().filter(entry -> belongs(entry, library)).toList();
    if (entries.isEmpty()) {
      throw new IOException(
          "jar lacks the library: file=" + zip.getName() + ", library=" + library);
    }
    return entries;
  }

  /** Under the lock: makes the folder, in place of one that is wrong. */
  private static void unpack(ZipFile zip, List<? extends ZipEntry> entries, Path folder)
      throws IOException {
    Path aside = Files.createTempDirectory(folder.getParent(), ASIDE);
    try {
      for (ZipEntry entry : entries) {
        extract(zip, entry, aside.resolve(fileName(entry)));
      }
      if (Files.exists(folder)) {
        // Aside as a whole: who has loaded from it keeps the files, and nobody sees half of them.
        Path wrong = Files.createTempDirectory(folder.getParent(), ASIDE);
        Files.move(folder, wrong, StandardCopyOption.ATOMIC_MOVE);
        deleteAll(wrong);
      }
      Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      deleteAll(aside);
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

  static String fileName(ZipEntry entry) {
    return entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
  }

  /** What processes that were killed in the middle of unpacking left; under the lock, all of it. */
  private static List<Path> leftBehind(Path parent) {
    return SitePackages.children(parent, ASIDE + "*");
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

package io.gpuos.jit;

import io.gpuos.driver.CacheDirectory;
import io.gpuos.driver.Nvrtc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;

/**
 * Which compiler was used last, remembered beside the cache. Loading NVRTC, a library of a hundred
 * MB, only to ask for its version would take longer than everything else a warm start does. What is
 * remembered holds as long as that file is as it was and the settings that name another are the
 * same.
 *
 * @param settings that decide where the compiler is looked for
 * @param path of the library
 * @param stamp size and time of the file
 * @param version of the compiler
 */
record KnownCompiler(String settings, String path, String stamp, String version) {

  private static final List<String> VARIABLES =
      List.of("GPUOS_NVRTC", "CUDA_PATH", "CUDA_HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV");

  /** The compiler remembered, if nothing has changed since. */
  static Optional<KnownCompiler> read() {
    try {
      Optional<Path> file = file();
      if (file.isEmpty() || !Files.exists(file.get())) {
        return Optional.empty();
      }
      List<String> lines = Files.readAllLines(file.get());
      if (lines.size() != 4) {
        return Optional.empty();
      }
      var known = new KnownCompiler(lines.get(0), lines.get(1), lines.get(2), lines.get(3));
      boolean current =
          known.settings.equals(currentSettings()) && known.stamp.equals(stamp(known.path));
      return current ? Optional.of(known) : Optional.empty();
    } catch (IOException | RuntimeException _) {
      // Unreadable is as good as unknown: the compiler is loaded and asked.
      return Optional.empty();
    }
  }

  /**
   * Remembers a compiler that has been loaded; if that cannot be done, the next start asks again.
   */
  static void remember(Nvrtc nvrtc, String version) {
    try {
      Path library = Path.of(nvrtc.libraryPath());
      Optional<Path> file = file();
      if (file.isEmpty() || !library.isAbsolute()) {
        return;
      }
      List<String> lines =
          List.of(currentSettings(), library.toString(), stamp(library.toString()), version);
      Path aside = Files.createTempFile(file.get().getParent(), ".compiler-", ".tmp");
      try {
        Files.write(aside, lines);
        Files.move(aside, file.get(), StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(aside);
      }
    } catch (IOException | RuntimeException _) {
      // The next start asks again.
    }
  }

  private static Optional<Path> file() {
    return CacheDirectory.locate().path().map(folder -> folder.resolve("compiler"));
  }

  private static String currentSettings() {
    StringBuilder settings = new StringBuilder(System.getProperty("gpuos.library.nvrtc", ""));
    for (String variable : VARIABLES) {
      String value = System.getenv(variable);
      settings.append('|').append(value == null ? "" : value);
    }
    return settings.toString().replace('\n', ' ');
  }

  private static String stamp(String path) throws IOException {
    Path file = Path.of(path);
    return Files.size(file) + " " + Files.getLastModifiedTime(file).toMillis();
  }
}

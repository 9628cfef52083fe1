package io.gpuos.driver;

import io.gpuos.driver.Candidate.Outcome;
import io.gpuos.driver.Candidate.Source;
import io.gpuos.error.DeviceUnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Looks for one native library in the order of {@link Source}, takes the first that loads and
 * passes its library's own check, and keeps an account of every place.
 *
 * <p>A setting is an order, not a hint: when it is given and does not work, nothing else is tried.
 * A library that loads but fails its check stays loaded, unused.
 */
public final class LibrarySearch {

  private static final List<String> SYSTEM_FOLDERS =
      List.of(
          "/usr/lib/x86_64-linux-gnu",
          "/usr/lib/aarch64-linux-gnu",
          "/usr/lib64",
          "/usr/local/nvidia/lib64");

  private final Library library;
  private final Surroundings surroundings;
  private final List<Candidate> candidates = new ArrayList<>();
  private NativeLibrary taken;

  private LibrarySearch(Library library, Surroundings surroundings) {
    this.library = library;
    this.surroundings = surroundings;
  }

  /**
   * What a search came to.
   *
   * @param path file that was taken; empty when none could be
   * @param candidates every place, in the order of the look-up
   */
  public record Result(Library library, Optional<String> path, List<Candidate> candidates) {

    /** The line that explains a failure best: a setting, a broken file, else the loader's words. */
    public String reason() {
      return Stream.<Predicate<Candidate>>of(
              c -> c.source() == Source.SETTING,
              c -> Surroundings.path(c.path()).filter(Files::isRegularFile).isPresent(),
              c -> c.source() == Source.LOADER)
          .flatMap(telling -> candidates.stream().filter(telling))
          .filter(c -> c.outcome() == Outcome.REJECTED)
          .findFirst()
          .map(c -> c.reason().contains(c.path()) ? c.reason() : c.path() + ": " + c.reason())
          .orElse("no place to look in");
    }
  }

  /**
   * Looks for a library and loads it if it can. Repeating the search is cheap and finds the same
   * library, since it is loaded by then. Thread-safe; never throws for a missing library.
   */
  public static Result search(Library library) {
    return find(library, Surroundings.ofProcess()).result();
  }

  /** A search's outcome with the loaded library, which stays inside this package. */
  record Found(Optional<NativeLibrary> library, Result result) {

    /**
     * @throws DeviceUnavailableException the library was not found; the message says why
     */
    NativeLibrary orThrow() {
      return library.orElseThrow(
          () ->
              new DeviceUnavailableException(
                  "library not usable: library=%s, reason=%s, expected=%s, or %s=<file or folder>"
                      .formatted(
                          result.library(),
                          result.reason(),
                          result.library().remedy(),
                          result.library().property())));
    }
  }

  static synchronized Found find(Library library, Surroundings surroundings) {
    LibrarySearch search = new LibrarySearch(library, surroundings);
    search.run();
    NativeLibrary taken = search.taken;
    Result result =
        new Result(
            library,
            Optional.ofNullable(taken).map(NativeLibrary::path),
            List.copyOf(search.candidates));
    return new Found(Optional.ofNullable(taken), result);
  }

  private void run() {
    if (!NativeLibrary.isSupported()) {
      add(Source.LOADER, library.sonames().getFirst(), Outcome.REJECTED, "only Linux is supported");
      return;
    }
    Optional<String> setting = surroundings.setting(library.property(), library.variable());
    if (setting.isPresent()) {
      trySetting(setting.get());
      return;
    }
    tryLoaded();
    tryPip();
    tryLoader();
    tryCudaHome();
    trySystem();
    tryRedistJar();
  }

  private void trySetting(String setting) {
    Optional<Path> path = Surroundings.path(setting).map(Path::toAbsolutePath);
    if (path.isEmpty()) {
      String reason = Surroundings.noPath(library.variable(), setting);
      add(Source.SETTING, setting, Outcome.REJECTED, reason);
    } else if (Files.isDirectory(path.get())) {
      tryDirectory(Source.SETTING, path.get());
    } else {
      tryFile(Source.SETTING, path.get().toString());
    }
    add(
        Source.LOADER,
        library.sonames().getFirst(),
        Outcome.NOT_TRIED,
        "%s or %s is set".formatted(library.property(), library.variable()));
  }

  private void tryLoaded() {
    for (String soname : library.sonames()) {
      judge(Source.LOADED, soname, () -> NativeLibrary.openIfLoaded(soname));
    }
  }

  private void tryPip() {
    if (library.pipFolders().isEmpty()) {
      return;
    }
    boolean any = false;
    List<Path> sites = SitePackages.of(surroundings);
    for (Path site : sites) {
      for (String folder : library.pipFolders()) {
        Path lib = site.resolve("nvidia").resolve(folder).resolve("lib");
        if (Files.isDirectory(lib)) {
          any = true;
          tryDirectory(Source.PIP, lib);
        }
      }
    }
    if (!any && taken == null) {
      String reason =
          String.format(
              Locale.ROOT,
              "no nvidia/{%s}/lib in %d site-packages folders",
              String.join(",", library.pipFolders()),
              sites.size());
      add(Source.PIP, "site-packages", Outcome.REJECTED, reason);
    }
  }

  private void tryLoader() {
    library.sonames().forEach(soname -> tryFile(Source.LOADER, soname));
  }

  private void tryCudaHome() {
    for (String variable : List.of("CUDA_PATH", "CUDA_HOME")) {
      surroundings
          .variable(variable)
          .flatMap(Surroundings::path)
          .ifPresent(home -> tryDirectory(Source.CUDA_HOME, home.resolve("lib64")));
    }
  }

  private void trySystem() {
    Path local = surroundings.absolute("/usr/local");
    tryDirectory(Source.SYSTEM, local.resolve("cuda/lib64"));
    SitePackages.children(local, "cuda-*")
        .forEach(cuda -> tryDirectory(Source.SYSTEM, cuda.resolve("lib64")));
    SYSTEM_FOLDERS.forEach(folder -> tryDirectory(Source.SYSTEM, surroundings.absolute(folder)));
  }

  private void tryRedistJar() {
    if (!library.isRedistributed()) {
      return;
    }
    List<Path> jars = RedistJar.jars(surroundings);
    if (jars.isEmpty() && taken == null) {
      add(Source.MAVEN, "org.bytedeco:cuda-redist", Outcome.REJECTED, "not in local repository");
    }
    for (Path jar : jars) {
      if (taken != null) {
        add(Source.MAVEN, jar.toString(), Outcome.NOT_TRIED, alreadyTaken());
        continue;
      }
      try {
        tryDirectory(Source.MAVEN, RedistJar.unpack(jar, library, surroundings));
      } catch (IOException e) {
        add(Source.MAVEN, jar.toString(), Outcome.REJECTED, CacheDirectory.describe(e));
      }
    }
  }

  /** Tries each known name in a folder; a folder without any is one refused candidate. */
  private void tryDirectory(Source source, Path folder) {
    List<Path> files =
        library.sonames().stream().map(folder::resolve).filter(Files::exists).toList();
    if (!files.isEmpty()) {
      files.forEach(file -> tryFile(source, file.toAbsolutePath().toString()));
    } else if (taken == null) {
      String reason =
          Files.isDirectory(folder)
              ? "no " + String.join(" or ", library.sonames()) + " in this directory"
              : "no such directory";
      add(source, folder.toString(), Outcome.REJECTED, reason);
    }
  }

  private void tryFile(Source source, String name) {
    judge(source, name, () -> NativeLibrary.open(name));
  }

  private void judge(Source source, String name, Supplier<NativeLibrary.Attempt> open) {
    if (taken != null) {
      if (source != Source.LOADED) {
        add(source, name, Outcome.NOT_TRIED, alreadyTaken());
      }
      return;
    }
    NativeLibrary.Attempt attempt = open.get();
    if (attempt.library().isEmpty()) {
      add(source, name, Outcome.REJECTED, attempt.reason());
      return;
    }
    NativeLibrary loaded = attempt.library().get();
    Optional<String> defect = defect(loaded);
    if (defect.isPresent()) {
      add(source, name, Outcome.REJECTED, defect.get());
    } else {
      taken = loaded;
      add(source, name, Outcome.TAKEN, "loaded from " + loaded.path());
    }
  }

  private Optional<String> defect(NativeLibrary loaded) {
    return switch (library) {
      case CUDA -> Cuda.defect(loaded);
      case NVRTC -> Nvrtc.defect(loaded);
      case NVJITLINK -> Optional.empty();
    };
  }

  private String alreadyTaken() {
    return taken.path() + " was taken";
  }

  private void add(Source source, String path, Outcome outcome, String reason) {
    candidates.add(new Candidate(library, path, source, outcome, reason));
  }
}

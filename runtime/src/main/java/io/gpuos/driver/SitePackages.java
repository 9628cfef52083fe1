package io.gpuos.driver;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Guesses the site-packages folders of the Pythons a user is likely to mean, without starting one:
 * the active environment, every Python on {@code PATH}, the user's own and the system's.
 */
final class SitePackages {

  private final Surroundings surroundings;
  private final Set<Path> found = new LinkedHashSet<>();

  private SitePackages(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  /** Existing folders, most specific first, without repetition. */
  static List<Path> of(Surroundings surroundings) {
    SitePackages search = new SitePackages(surroundings);
    search.run();
    return List.copyOf(search.found);
  }

  private void run() {
    for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      surroundings.variable(variable).flatMap(Surroundings::path).ifPresent(this::addPrefix);
    }
    surroundings.variable("PATH").ifPresent(this::addPythonsOf);
    surroundings.home().ifPresent(this::addHome);
    addPrefix(surroundings.absolute("/usr/local"));
    addPrefix(surroundings.absolute("/usr"));
    addIfDirectory(surroundings.absolute("/usr/lib/python3/dist-packages"));
  }

  /** A Python in {@code X/bin} keeps its packages in {@code X/lib}, before and behind links. */
  private void addPythonsOf(String path) {
    for (String entry : path.split(File.pathSeparator)) {
      if (!entry.isEmpty()) {
        Surroundings.path(entry).ifPresent(this::addPythonsIn);
      }
    }
  }

  private void addPythonsIn(Path folder) {
    for (String name : List.of("python3", "python")) {
      Path python = folder.resolve(name);
      if (Files.isExecutable(python)) {
        addPrefixOfBinary(python);
        addPrefixOfBinary(real(python));
      }
    }
  }

  private void addPrefixOfBinary(Path python) {
    Path bin = python.toAbsolutePath().getParent();
    if (bin != null && bin.getParent() != null) {
      addPrefix(bin.getParent());
    }
  }

  private void addHome(Path home) {
    addPrefix(home.resolve(".local"));
    for (Path version : children(home.resolve(".pyenv/versions"), "*")) {
      addPrefix(version);
    }
  }

  private void addPrefix(Path prefix) {
    for (Path lib : children(prefix.resolve("lib"), "python3*")) {
      addIfDirectory(lib.resolve("site-packages"));
      addIfDirectory(lib.resolve("dist-packages"));
    }
  }

  private void addIfDirectory(Path folder) {
    if (Files.isDirectory(folder)) {
      found.add(folder);
    }
  }

  private static Path real(Path path) {
    try {
      return path.toRealPath();
    } catch (IOException _) {
      return path;
    }
  }

  /** Entries of a folder whose name matches the glob, newest version first; none if unreadable. */
  static List<Path> children(Path folder, String glob) {
    List<Path> children = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, glob)) {
      stream.forEach(children::add);
    } catch (IOException | DirectoryIteratorException _) {
      return List.of();
    }
    children.sort(VersionOrder.BY_FILE_NAME.reversed());
    return children;
  }
}

package io.gpuos.driver;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The per-user folder for compiled operators and unpacked libraries. What lies in it is executed,
 * so it must belong to this user and to nobody else: created with mode 0700, and refused when it is
 * a symbolic link, belongs to another user, or can be written by group or others. (A link further
 * up, such as {@code ~/.cache} itself, is the user's own business.)
 *
 * <p>Place: property {@code gpuos.cache}, variable {@code GPUOS_CACHE}, {@code
 * $XDG_CACHE_HOME/gpuos}, {@code ~/.cache/gpuos}.
 */
public final class CacheDirectory {

  private static final int GROUP_OR_OTHERS_WRITE = 0022;

  private CacheDirectory() {}

  /**
   * Where the cache is, or why there is none.
   *
   * @param path an existing folder that passed the checks; empty when there is no usable one
   * @param reason one line when {@code path} is empty, else which setting named the folder
   */
  public record Located(Optional<Path> path, String reason) {}

  /** Finds the folder from the settings of this process and creates it if needed. Never throws. */
  public static Located locate() {
    return locate(Surroundings.ofProcess());
  }

  static Located locate(Surroundings surroundings) {
    Optional<String> set = surroundings.setting("gpuos.cache", "GPUOS_CACHE");
    if (set.isPresent()) {
      return Surroundings.path(set.get())
          .map(path -> prepare(path.toAbsolutePath(), "set by gpuos.cache or GPUOS_CACHE"))
          .orElseGet(() -> none(Surroundings.noPath("GPUOS_CACHE", set.get())));
    }
    Optional<Path> xdg = surroundings.variable("XDG_CACHE_HOME").flatMap(Surroundings::path);
    if (xdg.filter(Path::isAbsolute).isPresent()) {
      return prepare(xdg.get().resolve("gpuos"), "under XDG_CACHE_HOME");
    }
    return surroundings
        .home()
        .map(home -> prepare(home.resolve(".cache/gpuos"), "under the home directory"))
        .orElseGet(
            () ->
                none(
                    surroundings
                        .variable("HOME")
                        .filter(home -> Surroundings.path(home).isEmpty())
                        .map(home -> Surroundings.noPath("HOME", home))
                        .orElse("no place for a cache: HOME is not set, expected=GPUOS_CACHE")));
  }

  private static Located none(String reason) {
    return new Located(Optional.empty(), reason);
  }

  private static Located prepare(Path folder, String why) {
    try {
      return new Located(Optional.of(create(folder)), why);
    } catch (IOException e) {
      return none(describe(e));
    }
  }

  /**
   * Creates a private folder, or checks the one that is there.
   *
   * @return the folder
   * @throws IOException it cannot be created, or is not this user's alone; the message names the
   *     folder, what is wrong, and the remedy
   */
  public static Path create(Path folder) throws IOException {
    if (!NativeLibrary.isSupported()) {
      throw new IOException("no cache on this system: path=" + folder + ", expected=Linux");
    }
    Path parent = folder.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    var mode = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    try {
      Files.createDirectory(folder, mode);
    } catch (FileAlreadyExistsException _) {
      // Somebody was here before: the checks below decide whether to trust it.
    }
    check(folder, true);
    return folder;
  }

  /**
   * Checks that a file or folder of the cache is what it should be.
   *
   * @param directory whether a folder is expected rather than a regular file
   * @throws IOException it is a link, of another kind, of another owner, or open to other writers
   */
  public static void check(Path path, boolean directory) throws IOException {
    Map<String, Object> attributes =
        Files.readAttributes(
            path, "unix:uid,mode,isDirectory,isRegularFile", LinkOption.NOFOLLOW_LINKS);
    if (!(boolean) attributes.get(directory ? "isDirectory" : "isRegularFile")) {
      String kind = directory ? "a directory" : "a regular file";
      throw new IOException("cache refused: path=" + path + ", expected=" + kind + ", not a link");
    }
    int owner = (int) attributes.get("uid");
    int user = Libc.effectiveUserId();
    if (owner != user) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "cache refused: path=%s, owner=%d, expected=owner %d",
              path,
              owner,
              user));
    }
    int mode = (int) attributes.get("mode");
    if ((mode & GROUP_OR_OTHERS_WRITE) != 0) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "cache refused: path=%s, mode=%o, expected=no write by others (chmod go-w)",
              path,
              mode & 07777));
    }
  }

  /** One line for a failed file operation: what happened to which file. */
  public static String describe(IOException e) {
    String text = e.getMessage() == null ? "" : e.getMessage();
    return e.getClass() == IOException.class
        ? text
        : e.getClass().getSimpleName().replace("Exception", "") + ": " + text;
  }
}

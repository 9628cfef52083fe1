import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.googlejavaformat.java.ImportOrderer;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Holds every Java source of the repository to google-java-format.
 *
 * <p>Run from source by the build, with google-java-format on the class path:
 *
 * <pre>
 * java -cp google-java-format.jar tools/Format.java --check DIRECTORY   exit 1 and a list if one differs
 * java -cp google-java-format.jar tools/Format.java --write DIRECTORY   rewrites those that differ
 * </pre>
 */
public final class Format {

  private Format() {}

  public static void main(String[] arguments) throws IOException {
    boolean write = arguments[0].equals("--write");
    Path root = Path.of(arguments[1]);
    List<Path> different = sources(root).parallel().filter(file -> differs(file, write)).toList();
    if (different.isEmpty()) {
      return;
    }
    different.forEach(
        file -> System.err.println((write ? "rewrote " : "differs ") + root.relativize(file)));
    if (!write) {
      System.err.printf(
          "format: files=%d, expected=google-java-format style; run ./gpuos format%n",
          different.size());
      System.exit(1);
    }
  }

  /** Sources under {@code src/} of each module, and the tools; never build output. */
  private static Stream<Path> sources(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(file -> file.toString().endsWith(".java") && Files.isRegularFile(file))
          .filter(file -> isSource(root.relativize(file)))
          .sorted()
          .toList()
          .stream();
    }
  }

  private static boolean isSource(Path file) {
    String name = file.toString().replace('\\', '/');
    return name.startsWith("tools/") || name.matches("([^./][^/]*/)+src/.*");
  }

  private static boolean differs(Path file, boolean write) {
    try {
      String source = Files.readString(file);
      String formatted = format(source);
      if (source.equals(formatted)) {
        return false;
      }
      if (write) {
        Files.writeString(file, formatted);
      }
      return true;
    } catch (IOException | FormatterException e) {
      throw new IllegalStateException("format: file=" + file + ", " + e.getMessage(), e);
    }
  }

  private static String format(String source) throws FormatterException {
    JavaFormatterOptions options = JavaFormatterOptions.defaultOptions();
    String used = RemoveUnusedImports.removeUnusedImports(source);
    String ordered = ImportOrderer.reorderImports(used, options.style());
    return new Formatter(options).formatSource(ordered);
  }
}

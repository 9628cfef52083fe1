package io.gpuos.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/**
 * What this build is: version, the commit it was made from, and the JDK it runs on. Benchmarks
 * record it with their results.
 */
final class Version implements IVersionProvider {

  private static final String RESOURCE = "build.properties";
  private static final String UNKNOWN = "unknown";

  /** Picocli calls this for {@code --version}. */
  @Override
  public String[] getVersion() {
    return new String[] {
      "gpuos %s (commit %s, JDK %s)".formatted(version(), commit(), Runtime.version())
    };
  }

  /** The version, such as {@code 1.2.3}. */
  static String version() {
    return property("version");
  }

  /**
   * The abbreviated commit, with {@code +changes} where the tree differs from it, or {@code
   * unknown}. A distribution is told by its JVM options. In a checkout, which builds itself anew
   * when a source changes, it is the state of the tree now: that may become another commit without
   * any change of a source.
   */
  static String commit() {
    String packed = System.getProperty("gpuos.commit");
    String checkout = System.getProperty("gpuos.checkout");
    if (packed != null || checkout == null) {
      return packed == null ? UNKNOWN : packed;
    }
    try {
      Process script =
          new ProcessBuilder("sh", Path.of(checkout, "tools/commit.sh").toString(), checkout)
              .redirectError(Redirect.DISCARD)
              .start();
      String commit = new String(script.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return commit.isBlank() ? UNKNOWN : commit.strip();
    } catch (IOException _) {
      return UNKNOWN;
    }
  }

  private static String property(String name) {
    Properties properties = new Properties();
    try (InputStream in = Version.class.getResourceAsStream(RESOURCE)) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty(name);
  }
}

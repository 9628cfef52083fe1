package io.gpuos.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/**
 * What this build is: version, the commit it was made from, and the JDK it runs on. Benchmarks
 * record it with their results.
 */
final class Version implements IVersionProvider {

  private static final String RESOURCE = "build.properties";

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
   * The abbreviated commit, with {@code +changes} where the sources differed from it, or {@code
   * unknown} where the build was not made by the launcher.
   */
  static String commit() {
    return property("commit");
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

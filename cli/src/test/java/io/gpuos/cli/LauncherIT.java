package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a newcomer does with {@code ./gpuos} in a new clone. */
class LauncherIT {

  private static final List<String> SHELL_TOOLS =
      List.of("sh", "dirname", "readlink", "find", "mkdir", "flock", "grep", "head", "sed");

  @TempDir private Path directory;

  private Program program() {
    return new Program(directory)
        .with("PATH", System.getenv("PATH"))
        .with("JAVA_HOME", Checkout.jdk())
        .with("MAVEN_OPTS", "-Dmaven.repo.local=" + localRepository());
  }

  /** Where the running build keeps its artifacts, so that the inner one downloads nothing. */
  private static String localRepository() {
    return System.getProperty("localRepository");
  }

  @Test
  void shouldBuildOnceForAllWhoComeThroughALinkFromAnotherDirectory() throws Exception {
    Path checkout = Checkout.copyTo(directory.resolve("a clone"));
    Path link = Files.createSymbolicLink(directory.resolve("link"), checkout.resolve("gpuos"));

    Program.Running first = program().start(link, "--version");
    Program.Running second = program().start(link, "--version");
    Program.Result one = first.await();
    Program.Result other = second.await();
    assertAll(
        () -> assertEquals(0, one.exitCode(), one::err),
        () -> assertEquals(0, other.exitCode(), other::err),
        () -> assertTrue(one.out().matches("gpuos \\S+ \\(commit .*\\)\\R"), one::out),
        () -> assertEquals(one.out(), other.out()),
        () ->
            assertTrue(
                one.err().contains("gpuos: building, ")
                    != other.err().contains("gpuos: building, "),
                one.err() + other.err()));

    Program.Result again = program().run(link, "--version");
    assertEquals(one.out(), again.out());
    assertEquals("", again.err());

    Path source = checkout.resolve("cli/src/main/java/io/gpuos/cli/Main.java");
    Files.writeString(source, "no Java");
    Program.Result broken = program().run(link, "--version");
    assertEquals(1, broken.exitCode());
    assertEquals("", broken.out());
    assertTrue(broken.err().contains("Main.java:[1,1]"), broken::err);
    assertTrue(broken.err().contains("gpuos: build failed: log="), broken::err);
  }

  @Test
  void shouldSayInOneLineThatMavenIsMissing() throws Exception {
    Path checkout = Checkout.copyTo(directory.resolve("clone"));
    Path path = Checkout.pathWith(directory.resolve("bin"), SHELL_TOOLS);
    Program.Result result =
        new Program(directory)
            .with("PATH", path.toString())
            .with("JAVA_HOME", Checkout.jdk())
            .run(checkout.resolve("gpuos"), "--version");
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().matches("gpuos: no Maven: .*expected=Maven .*\\R"), result::err);
  }

  @Test
  void shouldSayInOneLineWhichJdkIsMissing() throws Exception {
    Program.Result result = findJdk("99.1", "find_jdk");
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(
        result.err().matches("gpuos: no JDK: found=\\d.* at .*, expected=99\\.1 or newer; .*\\R"),
        result::err);
  }

  @Test
  void shouldFindAJdkWhereJavaHomeIsNone() throws Exception {
    Program.Result result = findJdk("25.0.3", "find_jdk; echo \"$JAVA_HOME\"");
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(Files.isExecutable(Path.of(result.out().strip(), "bin/javac")), result::out);
  }

  @Test
  void shouldCompareJdkVersionsByNumber() throws Exception {
    String script =
        """
        for pair in 25.0.3:25.0.3 25.0.10:25.0.3 25.0.3.1:25.0.3 25.1:25.0.3 26:25.0.3 26-ea:25.0.3;
        do
          version_at_least "${pair%:*}" "${pair#*:}" || echo "refused $pair"
        done
        for pair in 25:25.0.3 25.0.2:25.0.3 24.9.9:25.0.3 17.0.15:25.0.3 :25.0.3 1.8.0_392:25; do
          if version_at_least "${pair%:*}" "${pair#*:}"; then echo "took $pair"; fi
        done
        """;
    Program.Result result = findJdk("25.0.3", script);
    assertEquals("", result.out() + result.err());
    assertEquals(0, result.exitCode());
  }

  /** Runs {@code script} with the functions of {@code tools/jdk.sh}; no Java is on the path. */
  private Program.Result findJdk(String minimum, String script)
      throws IOException, InterruptedException {
    Path path = Checkout.pathWith(directory.resolve("bin"), SHELL_TOOLS);
    return new Program(directory)
        .with("PATH", path.toString())
        .with("JAVA_HOME", directory.toString())
        .run(
            path.resolve("sh"),
            "-euc",
            ". \"$1\"; minimum_jdk=$2; " + script,
            "sh",
            Checkout.root().resolve("tools/jdk.sh"),
            minimum);
  }
}

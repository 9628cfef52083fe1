package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
  void shouldTellTheCommitOfTheTreeAndNotOfTheLastBuild() throws Exception {
    Path checkout = Checkout.copyTo(directory.resolve("clone"));
    Files.writeString(checkout.resolve(".gitignore"), "target/\n");
    String clean = commitAll(checkout, "one");
    assertTrue(version(checkout).contains("(commit " + clean + ", "));
    Path source = checkout.resolve("cli/src/main/java/io/gpuos/cli/package-info.java");
    Files.writeString(source, Files.readString(source) + "// changed\n");
    String changed = version(checkout);
    assertTrue(changed.contains("(commit " + clean + "+changes, "), changed);
    String next = commitAll(checkout, "two");
    String committed = version(checkout);
    assertTrue(committed.contains("(commit " + next + ", "), committed);
    Files.writeString(checkout.resolve("README.md"), "changed");
    String again = version(checkout);
    assertTrue(again.contains("(commit " + next + "+changes, "), again);
  }

  private String version(Path checkout) throws Exception {
    Program.Result result = program().run(checkout.resolve("gpuos"), "--version");
    assertEquals(0, result.exitCode(), result::err);
    return result.out();
  }

  /** Commits everything; the abbreviated hash. */
  private String commitAll(Path checkout, String message) throws Exception {
    Program.Result result =
        new Program(checkout)
            .with("PATH", System.getenv("PATH"))
            .with("GIT_CONFIG_GLOBAL", "/dev/null")
            .run(
                "sh",
                "-ec",
                "git init -q . && git add -A && git -c user.name=x -c user.email=x@x commit -qm "
                    + message
                    + " && git rev-parse --short=12 HEAD");
    assertEquals(0, result.exitCode(), result::err);
    return result.out().strip();
  }

  @ParameterizedTest
  @ValueSource(strings = {"build", "test", "format", "nvrtc", "dist"})
  void shouldHelpWithItsOwnCommandsAndDoNothingElse(String command) throws Exception {
    Path gpuos = Checkout.root().resolve("gpuos");
    Path path = Checkout.pathWith(directory.resolve("bin"), List.of("sh", "dirname", "cat"));
    for (String[] words :
        new String[][] {{command, "--help"}, {command, "-h"}, {"help", command}}) {
      Program.Result help =
          new Program(directory)
              .with("PATH", path.toString())
              .run(Stream.concat(Stream.of(gpuos.toString()), Stream.of(words)).toArray());
      assertEquals(0, help.exitCode(), help::err);
      assertTrue(help.out().startsWith("Usage: gpuos " + command + " [--help]"), help::out);
      assertEquals("", help.err());
    }
  }

  @Test
  void shouldRefuseArgumentsOfCommandsThatTakeNone() throws Exception {
    for (String command : List.of("build", "format", "nvrtc")) {
      Program.Result result =
          program().run(Checkout.root().resolve("gpuos"), command, "--no-such-option");
      assertEquals(2, result.exitCode());
      assertTrue(
          result
              .err()
              .matches(
                  "gpuos: %s: unknown argument: argument=--no-such-option, expected=none; .*\\R"
                      .formatted(command)),
          result::err);
    }
  }

  @Test
  void shouldRefuseACheckoutWhosePathHasAColon() throws Exception {
    Path checkout = Files.createDirectory(directory.resolve("a:b"));
    Files.copy(
        Checkout.root().resolve("gpuos"),
        checkout.resolve("gpuos"),
        StandardCopyOption.COPY_ATTRIBUTES);
    Program.Result result = program().run(checkout.resolve("gpuos"), "--version");
    assertEquals(2, result.exitCode());
    assertTrue(result.err().matches("gpuos: path of the checkout: path=.*a:b, .*\\R"), result::err);
  }

  @Test
  void shouldSayInOneLineThatTheJvmRefusesItsOptions() throws Exception {
    Program.Result result =
        program()
            .with("GPUOS_JAVA_OPTIONS", "-Xmx1g -Xbogus")
            .run(Checkout.root().resolve("gpuos"), "--version");
    assertEquals(2, result.exitCode());
    assertEquals("", result.out());
    assertTrue(
        result
            .err()
            .matches(
                "gpuos: JVM does not start: GPUOS_JAVA_OPTIONS=-Xmx1g -Xbogus, reason=.*Xbogus.*\\R"),
        result::err);
  }

  @Test
  void shouldOpenFilesOfAnyNameInTheCLocale() throws Exception {
    Path home = Files.createDirectory(directory.resolve("h\u00f6me \u65e5"));
    for (String variable : List.of("LC_ALL", "LANG")) {
      Program.Result result =
          program()
              .with(variable, "C")
              .with("HOME", home.toString())
              .run(
                  Checkout.root().resolve("gpuos"),
                  "run",
                  "1 + 1",
                  "--device=cpu",
                  "--out",
                  home.resolve("\u00e9.npy"));
      assertEquals(0, result.exitCode(), result::err);
      assertTrue(Files.deleteIfExists(home.resolve("\u00e9.npy")));
    }
  }

  @Test
  void shouldMindTheFateOfWhatItPrints() throws Exception {
    String gpuos = "'" + Checkout.root().resolve("gpuos") + "'";
    Program.Result full = program().run("sh", "-c", gpuos + " ops >/dev/full");
    assertEquals(1, full.exitCode());
    assertTrue(
        full.err().matches("gpuos: cannot write: file=standard output, reason=.*\\R"), full::err);
    Program.Result gone =
        program().run("sh", "-c", "{ " + gpuos + " ops; echo $? >&2; } | head -n 1");
    assertEquals("0\n", gone.err());
    Program.Result piped =
        program()
            .run("sh", "-c", gpuos + " run '1 + 1' --device=cpu --out - | head -c 6 | tail -c 5");
    assertEquals("NUMPY", piped.out());
    assertTrue(piped.err().matches("wrote - i64\\[\\], computed on cpu in .*\\R"), piped::err);
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

package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody does with the distribution on a machine without Java. */
class DistIT {

  private static final long LIMIT_BYTES = 40_000_000;

  @TempDir private Path directory;

  private Program program() {
    return new Program(directory)
        .with("PATH", System.getenv("PATH"))
        .with("JAVA_HOME", Checkout.jdk());
  }

  @Test
  void shouldRunWithoutJavaWhereverItIsUnpacked() throws Exception {
    Path archive = directory.resolve("gpuos dist.tar.gz");
    Program.Result packed =
        program().run(Checkout.root().resolve("gpuos"), "dist", "--out", archive);
    assertEquals(0, packed.exitCode(), packed::err);
    assertTrue(Files.size(archive) < LIMIT_BYTES, packed::out);

    Path unpacked = Files.createDirectory(directory.resolve("another place"));
    assertEquals(0, program().run("tar", "-xzf", archive, "-C", unpacked).exitCode());
    Path home = onlyEntry(unpacked);
    Path link = Files.createSymbolicLink(directory.resolve("link"), home.resolve("bin/gpuos"));
    Program.Result version = withoutJava().run(link, "--version");
    assertAll(
        () -> assertEquals(0, version.exitCode(), version::err),
        () -> assertTrue(version.out().startsWith("gpuos "), version::out),
        () -> assertEquals("", version.err()));

    Program.Result strict =
        withoutJava().with("GPUOS_JAVA_OPTIONS", "-XX:AOTMode=on").run(link, "--version");
    assertEquals(version, strict, "the start-up cache does not fit");
  }

  @Test
  void shouldRefuseWhatItCannotDoInOneLine() throws Exception {
    Path gpuos = Checkout.root().resolve("gpuos");
    Program.Result place = program().run(gpuos, "dist", "--out", directory.resolve("none/x.tgz"));
    Program.Result argument = program().run(gpuos, "dist", "--no-such-option");
    assertAll(
        () -> assertEquals(2, place.exitCode()),
        () -> assertTrue(place.err().matches("gpuos: dist: not writable: file=.*\\R"), place::err),
        () -> assertEquals(2, argument.exitCode()),
        () -> assertTrue(argument.err().matches("gpuos: dist: unknown .*\\R"), argument::err));
  }

  private Program withoutJava() throws Exception {
    Path bin = directory.resolve("bin");
    Checkout.pathWith(bin, List.of("sh", "readlink"));
    return new Program(directory).with("PATH", bin.toString());
  }

  private static Path onlyEntry(Path directory) throws Exception {
    try (Stream<Path> entries = Files.list(directory)) {
      List<Path> all = entries.toList();
      assertEquals(1, all.size(), all::toString);
      return all.getFirst();
    }
  }
}

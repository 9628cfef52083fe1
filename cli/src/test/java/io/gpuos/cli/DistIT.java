package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
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
        () -> assertTrue(version.out().contains("(commit " + commit() + ", "), version::out),
        () -> assertEquals("", version.err()));

    Program.Result strict =
        withoutJava().with("GPUOS_JAVA_OPTIONS", "-XX:AOTMode=on").run(link, "--version");
    assertEquals(version, strict, "the start-up cache does not fit");
  }

  @Test
  void shouldWriteThroughLinksAndToPipesAndLeaveOtherFilesAlone() throws Exception {
    Path gpuos = Checkout.root().resolve("gpuos");
    Path target = directory.resolve("target.tgz");
    Path link = Files.createSymbolicLink(directory.resolve("link.tgz"), Path.of("target.tgz"));
    Path mine = Files.writeString(directory.resolve("link.tgz.part"), "mine");
    Program.Result packed = program().run(gpuos, "dist", "--out", link);
    assertEquals(0, packed.exitCode(), packed::err);
    assertTrue(Files.isSymbolicLink(link));
    assertEquals("mine", Files.readString(mine));

    Program.Result piped =
        program().run("sh", "-c", "'%s' dist --out - | gzip -t".formatted(gpuos));
    assertEquals(0, piped.exitCode(), piped::err);
    assertEquals("", piped.out());
    Program.Result full = program().run(gpuos, "dist", "--out", "/dev/full");
    assertEquals(1, full.exitCode(), full::err);
    assertTrue(full.err().contains("gpuos: dist: cannot write: file=/dev/full"), full::err);
    assertFalse(Files.isRegularFile(Path.of("/dev/full")));
    assertTrue(Files.size(target) > 1_000_000);
    assertEquals(3, directory.toFile().list().length, "something is left behind");
  }

  private static String commit() throws Exception {
    Path root = Checkout.root();
    Process process =
        new ProcessBuilder("sh", root.resolve("tools/commit.sh").toString(), root.toString())
            .start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
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
    Path folder = Files.createDirectory(directory.resolve("folder"));
    Path loop = Files.createSymbolicLink(directory.resolve("loop"), Path.of("loop"));
    for (Path out : List.of(folder, loop)) {
      Program.Result refused = program().run(gpuos, "dist", "--out", out);
      assertEquals(2, refused.exitCode(), refused::err);
      assertTrue(refused.err().matches("gpuos: dist: not writable: .*\\R"), refused::err);
    }
    assertEquals(0, folder.toFile().list().length);
    assertEquals(2, directory.toFile().list().length, "something is left behind");
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

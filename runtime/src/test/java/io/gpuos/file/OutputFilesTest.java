package io.gpuos.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.FileFormatException;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class OutputFilesTest {

  @TempDir private Path directory;

  private static OutputFiles.Contents text(String text) {
    return channel -> channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  private Path path(String name) {
    return directory.resolve(name);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static String refusal(Path file) {
    String message =
        assertThrows(FileFormatException.class, () -> OutputFiles.requireWritable(file))
            .getMessage();
    assertEquals(
        message,
        assertThrows(
                FileFormatException.class, () -> OutputFiles.writeOne(file, text("never written")))
            .getMessage());
    return message;
  }

  @Test
  void shouldShowAllFilesAtOnce() throws IOException {
    Path old = Files.writeString(path("old"), "before");
    try (OutputFiles files = new OutputFiles()) {
      files.write(old, text("after"));
      files.write(path("new"), text("new"));
      assertEquals("before", Files.readString(old));
      assertFalse(Files.exists(path("new")));
      files.commit();
    }
    assertEquals("after", Files.readString(old));
    assertEquals("new", Files.readString(path("new")));
    assertEquals(List.of("new", "old"), names());
  }

  @Test
  void shouldShowNoneWhenOneFails() throws IOException {
    Path old = Files.writeString(path("old"), "before");
    FileFormatException failure =
        assertThrows(
            FileFormatException.class,
            () -> {
              try (OutputFiles files = new OutputFiles()) {
                files.write(old, text("after"));
                files.write(
                    path("new"),
                    channel -> {
                      text("half").writeTo(channel);
                      throw new IOException("disk on fire");
                    });
                files.commit();
              }
            });
    assertTrue(failure.getMessage().contains("reason=disk on fire"), failure::getMessage);
    assertEquals("before", Files.readString(old));
    assertEquals(List.of("old"), names());
  }

  @Test
  void shouldLeaveFilesOfSimilarNamesAlone() throws IOException {
    for (String mine : List.of("x.part", "x.tmp", ".x.tmp", "x~")) {
      Files.writeString(path(mine), mine);
    }
    OutputFiles.requireWritable(path("x"));
    OutputFiles.writeOne(path("x"), text("x"));
    for (String mine : List.of("x.part", "x.tmp", ".x.tmp", "x~")) {
      assertEquals(mine, Files.readString(path(mine)));
    }
  }

  @Test
  void shouldKeepPermissionsOfWhatItReplaces() throws IOException {
    Path file = Files.writeString(path("private"), "before");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    OutputFiles.writeOne(file, text("after"));
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
  }

  @Test
  void shouldFollowLinksToFilesThatAreThereAndThatAreNot() throws IOException {
    Path folder = Files.createDirectory(path("folder"));
    for (String name : List.of("there", "missing")) {
      Path target = folder.resolve(name);
      if (name.equals("there")) {
        Files.writeString(target, "before");
      }
      Path near = Files.createSymbolicLink(folder.resolve("near-" + name), Path.of(name));
      Path link = Files.createSymbolicLink(path(name), Path.of("folder/near-" + name));
      OutputFiles.requireWritable(link);
      OutputFiles.writeOne(link, text("after"));
      assertEquals("after", Files.readString(target));
      assertTrue(Files.isSymbolicLink(link) && Files.isSymbolicLink(near));
      assertEquals(Optional.of(target.toRealPath()), OutputFiles.replaced(link));
    }
  }

  @Test
  void shouldRefuseLoopsOfLinksAndLinksToNowhere() throws IOException {
    Path one = Files.createSymbolicLink(path("one"), Path.of("two"));
    Files.createSymbolicLink(path("two"), Path.of("one"));
    assertTrue(refusal(one).contains("found=a loop of symbolic links"), refusal(one));
    Path nowhere = Files.createSymbolicLink(path("nowhere"), Path.of("none/file"));
    assertTrue(refusal(nowhere).contains("found=no such directory"), refusal(nowhere));
    Path folder = Files.createSymbolicLink(path("folder"), directory);
    assertTrue(refusal(folder).contains("found=a directory"), refusal(folder));
  }

  @Test
  void shouldWriteToPipesAndKeepThem() throws Exception {
    Path pipe = path("pipe");
    Process made = new ProcessBuilder("mkfifo", pipe.toString()).start();
    assertEquals(0, made.waitFor());
    OutputFiles.requireWritable(pipe);
    CompletableFuture<String> read =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return Files.readString(pipe);
              } catch (IOException e) {
                return e.toString();
              }
            });
    OutputFiles.writeOne(pipe, text("through"));
    assertEquals("through", read.get(10, TimeUnit.SECONDS));
    assertTrue(Files.readAttributes(pipe, "isOther").containsValue(true));
    assertEquals(List.of("pipe"), names());
    assertEquals(Optional.empty(), OutputFiles.replaced(pipe));
  }

  @Test
  void shouldWriteToDevicesAndKeepThem() throws IOException {
    OutputFiles.writeOne(Path.of("/dev/null"), text("nothing"));
    Path link = Files.createSymbolicLink(path("full"), Path.of("/dev/full"));
    OutputFiles.requireWritable(link);
    FileFormatException failure =
        assertThrows(
            FileFormatException.class, () -> OutputFiles.writeOne(link, text("something")));
    assertTrue(failure.getMessage().startsWith("cannot write: file=" + link + ", reason="));
    for (String device : List.of("/dev/null", "/dev/full")) {
      assertTrue(Files.readAttributes(Path.of(device), "isOther").containsValue(true), device);
    }
  }

  @Test
  void shouldKnowStandardOutputByAllItsNames() throws IOException {
    Path link = Files.createSymbolicLink(path("link"), Path.of("/dev/stdout"));
    for (Path name :
        List.of(
            Path.of("-"),
            Path.of("/dev/stdout"),
            Path.of("/dev/fd/1"),
            Path.of("/proc/self/fd/1"),
            Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/1"),
            link)) {
      assertTrue(OutputFiles.isStandardOutput(name), name::toString);
      OutputFiles.requireWritable(name);
      assertEquals(Optional.empty(), OutputFiles.replaced(name));
    }
    assertFalse(OutputFiles.isStandardOutput(Path.of("/dev/stderr")));
    assertFalse(OutputFiles.isStandardOutput(path("1")));
  }

  @Test
  void shouldRemoveWhatItWroteAsideWhenToldToEnd() throws Exception {
    Path file = Files.writeString(path("y"), "before");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                classes(OutputFiles.class) + File.pathSeparator + classes(OutputFilesTest.class),
                Slow.class.getName(),
                file.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertEquals('.', process.getInputStream().read());
    assertEquals(2, names().size(), () -> "the process writes aside");
    process.destroy(); // SIGTERM
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    assertEquals(143, process.exitValue());
    assertEquals(List.of("y"), names());
    assertEquals("before", Files.readString(file));
  }

  private static String classes(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  /** A program in the middle of a write. */
  static final class Slow {

    private Slow() {}

    public static void main(String[] arguments) {
      OutputFiles.writeOne(
          Path.of(arguments[0]),
          channel -> {
            text("half").writeTo(channel);
            System.out.print('.');
            System.out.flush();
            try {
              Thread.sleep(60_000);
            } catch (InterruptedException e) {
              throw new IOException(e);
            }
          });
    }
  }
}

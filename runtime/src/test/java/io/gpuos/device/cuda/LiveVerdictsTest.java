package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.cuda.LiveVerdicts.Subject;
import io.gpuos.device.cuda.LiveVerdicts.Verdict;
import io.gpuos.driver.FakeGpu;
import io.gpuos.jit.CompileService;
import io.gpuos.jit.DiskCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LiveVerdictsTest {

  private static final Subject SUBJECT =
      new Subject("Some GPU", "sm_90", "13000 580", "nvrtc 13.0", "1.0 ab");
  private static final Verdict PASSED =
      new Verdict(true, "plain, stack", Instant.parse("2026-01-02T03:04:05Z"));

  @TempDir private Path directory;

  private LiveVerdicts open() {
    return new LiveVerdicts(DiskCache.open(directory.resolve("cache"), 1 << 20));
  }

  @Test
  void shouldFindTheLastVerdictInAnotherProcess() {
    assertEquals(Optional.empty(), open().find(SUBJECT));
    assertTrue(open().keep(SUBJECT, PASSED));
    assertEquals(Optional.of(PASSED), open().find(SUBJECT));
    Verdict failed = new Verdict(false, "stack wrong\nand more", Instant.now());
    assertTrue(open().keep(SUBJECT, failed));
    assertEquals(Optional.of(failed), open().find(SUBJECT));
    assertEquals("stack wrong", failed.reason());
  }

  @Test
  void shouldNotGoByTheVerdictOfAnythingElse() {
    LiveVerdicts verdicts = open();
    verdicts.keep(SUBJECT, PASSED);
    for (Subject other :
        List.of(
            new Subject("Another", "sm_90", "13000 580", "nvrtc 13.0", "1.0 ab"),
            new Subject("Some GPU", "sm_80", "13000 580", "nvrtc 13.0", "1.0 ab"),
            new Subject("Some GPU", "sm_90", "13000 590", "nvrtc 13.0", "1.0 ab"),
            new Subject("Some GPU", "sm_90", "13000 580", "nvrtc 13.1", "1.0 ab"),
            new Subject("Some GPU", "sm_90", "13000 580", "nvrtc 13.0", "1.0 cd"))) {
      assertEquals(Optional.empty(), verdicts.find(other), other::toString);
    }
  }

  @Test
  void shouldNotGoByAFileThatOthersMayWriteOrThatIsDamaged() throws IOException {
    for (boolean damage : new boolean[] {true, false}) {
      open().keep(SUBJECT, PASSED);
      Path file = entry();
      if (damage) {
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
      } else {
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
      }
      assertEquals(Optional.empty(), open().find(SUBJECT));
    }
  }

  @Test
  void shouldSayThatAVerdictIsNotKeptWhereNothingCanBe() throws IOException {
    Files.writeString(directory.resolve("cache"), "not a folder");
    assertFalse(open().keep(SUBJECT, PASSED));
  }

  private Path entry() throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.filter(Files::isRegularFile).findFirst().orElseThrow();
    }
  }

  @Test
  void shouldNameDeviceDriverCompilerAndBuild() {
    try (CompileService compiler = CompileService.open(0, 1)) {
      Subject subject = Subject.of(new FakeGpu().cuda().device(0), compiler);
      assertTrue(subject.device().startsWith("Fake 70"), subject::toString);
      assertTrue(subject.architecture().startsWith("sm_"), subject::toString);
      assertTrue(subject.driver().matches("\\d+ \\S+"), subject::toString);
      assertTrue(subject.compiler().startsWith("nvrtc "), subject::toString);
      assertTrue(subject.build().matches("\\d+\\.\\S+ [0-9a-f]{64}"), subject::toString);
    }
  }
}

package io.gpuos.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.driver.Candidate.Outcome;
import io.gpuos.driver.Candidate.Source;
import io.gpuos.error.DeviceUnavailableException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The look-up over made-up machines. Loadable libraries are copies of a small one that every JDK
 * has; nvJitLink serves as the library without further demands.
 */
class LibrarySearchTest {

  private static final Path REAL =
      Path.of(System.getProperty("java.home"), "lib", "libsyslookup.so");
  private static final String SONAME = "libnvJitLink.so.13";

  @TempDir Path machine;

  private final Map<String, String> properties = new HashMap<>();
  private final Map<String, String> variables = new HashMap<>();

  @BeforeEach
  void setUp() throws IOException {
    assumeTrue(
        NativeLibrary.open(SONAME).library().isEmpty(),
        "needs a machine whose own loader does not know nvJitLink");
    variables.put("HOME", Files.createDirectories(machine.resolve("home")).toString());
  }

  private LibrarySearch.Found find(Library library) {
    return LibrarySearch.find(library, new Surroundings(properties::get, variables::get, machine));
  }

  private Path install(String folder) throws IOException {
    return install(folder, SONAME);
  }

  private Path install(String folder, String name) throws IOException {
    Path file = machine.resolve(folder).resolve(name);
    Files.createDirectories(file.getParent());
    return Files.copy(REAL, file);
  }

  private static List<Candidate> with(LibrarySearch.Found found, Outcome outcome) {
    return found.result().candidates().stream().filter(c -> c.outcome() == outcome).toList();
  }

  private static Candidate taken(LibrarySearch.Found found) {
    List<Candidate> taken = with(found, Outcome.TAKEN);
    assertEquals(1, taken.size(), () -> found.result().toString());
    assertEquals(found.result().path().orElseThrow(), found.library().orElseThrow().path());
    return taken.getFirst();
  }

  private static String reason(LibrarySearch.Found found, Path path) {
    return found.result().candidates().stream()
        .filter(c -> c.path().equals(path.toString()))
        .findFirst()
        .orElseThrow(() -> new AssertionError(found.result()))
        .reason();
  }

  @Test
  void shouldObeySettingOfFileOrFolder() throws IOException {
    Path file = install("own");
    install("usr/local/cuda/lib64");
    for (Path setting : List.of(file, file.getParent())) {
      properties.put("gpuos.library.nvjitlink", setting.toString());
      LibrarySearch.Found found = find(Library.NVJITLINK);
      assertEquals(Source.SETTING, taken(found).source());
      assertEquals(file.toString(), taken(found).path());
      assertEquals(1, with(found, Outcome.NOT_TRIED).size());
    }
  }

  @Test
  void shouldPreferPropertyOverVariable() throws IOException {
    Path first = install("first");
    properties.put("gpuos.library.nvjitlink", first.toString());
    variables.put("GPUOS_NVJITLINK", install("second").toString());
    assertEquals(first.toString(), taken(find(Library.NVJITLINK)).path());
    properties.clear();
    assertTrue(taken(find(Library.NVJITLINK)).path().contains("second"));
  }

  @Test
  void shouldTryNothingElseWhenASettingFails() throws IOException {
    install("usr/local/cuda/lib64");
    Path missing = machine.resolve("nowhere/lib.so");
    properties.put("gpuos.library.nvjitlink", missing.toString());
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertTrue(found.library().isEmpty());
    assertTrue(reason(found, missing).contains("cannot open shared object file"));
    assertEquals(1, with(found, Outcome.NOT_TRIED).size());
  }

  @Test
  void shouldSayWhyThereIsNoDriver() throws IOException {
    Path empty = Files.createDirectories(machine.resolve("empty"));
    Path file = empty.resolve("libcuda.so.1");
    properties.put("gpuos.library.cuda", file.toString());
    LibrarySearch.Found found = find(Library.CUDA);
    var e = assertThrows(DeviceUnavailableException.class, found::orThrow);
    assertTrue(
        e.getMessage()
            .startsWith(
                "library not usable: library=CUDA, reason="
                    + file
                    + ": cannot open shared object file"),
        e.getMessage());
    assertTrue(e.getMessage().contains("expected=an NVIDIA driver"), e.getMessage());
    properties.put("gpuos.library.cuda", empty.toString());
    e = assertThrows(DeviceUnavailableException.class, () -> find(Library.CUDA).orThrow());
    assertTrue(e.getMessage().contains("no libcuda.so.1 in this directory"), e.getMessage());
  }

  @Test
  void shouldGiveTheLoadersReasonWithoutAnySetting() {
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertTrue(found.library().isEmpty());
    String expected = SONAME + ": cannot open shared object file: No such file or directory";
    assertEquals(expected, found.result().reason());
    assertEquals(
        List.of(Source.LOADED, Source.PIP, Source.LOADER, Source.SYSTEM, Source.MAVEN),
        found.result().candidates().stream().map(Candidate::source).distinct().toList());
    assertEquals(found.result().candidates(), with(found, Outcome.REJECTED));
  }

  @Test
  void shouldTakeTheFirstInOrderAndListTheRest() throws IOException {
    variables.put("CUDA_PATH", machine.resolve("toolkit").toString());
    Path toolkit = install("toolkit/lib64");
    Path system = install("usr/local/cuda-13.0/lib64");
    assertEquals(Source.CUDA_HOME, taken(find(Library.NVJITLINK)).source());
    variables.put("VIRTUAL_ENV", machine.resolve("venv").toString());
    Path pip = install("venv/lib/python3.12/site-packages/nvidia/cu13/lib");
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertEquals(pip.toString(), taken(found).path());
    List<String> rest = with(found, Outcome.NOT_TRIED).stream().map(Candidate::path).toList();
    assertTrue(rest.containsAll(List.of(toolkit.toString(), system.toString())), rest::toString);
    assertEquals(pip + " was taken", reason(found, toolkit));
  }

  @Test
  void shouldPassOverBrokenFilesWithTheLoadersReason() throws IOException {
    Path broken = machine.resolve("usr/local/cuda-13.10/lib64").resolve(SONAME);
    Files.createDirectories(broken.getParent());
    Files.writeString(broken, "not a library, though long enough to be looked at".repeat(20));
    Path good = install("usr/local/cuda-13.9/lib64");
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertEquals(good.toString(), taken(found).path());
    assertTrue(reason(found, broken).contains("invalid ELF header"), reason(found, broken));
    Files.delete(good);
    assertTrue(find(Library.NVJITLINK).result().reason().contains("invalid ELF header"));
  }

  @Test
  void shouldTakeTheNewestToolkit() throws IOException {
    install("usr/local/cuda-12.9/lib64", "libnvJitLink.so.12");
    install("usr/local/cuda-13.9/lib64");
    Path newest = install("usr/local/cuda-13.10/lib64");
    assertEquals(newest.toString(), taken(find(Library.NVJITLINK)).path());
  }

  @Test
  void shouldFindPackagesOfAPythonOnThePath() throws IOException {
    Path pip = install("py/lib/python3.11/site-packages/nvidia/nvjitlink/lib");
    Path bin = Files.createDirectories(machine.resolve("py/bin"));
    Path python = Files.createFile(bin.resolve("python3.11"));
    python.toFile().setExecutable(true);
    Path other = Files.createDirectories(machine.resolve("links"));
    Files.createSymbolicLink(other.resolve("python3"), python);
    variables.put("PATH", "/nonexistent::" + other);
    assertEquals(pip.toString(), taken(find(Library.NVJITLINK)).path());
  }

  @Test
  void shouldRefuseLibrariesThatAreNotWhatTheirNameSays() throws IOException {
    Path driver = install("fake", "libcuda.so.1");
    properties.put("gpuos.library.cuda", driver.toString());
    assertEquals("exports no cuInit", reason(find(Library.CUDA), driver));
    Path compiler = install("fake", "libnvrtc.so.13");
    properties.put("gpuos.library.nvrtc", compiler.toString());
    assertEquals("exports no nvrtcVersion", reason(find(Library.NVRTC), compiler));
  }

  @Test
  void shouldUnpackTheRedistributionJarOnce() throws IOException {
    Path jar = jar(machine.resolve("home/.m2/repository"), "13.9");
    jar(machine.resolve("home/.m2/repository"), "13.10");
    LibrarySearch.Found found = find(Library.NVJITLINK);
    Candidate taken = taken(found);
    assertEquals(Source.MAVEN, taken.source());
    Path file = Path.of(taken.path());
    Path folder = machine.resolve("home/.cache/gpuos/libraries/cuda-redist-13.10-" + platform());
    assertEquals(folder.resolve("nvjitlink").resolve(SONAME), file);
    assertEquals(jar + "", with(found, Outcome.NOT_TRIED).getFirst().path());
    assertEquals(
        "rwx------",
        PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
    var written = Files.getLastModifiedTime(file);
    assertEquals(file.toString(), taken(find(Library.NVJITLINK)).path());
    assertEquals(written, Files.getLastModifiedTime(file));
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(
          List.of(".lock", "nvjitlink"),
          left.map(p -> p.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void shouldUnpackAnewWhatWasDamaged() throws IOException {
    jar(machine.resolve("home/.m2/repository"), "13.3");
    Path file = Path.of(taken(find(Library.NVJITLINK)).path());
    byte[] good = Files.readAllBytes(file);
    byte[] flipped = good.clone();
    flipped[good.length / 2] ^= 1;
    for (byte[] bad : new byte[][] {{}, Arrays.copyOf(good, 5000), flipped}) {
      Files.delete(file); // what is loaded must not change
      Files.write(file, bad);
      assertEquals(file.toString(), taken(find(Library.NVJITLINK)).path());
      assertArrayEquals(good, Files.readAllBytes(file));
    }
    Files.delete(file);
    assertEquals(file.toString(), taken(find(Library.NVJITLINK)).path());
  }

  @Test
  void shouldReadUntouchedFilesOnceOnly() throws IOException {
    jar(machine.resolve("home/.m2/repository"), "13.3");
    Path file = Path.of(taken(find(Library.NVJITLINK)).path());
    Path verified = file.resolveSibling(".verified");
    var time = Files.getLastModifiedTime(verified);
    find(Library.NVJITLINK);
    assertEquals(time, Files.getLastModifiedTime(verified));
    Files.setLastModifiedTime(file, FileTime.fromMillis(0));
    find(Library.NVJITLINK);
    assertNotEquals(time, Files.getLastModifiedTime(verified));
  }

  @Test
  void shouldRemoveWhatKilledProcessesLeft() throws IOException {
    jar(machine.resolve("home/.m2/repository"), "13.3");
    Path folder = Path.of(taken(find(Library.NVJITLINK)).path()).getParent();
    Path left = Files.createDirectory(folder.resolveSibling(".unpacking-123"));
    Files.writeString(left.resolve(SONAME), "half");
    taken(find(Library.NVJITLINK));
    assertFalse(Files.exists(left));
  }

  @Test
  void shouldRefuseTruncatedLibrariesAndNotDieOfThem() throws IOException {
    Path file = install("usr/local/cuda/lib64");
    Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 4096));
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertTrue(found.library().isEmpty());
    assertTrue(
        reason(found, file).startsWith("truncated library: file=" + file + ", bytes=4096"),
        reason(found, file));
  }

  @Test
  void shouldPassOverSettingsThatAreNoPaths() {
    for (String variable : List.of("HOME", "VIRTUAL_ENV", "PATH", "CUDA_HOME")) {
      variables.put(variable, "/n\0ne");
    }
    assertTrue(find(Library.NVJITLINK).library().isEmpty());
    variables.put("GPUOS_NVJITLINK", "/n\0ne");
    LibrarySearch.Found found = find(Library.NVJITLINK);
    var e = assertThrows(DeviceUnavailableException.class, found::orThrow);
    assertTrue(e.getMessage().contains("not a path in this locale: GPUOS_NVJITLINK="), e::toString);
  }

  @Test
  void shouldRefuseADamagedJarAndLeaveNothingBehind() throws IOException {
    Path jar = jar(machine.resolve("m2"), "13.3");
    properties.put("maven.repo.local", machine.resolve("m2").toString());
    byte[] bytes = Files.readAllBytes(jar);
    bytes[200] ^= 1;
    Files.write(jar, bytes);
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertTrue(found.library().isEmpty());
    assertTrue(reason(found, jar).contains("damaged"), reason(found, jar));
    try (Stream<Path> files = Files.walk(machine.resolve("home/.cache"))) {
      assertEquals(
          List.of(".lock"),
          files.filter(Files::isRegularFile).map(p -> p.getFileName().toString()).toList());
    }
  }

  @Test
  void shouldSayWhenTheCacheCannotTakeTheJar() throws IOException {
    Path jar = jar(machine.resolve("home/.m2/repository"), "13.3");
    properties.put("gpuos.cache", "/proc/self/gpuos");
    LibrarySearch.Found found = find(Library.NVJITLINK);
    assertTrue(found.library().isEmpty());
    assertTrue(reason(found, jar).contains("/proc/self/gpuos"), reason(found, jar));
  }

  @Test
  void shouldNotOfferTheDriverFromPipOrMaven() throws IOException {
    jar(machine.resolve("home/.m2/repository"), "13.3");
    assertFalse(
        find(Library.CUDA).result().candidates().stream()
            .anyMatch(c -> c.source() == Source.PIP || c.source() == Source.MAVEN));
  }

  @Test
  void shouldTakeWhatTheProcessHasLoadedAlready() {
    Nvrtc nvrtc = Nvrtc.open();
    LibrarySearch.Found found = find(Library.NVRTC);
    assertEquals(Source.LOADED, taken(found).source());
    assertEquals(nvrtc.libraryPath(), found.library().orElseThrow().path());
  }

  private static Path jar(Path repository, String version) throws IOException {
    String name = "cuda-redist-" + version + "-" + platform() + ".jar";
    Path jar = repository.resolve("org/bytedeco/cuda-redist").resolve(version).resolve(name);
    Files.createDirectories(jar.getParent());
    try (OutputStream out = Files.newOutputStream(jar);
        ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.setLevel(0);
      for (String entry : List.of(SONAME, "libother.so.1")) {
        zip.putNextEntry(new ZipEntry("org/bytedeco/cuda/x/" + entry));
        zip.write(Files.readAllBytes(REAL));
        zip.closeEntry();
      }
    }
    return jar;
  }

  private static String platform() {
    return System.getProperty("os.arch").equals("aarch64") ? "linux-arm64" : "linux-x86_64";
  }
}

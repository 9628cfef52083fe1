package io.gpuos.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CacheDirectoryTest {

  @TempDir Path home;

  private final Map<String, String> properties = new HashMap<>();
  private final Map<String, String> variables = new HashMap<>();

  private CacheDirectory.Located locate() {
    return CacheDirectory.locate(new Surroundings(properties::get, variables::get, Path.of("/")));
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static void setMode(Path path, String mode) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
  }

  @Test
  void shouldTakePropertyThenVariableThenXdgThenHome() throws IOException {
    variables.put("HOME", home.toString());
    assertEquals(Optional.of(home.resolve(".cache/gpuos")), locate().path());
    assertEquals("rwx------", mode(home.resolve(".cache/gpuos")));
    variables.put("XDG_CACHE_HOME", "relative/is/ignored");
    assertEquals(Optional.of(home.resolve(".cache/gpuos")), locate().path());
    variables.put("XDG_CACHE_HOME", home.resolve("xdg").toString());
    assertEquals(Optional.of(home.resolve("xdg/gpuos")), locate().path());
    variables.put("GPUOS_CACHE", home.resolve("v").toString());
    assertEquals(Optional.of(home.resolve("v")), locate().path());
    properties.put("gpuos.cache", home.resolve("p").toString());
    assertEquals(Optional.of(home.resolve("p")), locate().path());
  }

  @Test
  void shouldSayWhyThereIsNoPlace() {
    assertEquals(Optional.empty(), locate().path());
    assertTrue(locate().reason().contains("HOME is not set"), locate().reason());
    variables.put("HOME", "/proc/self");
    assertEquals(Optional.empty(), locate().path());
    assertTrue(locate().reason().contains("/proc/self/.cache"), locate().reason());
  }

  @Test
  void shouldSayWhyWhereASettingIsNoPath() {
    String none = home + "/n\0ne";
    variables.put("HOME", home.toString());
    variables.put("XDG_CACHE_HOME", none);
    assertEquals(Optional.of(home.resolve(".cache/gpuos")), locate().path());
    for (String variable : new String[] {"HOME", "GPUOS_CACHE"}) {
      variables.put(variable, none);
      assertEquals(Optional.empty(), locate().path());
      assertTrue(
          locate().reason().startsWith("not a path in this locale: " + variable + "="),
          locate().reason());
    }
  }

  @Test
  void shouldRefuseLinks() throws IOException {
    Path real = CacheDirectory.create(home.resolve("real"));
    Path link = Files.createSymbolicLink(home.resolve("link"), real);
    var e = assertThrows(IOException.class, () -> CacheDirectory.create(link));
    assertTrue(e.getMessage().contains("expected=a directory, not a link"), e.getMessage());
    Path file = Files.createFile(home.resolve("file"));
    assertThrows(IOException.class, () -> CacheDirectory.create(file));
    assertThrows(IOException.class, () -> CacheDirectory.check(real, false));
  }

  @Test
  void shouldRefuseFoldersOthersCanWrite() throws IOException {
    Path folder = CacheDirectory.create(home.resolve("shared"));
    for (String mode : new String[] {"rwxrwx---", "rwx----w-"}) {
      setMode(folder, mode);
      var e = assertThrows(IOException.class, () -> CacheDirectory.create(folder));
      assertTrue(e.getMessage().contains("chmod go-w"), e.getMessage());
    }
    setMode(folder, "rwxr-xr-x");
    assertEquals(folder, CacheDirectory.create(folder));
  }

  @Test
  void shouldRefuseFoldersOfAnotherUser() throws IOException {
    assumeTrue(Libc.effectiveUserId() == 0, "only root can give a folder away");
    Path folder = CacheDirectory.create(home.resolve("theirs"));
    Files.setAttribute(folder, "unix:uid", 12345);
    var e = assertThrows(IOException.class, () -> CacheDirectory.create(folder));
    assertTrue(e.getMessage().contains("owner=12345, expected=owner 0"), e.getMessage());
  }
}

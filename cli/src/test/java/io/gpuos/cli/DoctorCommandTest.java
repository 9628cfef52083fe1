package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorCommandTest {

  private static final String CACHE = "gpuos.cache";

  @TempDir private Path directory;
  private String cacheBefore;

  @BeforeEach
  void useACacheOfItsOwn() {
    cacheBefore = System.getProperty(CACHE);
    System.setProperty(CACHE, directory.resolve("cache").toString());
  }

  @AfterEach
  void useTheCacheOfBefore() {
    if (cacheBefore == null) {
      System.clearProperty(CACHE);
    } else {
      System.setProperty(CACHE, cacheBefore);
    }
  }

  @Test
  void shouldGiveACompleteAccountInJson() {
    Program.Result result = Command.run("doctor", "--json", "--injection=live");
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    for (Object library : (List<?>) json.get("libraries")) {
      List<?> candidates = (List<?>) ((Map<?, ?>) library).get("candidates");
      assertFalse(candidates.isEmpty(), library::toString);
      for (Object candidate : candidates) {
        Map<?, ?> place = (Map<?, ?>) candidate;
        assertTrue(
            List.of("taken", "rejected", "not_tried").contains(place.get("outcome")),
            place::toString);
        assertFalse(place.get("reason").toString().isEmpty(), place::toString);
      }
    }
    Map<?, ?> driver = (Map<?, ?>) json.get("driver");
    boolean gpu = !((List<?>) driver.get("devices")).isEmpty();
    assertEquals(gpu, driver.get("problem") == null, driver::toString);
    Map<?, ?> jdk = (Map<?, ?>) json.get("jdk");
    assertEquals(Runtime.version().toString(), jdk.get("version"));
    Map<?, ?> cache = (Map<?, ?>) json.get("cache");
    assertEquals(directory.resolve("cache/cubin").toString(), cache.get("folder"));
    assertEquals(0.0, cache.get("entries"));
    Map<?, ?> selfTest = (Map<?, ?>) json.get("self_test");
    if (!gpu) {
      assertEquals("not_run", selfTest.get("result"));
      assertTrue(selfTest.get("reason").toString().startsWith("no GPU: "), selfTest::toString);
      assertEquals(false, selfTest.get("kept"));
    }
    Map<?, ?> trial = (Map<?, ?>) ((List<?>) json.get("trials")).getFirst();
    assertEquals("cpu", trial.get("device"));
    assertEquals(true, trial.get("correct"), trial::toString);
    assertEquals(true, ((Map<?, ?>) trial.get("injection")).get("live"), trial::toString);
    assertTrue(trial.get("open_phases") instanceof List, trial::toString);
  }

  @Test
  void shouldTellPeopleWhatWorksAndWhatDoesNot() {
    Program.Result result = Command.run("doctor");
    assertEquals(0, result.exitCode(), result::err);
    String out = result.out();
    assertAll(
        () -> assertTrue(out.contains("Library cuda: "), out),
        () -> assertTrue(out.contains("Library nvrtc: "), out),
        () -> assertTrue(out.contains("trial of cpu"), out),
        () -> assertTrue(out.contains("results correct"), out),
        () -> assertTrue(out.matches("(?s).*\\n  cpu +live +an operator is a JVM class.*"), out),
        () -> assertTrue(out.contains("the only way on this device"), out));
  }

  @Test
  void shouldLeaveOutTheSelfTestWhenAskedTo() {
    Program.Result result = Command.run("doctor", "--no-self-test");
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(
        result.out().matches("(?s).*\\n  self-test +not run +--no-self-test was given\\n.*"),
        result::out);
  }

  @Test
  void shouldRefuseWaysOfInjectionThatThereAreNot() {
    for (String command : new String[] {"doctor", "demo", "run 1 --out y.npy", "bench micro"}) {
      Object[] arguments = (command + " --injection=magic").split(" ");
      Program.Result result = Command.run(arguments);
      assertEquals(2, result.exitCode(), command);
      assertEquals(
          "gpuos: device setting: --injection=magic, expected=auto, live or driver\n",
          result.err());
    }
  }
}

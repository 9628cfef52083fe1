package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchMicroCommandTest {

  @TempDir private Path directory;

  @Test
  void shouldKeepEveryRoundAndSayWhereItRan() throws IOException {
    Path file = Files.writeString(directory.resolve("micro.json"), "old");
    Program.Result result =
        Command.run(
            "bench", "micro", "--device", "cpu", "--quick", "--seed", "3", "--json", "--out", file);
    assertEquals(0, result.exitCode(), result::err);
    assertEquals(result.out(), Files.readString(file));
    Map<String, Object> json = JsonReader.object(result.out());
    Map<?, ?> environment = (Map<?, ?>) json.get("environment");
    assertEquals("cpu", environment.get("device"));
    assertEquals(3.0, environment.get("seed"));
    assertEquals("micro", ((List<?>) environment.get("command_line")).get(1));
    assertRounds(json.get("submit"), "rounds_ns", "median_ns", 31);
    assertRounds(json.get("submit_distinct"), "rounds_ns", "median_ns", 31);
    assertRounds(json.get("latency"), "samples_ns", "p50_us", 2000);
    List<?> throughput = (List<?>) json.get("throughput");
    assertEquals(10, throughput.size());
    for (Object row : throughput) {
      assertRounds(row, "rounds_us", "median_us", 31);
      assertRounds(row, "host_rounds_ns", "host_median_ns", 31);
    }
    Map<?, ?> bandwidth = (Map<?, ?>) json.get("bandwidth");
    assertRounds(bandwidth.get("add"), "rounds_gb_s", "median_gb_s", 31);
    assertRounds(bandwidth.get("device_copy"), "rounds_gb_s", "median_gb_s", 31);
    assertRounds(bandwidth, "rounds_add_over_copy", "add_over_copy", 31);
    assertGoals((List<?>) json.get("goals"), json);
    assertTrue((double) ((Map<?, ?>) json.get("open")).get("first_ms") > 0);
    assertTrue(result.err().contains("gpuos: bench micro: latency"), result::err);
    try (Stream<Path> files = Files.list(directory)) {
      assertEquals(List.of(file), files.toList());
    }
  }

  /** Each verdict follows from its own numbers; the measured ones are those reported. */
  private static void assertGoals(List<?> goals, Map<String, Object> json) {
    assertEquals(6, goals.size());
    for (Object each : goals) {
      Map<?, ?> goal = (Map<?, ?>) each;
      double measured = (double) goal.get("measured");
      double wanted = (double) goal.get("goal");
      boolean most = goal.get("bound").equals("at_most");
      assertEquals(most ? measured <= wanted : measured >= wanted, goal.get("met"), goal::toString);
    }
    Map<?, ?> batch = (Map<?, ?>) ((List<?>) json.get("throughput")).get(1);
    assertEquals("batch", batch.get("how"));
    assertEquals(256.0, batch.get("size"));
    assertEquals(batch.get("median_us"), ((Map<?, ?>) goals.get(1)).get("measured"));
  }

  private static void assertRounds(Object measurement, String rounds, String middle, int count) {
    Map<?, ?> members = (Map<?, ?>) measurement;
    assertEquals(count, ((List<?>) members.get(rounds)).size());
    assertTrue((double) members.get(middle) > 0, members::toString);
  }

  @Test
  void shouldWriteToDevicesAndKeepThem() throws IOException {
    Program.Result result =
        Command.run("bench", "micro", "--device", "cpu", "--quick", "--out", "/dev/full");
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("cannot write: file=/dev/full, reason="), result::err);
    assertFalse(Files.isRegularFile(Path.of("/dev/full")));
  }

  @Test
  void shouldRefuseFilesItCannotWriteBeforeItMeasures() {
    for (Path file : List.of(directory, directory.resolve("none/x.json"), Path.of("/proc/x"))) {
      long begin = System.nanoTime();
      Program.Result result = Command.run("bench", "micro", "--quick", "--out", file);
      assertEquals(2, result.exitCode());
      assertEquals("", result.out());
      assertTrue(result.err().matches("gpuos: cannot write: file=.*\\R"), result::err);
      assertTrue(System.nanoTime() - begin < 2_000_000_000L);
    }
  }
}
